import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {eventLine, eventTable, type HostEvent, type PairEventsDocument} from '../../src/cli/events.js'
import {exitCodes} from '../../src/exit-codes.js'
import {hosts, pairName, since} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {endWithReader} from '../../src/cli/reader.js'

export default class PairEvents extends BaseCommand {
  static override summary = 'show what the agents recorded of a pair'
  static override description =
    prose(`The recorded events of both hosts, oldest first; times are those of the host, in UTC. With --follow it goes on until it is
interrupted; together with --json it prints one object per line.

Checkpoints come by the second: what they stopped and resumed in a row is one line of the table, without --checkpoints.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --since 10m',
    '<%= config.bin %> <%= command.id %> web1 --follow --json',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    follow: Flags.boolean({summary: 'go on with new events'}),
    since: since({
      summary: 'only later ones: a time such as 10m ago (10m), or 2026-11-20T10:00:00Z',
      helpValue: 'TIME',
    }),
    checkpoints: Flags.boolean({summary: 'each stop and resume of a checkpoint on a line of its own'}),
    last: Flags.integer({min: 1, summary: 'only the newest ones', helpValue: 'COUNT'}),
  }

  async run(): Promise<PairEventsDocument | undefined> {
    const {args, flags} = await this.parse(PairEvents)
    const context = await this.operation(flags)
    const {readEvents, followEvents} = await import('../../src/cli/events.js')
    const found = await readEvents(context, args.name)
    const {since: fromMs} = flags
    const later = fromMs === undefined ? found.events : found.events.filter(({atMs}) => atMs >= fromMs)
    const events = flags.last === undefined ? later : later.slice(-flags.last)
    if (!flags.follow) {
      this.log(eventTable(events, {folded: !flags.checkpoints}))
      for (const {host, problem} of found.silent) this.logToStderr(`${host}: ${problem}`)
      return {...found, events}
    }
    endWithReader()
    const print = (event: HostEvent): void => {
      process.stdout.write(`${this.jsonEnabled() ? JSON.stringify(event) : eventLine(event)}\n`)
    }
    for (const event of events) print(event)
    await followEvents(context, found, print)
    this.endWith(exitCodes.interrupted)
    return undefined
  }
}

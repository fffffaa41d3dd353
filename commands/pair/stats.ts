import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, pairName, timeout} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {endWithReader} from '../../src/cli/reader.js'
import type {PairStatsDocument} from '../../src/cli/stats.js'
import {exitCodes} from '../../src/exit-codes.js'

export default class PairStatsCommand extends BaseCommand {
  static override summary = 'show the figures of a pair: checkpoints, pauses, causes, traffic'
  static override description =
    prose(`Counted by both agents from QEMU's own events, over restarts of the agents: how many checkpoints and why, how long the guest
stood still on the primary and how long the secondary took to load. Phases and dirty pages need traces, see "<%= config.bin %> pair trace".

With --watch a line per interval until interrupted; --json-lines prints one object per line.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --json | jq .pause.p99Ms',
    '<%= config.bin %> <%= command.id %> web1 --watch --json-lines --interval 5s',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    watch: Flags.boolean({summary: 'go on until interrupted'}),
    'json-lines': Flags.boolean({summary: 'print one JSON object per line', exclusive: ['json']}),
    interval: timeout('1s', 'time between two lines of --watch'),
  }

  async run(): Promise<PairStatsDocument | undefined> {
    const {args, flags} = await this.parse(PairStatsCommand)
    const context = await this.operation(flags)
    const {readPairStats, statsLine, statsText} = await import('../../src/cli/stats.js')
    const lines = flags['json-lines'] || this.jsonEnabled()
    const read = (): Promise<PairStatsDocument> => readPairStats(context, args.name)
    if (!flags.watch) {
      const stats = await read()
      if (flags['json-lines']) process.stdout.write(`${JSON.stringify(stats)}\n`)
      else this.log(statsText(stats))
      for (const {host, problem} of stats.silent) this.logToStderr(`${host}: ${problem}`)
      return stats
    }
    endWithReader()
    while (!context.signal.aborted) {
      const stats = await read()
      process.stdout.write(`${lines ? JSON.stringify(stats) : statsLine(stats)}\n`)
      await context.clock.sleep(flags.interval, context.signal).catch(() => undefined)
    }
    this.endWith(exitCodes.interrupted)
    return undefined
  }
}

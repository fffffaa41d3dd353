import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, dryRun, hosts, timeout, yes} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {exitCodes} from '../../src/exit-codes.js'
import type {DrainedPair, DrainResult} from '../../src/operation/drain.js'

export default class HostDrain extends BaseCommand {
  static override summary = 'move everything off a host before it is shut down'
  static override description =
    prose(`For each pair with a copy on the host the other host goes on alone: by a planned failover where the primary is here, so that
clients keep their connections; where the secondary is here, the primary is let go first, so that it never waits for a peer that is gone.
The copies on the drained host end and are stale. After the next boot of the host its agent protects pairs with "resync: auto" again;
the others, and without a boot all of them, wait for "<%= config.bin %> pair resync".

A copy that is the only one cannot be moved: it is left running, named, and the command ends with 5. With --stop its guest is stopped cleanly instead, and the
agent starts it again after the next boot of the host, unlike one that "<%= config.bin %> pair stop" stopped. Nothing keeps new copies from the host afterwards.

Without a name the host is the one the inventory reaches as "local": so the unit that runs at shutdown calls it.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> alpha',
    '<%= config.bin %> <%= command.id %> alpha --dry-run',
    '<%= config.bin %> <%= command.id %> --yes --stop --timeout 60s',
  ]
  static override args = {name: argument({description: 'name of the host; else this one'})}
  static override flags = {
    hosts: hosts(),
    stop: Flags.boolean({summary: 'stop guests whose copy here is the only one; they start again after the boot'}),
    'dry-run': dryRun(),
    yes: yes(),
    timeout: timeout('2m'),
  }

  async run(): Promise<DrainResult> {
    const {args, flags} = await this.parse(HostDrain)
    const context = await this.operation(flags)
    const {drainHost, ownHost} = await import('../../src/operation/drain.js')
    const host = args.name ?? ownHost(context)
    const result = await drainHost(context, host, {
      dryRun: flags['dry-run'] ?? false,
      stop: flags.stop ?? false,
      timeoutMs: flags.timeout,
    })
    await this.endProgress()
    if (!flags.quiet) this.log(linesOf(result).join('\n'))
    if (result.pairs.some(({outcome}) => outcome === 'left')) this.endWith(exitCodes.wrongState)
    return result
  }
}

function linesOf({host, pairs, dryRun: dry}: DrainResult): string[] {
  if (pairs.length === 0) return [`no copies run on ${host}: nothing to do`]
  return pairs.map((each) => `${each.pair}: ${dry ? 'would be: ' : ''}${outcomeText(each, host)}`)
}

function outcomeText({outcome, to, why}: DrainedPair, host: string): string {
  switch (outcome) {
    case 'failed-over':
      return `failed over to ${to ?? 'the other host'}`
    case 'secondary-ended':
      return `goes on alone on ${to ?? 'the other host'}; its secondary on ${host} was ended`
    case 'stopped':
      return 'stopped, to be started again after the boot'
    case 'not-running':
      return `does not run on ${host}`
    case 'left':
      return `left on ${host}: ${why ?? 'it cannot be moved'}`
  }
}

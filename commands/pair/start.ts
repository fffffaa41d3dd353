import {Flags} from '@oclif/core'
import {dryRun, force, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairStart extends OperationCommand {
  static override summary = 'start a stopped pair from the right copy'
  static override description =
    prose(`Reads the records of both hosts and starts the copy that they name; "<%= config.bin %> pair resync" then protects it. When the other
record cannot be read and nothing proves that this copy is the current one, it refuses (exit 22): --alone HOST with the typed name
starts that copy nevertheless, in a new generation, and the other copy becomes stale.

Where both copies were stopped cleanly and are equal, both are started, nothing is copied, and the pair is protected from the guest's first
instruction on. --on HOST says which copy becomes the primary.

The files of the copy are compared with its record first. An image that is missing, or another file than the recorded one, is never
started: put the recorded file back, or accept this one with the typed name and --force image-replaced. When QEMU ended before the overlays of
a promoted copy were merged, they are merged now; when they are gone (scratch does not survive a restart of its host), --force overlays-lost
with the typed name starts from the disk alone, and what the guest wrote since the failover may be lost.

Without a terminal --yes with --force peer-unknown, image-replaced or overlays-lost stands for the typed name.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --on beta',
    '<%= config.bin %> <%= command.id %> web1 --alone beta',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    alone: Flags.string({
      summary: 'start the copy of this host although the other one does not answer',
      helpValue: 'HOST',
    }),
    on: Flags.string({
      summary: 'start the copy of this host, where either may start: after a clean stop',
      helpValue: 'HOST',
      exclusive: ['alone'],
    }),
    'dry-run': dryRun(),
    yes: yes(),
    force: force(),
    timeout: timeout('5m'),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairStart)
    const context = await this.operation(flags)
    const {startPair} = await import('../../src/operation/start.js')
    const result = await startPair(context, args.name, {
      alone: flags.alone,
      on: flags.on,
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      timeoutMs: flags.timeout,
    })
    return this.report(result, flags)
  }
}

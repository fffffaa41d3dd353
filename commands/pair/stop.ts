import {dryRun, force, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairStop extends OperationCommand {
  static override summary = 'power the guest off and stop both copies cleanly'
  static override description =
    prose(`Presses the guest's power button (ACPI), waits until it is off and every disk was flushed, and notes on both hosts that their copies
are equal: "<%= config.bin %> pair start" then starts either of them, and nothing has to be copied. A write that did not arrive makes the
other copy stale. A guest that powers off by itself, or by "virsh shutdown" on the primary's host, is followed in the same way without
this command.

A guest that has not powered off within --timeout goes on (exit 21); when it powers off later, that is followed as well. --force power-cut ends it without asking, after a flush of
the disks: what virsh and xl call destroy.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --timeout 5m',
    '<%= config.bin %> <%= command.id %> web1 --yes --force power-cut',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), yes: yes(), force: force(), timeout: timeout('2m')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairStop)
    const context = await this.operation(flags)
    const {stopPair} = await import('../../src/operation/stop.js')
    const result = await stopPair(context, args.name, {
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      timeoutMs: flags.timeout,
    })
    return this.report(result, flags)
  }
}

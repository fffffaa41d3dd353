import {dryRun, force, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairStop extends OperationCommand {
  static override summary = 'power the guest off and stop both copies'
  static override description =
    prose(`Asks the guest to power off, waits, and ends both copies. When all disks were flushed without an error both copies are recorded
as clean and equal, and either may be started later without a transfer; else the secondary's copy is stale.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --yes --timeout 5m',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), yes: yes(), force: force(), timeout: timeout('3m')}

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

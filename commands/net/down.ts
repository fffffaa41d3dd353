import {dryRun, force, hosts, pairName, timeout} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class NetDown extends OperationCommand {
  static override summary = "take the forwarding of a pair's packets away"
  static override description =
    prose(`Removes every device and rule that colo made for the pair's NICs, on the hosts that answer, and gives each forward NIC back as it was
before its first use. Foreign qdiscs and filters are never touched. A pair in lock-step needs its forwarding: there it is refused without
--force protected.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), force: force(), timeout: timeout('60s')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(NetDown)
    const context = await this.operation(flags)
    const {netDown} = await import('../../src/operation/net.js')
    const options = {dryRun: flags['dry-run'], timeoutMs: flags.timeout, force: flags.force ?? []}
    return this.report(await netDown(context, args.name, options), flags)
  }
}

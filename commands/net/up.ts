import {dryRun, hosts, pairName, timeout} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class NetUp extends OperationCommand {
  static override summary = "make the forwarding of a pair's packets whole"
  static override description =
    prose(`For pairs with \`forward: {via: tc}\` that are in lock-step: puts back what is missing of the kernel's devices and rules on both hosts,
and changes nothing where all is there. Anything foreign in the way is refused by name. create and resync do the same by themselves.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), timeout: timeout('60s')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(NetUp)
    const context = await this.operation(flags)
    const {netUp} = await import('../../src/operation/net.js')
    const options = {dryRun: flags['dry-run'], timeoutMs: flags.timeout}
    return this.report(await netUp(context, args.name, options), flags)
  }
}

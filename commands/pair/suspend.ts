import {dryRun, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairSuspend extends OperationCommand {
  static override summary = 'let the primary go on alone until the protection is resumed'
  static override description =
    prose(`Ends the secondary; its disks and its place stay. The primary goes on alone in a new generation, and nothing protects it again before
"<%= config.bin %> pair resume". For work on the secondary's host, or on the link. The status is "unprotected (suspended)" meanwhile.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), yes: yes(), timeout: timeout('2m')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairSuspend)
    const context = await this.operation(flags)
    const {suspendPair} = await import('../../src/operation/suspend.js')
    const result = await suspendPair(context, args.name, {dryRun: flags['dry-run'], timeoutMs: flags.timeout})
    return this.report(result, flags)
  }
}

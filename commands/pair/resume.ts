import {dryRun, hosts, pairName, timeout} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairResume extends OperationCommand {
  static override summary = 'protect a suspended pair again'
  static override description =
    prose(`Copies the disks and the memory of the running copy to the other host while the guest goes on, and ends when the pair is verified as
protected. A pair that is protected is left as it is; one that is unprotected for another reason needs "<%= config.bin %> pair resync".`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), timeout: timeout('2h')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairResume)
    const context = await this.operation(flags)
    const {resyncPair} = await import('../../src/operation/resync.js')
    const result = await resyncPair(context, args.name, {
      dryRun: flags['dry-run'],
      force: [],
      timeoutMs: flags.timeout,
      resume: true,
    })
    return this.report(result, flags)
  }
}

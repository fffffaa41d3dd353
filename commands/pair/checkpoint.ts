import {hosts, pairName, timeout} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'

export default class PairCheckpoint extends OperationCommand {
  static override summary = 'bring the secondary level now'
  static override description = 'Forces a checkpoint and ends when it has been completed.'
  static override examples = ['<%= config.bin %> <%= command.id %> web1']
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), timeout: timeout('60s')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairCheckpoint)
    const context = await this.operation(flags)
    const {checkpointPair} = await import('../../src/operation/checkpoint.js')
    return this.report(await checkpointPair(context, args.name, {timeoutMs: flags.timeout}), flags)
  }
}

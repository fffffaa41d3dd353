import {dryRun, force, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairResync extends OperationCommand {
  static override summary = 'protect a pair again'
  static override description =
    prose(`Makes a new secondary on the other host, copies the disks and the memory of the running copy while the guest goes on, and ends when
the pair is verified as protected. Whole disks are copied. A pair that is protected is left as it is.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun(), yes: yes(), force: force(), timeout: timeout('2h')}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairResync)
    const context = await this.operation(flags)
    const {resyncPair} = await import('../../src/operation/resync.js')
    const result = await resyncPair(context, args.name, {
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      timeoutMs: flags.timeout,
    })
    return this.report(result, flags)
  }
}

import {dryRun, hosts, pairName} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class DiskClean extends OperationCommand {
  static override summary = 'remove overlays that a pair no longer needs'
  static override description =
    prose(`Removes the active and hidden overlays of a pair on both hosts. Refuses while a copy is in use, or while overlays hold writes that
have not been merged into the disk yet.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), 'dry-run': dryRun()}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(DiskClean)
    const context = await this.operation(flags)
    const {cleanDisks} = await import('../../src/operation/disk.js')
    return this.report(await cleanDisks(context, args.name, {dryRun: flags['dry-run']}), flags)
  }
}

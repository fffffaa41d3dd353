import {dryRun, hosts, pairName, specFile} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {specOf} from '../../src/cli/spec-source.js'
import {prose} from '../../src/cli/prose.js'

export default class DiskPrepare extends OperationCommand {
  static override summary = "make the images of a spec that are missing on the primary's host"
  static override description =
    prose(`Creates each image on the primary's host, blank, with format and size of the spec. An image that is there and fits is left as it is;
one that does not fit is refused. The secondary's images are made by "<%= config.bin %> pair create", which copies the disks.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> -f web1.yaml',
    '<%= config.bin %> <%= command.id %> -f web1.yaml --dry-run',
  ]
  static override args = {name: pairName({description: 'name of a pair that exists; else give -f'})}
  static override flags = {file: specFile(), hosts: hosts(), 'dry-run': dryRun()}

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(DiskPrepare)
    const context = await this.operation(flags)
    const spec = await specOf(context, {name: args.name, file: flags.file})
    const {prepareDisks} = await import('../../src/operation/disk.js')
    return this.report(await prepareDisks(context, spec, {dryRun: flags['dry-run']}), flags)
  }
}

import {Flags} from '@oclif/core'
import {dryRun, force, hosts, pairName, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairDestroy extends OperationCommand {
  static override summary = 'end a pair and forget it'
  static override description =
    prose(`Ends both copies, removes overlays, network rules and records on both hosts. The disks of the side that is current stay where they
are; with --delete-copies the images of the other side are removed as well. Destroying a pair that is half gone removes what is left.

A pair that was made from a libvirt domain gives it back, shut off, on the host of the current disk: with the definition and the autostart
flag it had. On the other host its images and bridges are those of the pair there.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --yes --delete-copies',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    'delete-copies': Flags.boolean({summary: 'also remove the images of the side that is not current'}),
    'dry-run': dryRun(),
    yes: yes(),
    force: force(),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairDestroy)
    const context = await this.operation(flags)
    const {destroyPair} = await import('../../src/operation/destroy.js')
    const result = await destroyPair(context, args.name, {
      dryRun: flags['dry-run'],
      deleteCopies: flags['delete-copies'],
      force: flags.force ?? [],
    })
    return this.report(result, flags)
  }
}

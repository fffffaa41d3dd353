import {Flags} from '@oclif/core'
import {dryRun, force, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairReplace extends OperationCommand {
  static override summary = 'give a pair another secondary'
  static override description =
    prose(`Brings the disks and the memory of the running copy to another host while the guest goes on, and ends when the pair is verified as
protected there. The former secondary may be dead or alive; its copy is stale from the moment the primary goes on without it, what it has is
removed only when the new one is protected, and its images stay unless --delete-copies is given.

When the former secondary does not answer it may have gone on alone: that needs the typed name or --yes --force peer-unknown. When it is
back, the same command, run again, removes what is left there.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 --secondary gamma',
    '<%= config.bin %> <%= command.id %> web1 --secondary gamma --yes --force peer-unknown',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    secondary: Flags.string({summary: 'host that becomes the secondary', helpValue: 'HOST', required: true}),
    'delete-copies': Flags.boolean({summary: 'remove the images on the former secondary, too'}),
    'dry-run': dryRun(),
    yes: yes(),
    force: force(),
    timeout: timeout('2h'),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairReplace)
    const context = await this.operation(flags)
    const {replacePair} = await import('../../src/operation/replace.js')
    const result = await replacePair(context, args.name, {
      secondary: flags.secondary,
      deleteCopies: flags['delete-copies'],
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      timeoutMs: flags.timeout,
    })
    return this.report(result, flags)
  }
}

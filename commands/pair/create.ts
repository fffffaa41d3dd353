import {dryRun, force, hosts, pairName, specFile, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {specFromFile} from '../../src/cli/spec-source.js'
import {prose} from '../../src/cli/prose.js'

export default class PairCreate extends OperationCommand {
  static override summary = 'make a protected pair from a spec'
  static override description =
    prose(`Checks the spec and both hosts, makes what is missing (images, overlays, network), starts both copies, brings disks and memory
level while the guest runs, and ends when a checkpoint has been completed and the pair is verified as protected. What was made is taken
back when a step fails before that. Run again after it was cut off, it goes on with the guest that runs already.

The spec is checked before any host is touched; see colo-spec(5).`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 -f web1.yaml',
    '<%= config.bin %> <%= command.id %> -f web1.yaml --dry-run',
    'generate-spec | <%= config.bin %> <%= command.id %> -f -',
  ]
  static override args = {name: pairName({description: 'name of the pair; must be the one in the spec'})}
  static override flags = {
    file: specFile({required: true}),
    hosts: hosts(),
    'dry-run': dryRun(),
    yes: yes(),
    force: force(),
    timeout: timeout('30m'),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairCreate)
    const spec = await specFromFile(flags.file, args.name)
    const context = await this.operation(flags)
    const {createPair} = await import('../../src/operation/create.js')
    const result = await createPair(context, spec, {
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      yes: flags.yes,
      timeoutMs: flags.timeout,
    })
    return this.report(result, flags)
  }
}

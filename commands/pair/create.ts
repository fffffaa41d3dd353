import {Flags} from '@oclif/core'
import {UsageError} from '../../src/errors.js'
import {dryRun, force, hosts, pairName, specFile, timeout, yes} from '../../src/cli/flags.js'
import type {CreateOptions} from '../../src/operation/create.js'
import type {OperationResult} from '../../src/operation/result.js'
import type {ImportPreview} from '../../src/operation/import.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import type {ImportFlags} from '../../src/cli/import-source.js'
import {specFromFile} from '../../src/cli/spec-source.js'
import {prose} from '../../src/cli/prose.js'

const imports = {dependsOn: ['from-domain']}
const several = {...imports, multiple: true as const, multipleNonGreedy: true}

export default class PairCreate extends OperationCommand {
  static override summary = 'make a protected pair from a spec, or from an existing libvirt domain'
  static override description =
    prose(`Checks the spec and both hosts, makes what is missing (the secondary's images, overlays, network), starts both copies, brings disks and memory
level while the guest runs, and ends when a checkpoint has been completed and the pair is verified as protected. What was made is taken
back when a step fails before that. Run again after it was cut off, it goes on with the guest that runs already.

The spec is checked before any host is touched; see colo-spec(5).

With --from-domain the pair takes the place of a libvirt domain: its definition is carried over part by part, and what cannot be carried is
refused by its place (--drop PLACE leaves it out). The definition is kept in the record of the pair and taken out of libvirt, so that nothing
else starts the guest; "<%= config.bin %> pair destroy" gives it back. A domain that runs is shut down and started again only with --restart.
With --dry-run nothing is touched and the table of what is carried, changed and refused is shown.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 -f web1.yaml',
    '<%= config.bin %> <%= command.id %> -f web1.yaml --dry-run',
    '<%= config.bin %> <%= command.id %> web1 --from-domain web1 --secondary beta --drop graphics --drop memballoon --dry-run',
    'generate-spec | <%= config.bin %> <%= command.id %> -f -',
  ]
  static override args = {name: pairName({description: 'name of the pair; must be the one in the spec'})}
  static override flags = {
    file: specFile({exclusive: ['from-domain']}),
    'from-domain': Flags.string({summary: 'libvirt domain that becomes the pair', helpValue: 'DOMAIN'}),
    host: Flags.string({summary: 'host that has the domain, and is the first primary', helpValue: 'HOST', ...imports}),
    secondary: Flags.string({summary: 'host of the second copy', helpValue: 'HOST', ...imports}),
    spare: Flags.string({summary: 'third host that may replace one of the two', helpValue: 'HOST', ...imports}),
    drop: Flags.string({
      summary: 'part of the definition that may be left out, such as graphics or disk[2]/iotune; several times',
      helpValue: 'PLACE',
      ...several,
    }),
    bridge: Flags.string({
      summary:
        'bridge of a NIC (net0, net1, or its MAC) where the definition names none both hosts have; several times',
      helpValue: 'NIC=[HOST:]BRIDGE',
      ...several,
    }),
    image: Flags.string({
      summary: 'image of a disk (vda) on the secondary, where its path is another one there; several times',
      helpValue: 'DISK=PATH',
      ...several,
    }),
    uncompared: Flags.option({
      options: ['drop', 'pass'] as const,
      summary: 'what becomes of frames that cannot be compared (IPv6, VLAN tags, fragments); drop unless told',
      helpValue: 'drop|pass',
      ...imports,
    })(),
    restart: Flags.boolean({summary: 'shut a running domain down and start it as the pair', ...imports}),
    hosts: hosts(),
    'dry-run': dryRun(),
    yes: yes(),
    force: force(),
    timeout: timeout('30m'),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairCreate)
    const options = {
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      yes: flags.yes,
      timeoutMs: flags.timeout,
    }
    const domain = flags['from-domain']
    if (domain !== undefined) return this.#import({...flags, domain, name: args.name}, options)
    if (flags.file === undefined) {
      throw new UsageError('no spec', {hint: 'Give a file with -f FILE, or a libvirt domain with --from-domain.'})
    }
    const spec = await specFromFile(flags.file, args.name)
    const context = await this.operation(flags)
    const {createPair} = await import('../../src/operation/create.js')
    return this.report(await createPair(context, spec, options), flags)
  }

  async #import(
    flags: ImportFlags & {readonly quiet: boolean; readonly verbose: boolean; readonly hosts: string | undefined},
    options: CreateOptions,
  ): Promise<OperationDocument> {
    const [{importRequest}, {importDocument, previewText, changeLines}, {importPair}] = await Promise.all([
      import('../../src/cli/import-source.js'),
      import('../../src/cli/import-text.js'),
      import('../../src/operation/import.js'),
    ])
    const request = await importRequest(flags)
    const context = await this.operation({...flags, force: options.force, yes: options.yes})
    let seen: ImportPreview | undefined
    const result: OperationResult = await importPair(context, request, options, (preview) => {
      seen = preview
      if (options.dryRun) this.log(previewText(preview, flags.verbose))
      else for (const line of changeLines(preview)) context.progress.note(line)
    })
    const document = await this.report(result, flags)
    return seen === undefined ? document : {...document, import: importDocument(seen)}
  }
}

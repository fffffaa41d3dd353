import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, hosts, specFile} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {UsageError} from '../../src/errors.js'
import {exitCodes} from '../../src/exit-codes.js'
import type {Check} from '../../src/host/check.js'

export interface XenCheckDocument {
  readonly hosts: readonly string[]
  /** the worst of all checks */
  readonly verdict: Check['verdict']
  readonly checks: readonly Check[]
}

export default class XenCheck extends BaseCommand {
  static override summary = 'see what a Xen host can run, and what it lacks, with remedies'
  static override description =
    prose(`Asks one or two hosts, or with -f the hosts of a spec, and changes nothing. Looked at: xl and the hypervisor, hardware virtualisation,
libxenlight (built with libnl: COLO and network buffering), the device model (replication, quorum, comparer), releases whose secondary aborts, the modules of the
kernel proxy. With a spec also the guest it describes, free names, ports, bridges and memory.

The packages of Debian 12 and 13 cannot run COLO on Xen: their libxenlight is built without libnl, their QEMU for Xen without replication. They can run
"mode: checkpoint" (Remus) for guests without NICs.

Ends with 6 when a check fails; warnings alone end with 0.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> alpha beta',
    '<%= config.bin %> <%= command.id %> -f web1.yaml',
  ]
  static override args = {
    first: argument({name: 'A', description: 'name of a host'}),
    second: argument({name: 'B', description: 'name of a second host'}),
  }
  static override flags = {hosts: hosts(), file: specFile()}

  async run(): Promise<XenCheckDocument> {
    const {args, flags} = await this.parse(XenCheck)
    const names = [args.first, args.second].filter((name) => name !== undefined)
    if (flags.file !== undefined && names.length > 0) {
      throw new UsageError('hosts and a spec are given', {hint: 'Name hosts, or give -f FILE, which names them.'})
    }
    const context = await this.operation(flags)
    const [{checkXenHosts, checkXenSpec}, {entryOf}, {worst}] = await Promise.all([
      import('../../src/operation/xen/check.js'),
      import('../../src/operation/sides.js'),
      import('../../src/host/check.js'),
    ])
    const {asked, checks} = await (async () => {
      if (flags.file === undefined) {
        const entries = names.length === 0 ? context.inventory.hosts : names.map((name) => entryOf(context, name))
        return {asked: entries.map(({name}) => String(name)), checks: await checkXenHosts(context, entries)}
      }
      const {readXenFile} = await import('../../src/cli/xen-file.js')
      const spec = await readXenFile(flags.file)
      return {asked: [spec.hosts.primary, spec.hosts.secondary], checks: await checkXenSpec(context, spec)}
    })()
    const document = {hosts: asked, verdict: worst(checks), checks}
    if (!this.jsonEnabled()) {
      const [{checksText}, {painter}] = await Promise.all([
        import('../../src/host/check-text.js'),
        import('../../src/ui/colors.js'),
      ])
      const shown = flags.quiet ? checks.filter(({verdict}) => verdict !== 'pass') : checks
      if (shown.length > 0) this.log(checksText(shown, painter({isTerminal: process.stdout.isTTY, env: process.env})))
    }
    if (document.verdict === 'fail') this.endWith(exitCodes.preflight)
    return document
  }
}

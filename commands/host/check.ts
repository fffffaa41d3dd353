import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, hosts} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {UsageError} from '../../src/errors.js'
import {exitCodes} from '../../src/exit-codes.js'
import type {Check} from '../../src/host/check.js'

export interface HostCheckDocument {
  readonly hosts: readonly string[]
  /** the worst of all checks */
  readonly verdict: Check['verdict']
  readonly checks: readonly Check[]
}

export default class HostCheck extends BaseCommand {
  static override summary = 'see whether hosts can run pairs: pass, warn or fail, with remedies'
  static override description =
    prose(`Probes one host, or two and what they must have in common, or without names every host of the inventory and each against
the first. Nothing is changed. What depends on a spec (images, memory of the guest, ports, its bridges) is checked by \`colo pair create\`.

Looked at: the agent, QEMU and whether its release runs COLO, KVM (by booting a guest of 17 bytes), libvirt, tools, the replication
address, bridges and forward NICs of the inventory, packet filtering, the scratch directory; for two hosts also the same versions, CPU, a common machine
type and the clocks.

Ends with 6 when a check fails; warnings alone end with 0.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> alpha beta',
    '<%= config.bin %> <%= command.id %> alpha --json',
  ]
  static override args = {
    first: argument({name: 'A', description: 'name of a host'}),
    second: argument({name: 'B', description: 'name of a second host'}),
  }
  static override flags = {hosts: hosts()}

  async run(): Promise<HostCheckDocument> {
    const {args, flags} = await this.parse(HostCheck)
    if (args.first !== undefined && args.first === args.second) {
      throw new UsageError(`${args.first} is given twice`, {hint: 'Name two different hosts, or one alone.'})
    }
    const context = await this.operation(flags)
    const [{checkHosts}, {entryOf}, {worst}] = await Promise.all([
      import('../../src/host/survey.js'),
      import('../../src/operation/sides.js'),
      import('../../src/host/check.js'),
    ])
    const names = [args.first, args.second].filter((name) => name !== undefined)
    const entries = names.length === 0 ? context.inventory.hosts : names.map((name) => entryOf(context, name))
    const checks = await checkHosts(context, entries)
    const document = {hosts: entries.map(({name}) => String(name)), verdict: worst(checks), checks}
    if (!this.jsonEnabled()) await this.#print(checks, flags.quiet)
    if (document.verdict === 'fail') this.endWith(exitCodes.preflight)
    return document
  }

  async #print(checks: readonly Check[], quiet: boolean): Promise<void> {
    const [{checksText}, {painter}] = await Promise.all([
      import('../../src/host/check-text.js'),
      import('../../src/ui/colors.js'),
    ])
    const shown = quiet ? checks.filter(({verdict}) => verdict !== 'pass') : checks
    if (quiet && shown.length === 0) return
    this.log(checksText(shown, painter({isTerminal: process.stdout.isTTY, env: process.env})))
  }
}

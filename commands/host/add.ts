import {homedir} from 'node:os'
import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, hosts} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {PreflightError} from '../../src/errors.js'
import type {Check} from '../../src/host/check.js'
import type {HostEntry} from '../../src/pair/inventory.js'

export interface HostAddDocument {
  readonly host: string
  /** the inventory that was written */
  readonly file: string
  /** what was checked; empty with --no-check */
  readonly checks: readonly Check[]
}

export default class HostAdd extends BaseCommand {
  static override summary = 'add a host to the inventory, after its agent has answered'
  static override description =
    prose(`Connects to the agent, checks that it goes by this name and that the replication address is its own, and writes the inventory
(\`hosts.yaml\`); comments in it stay. The file is made when there is none: /etc/colo/hosts.yaml for root. \`colo host check\` tells more.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> alpha --connection ssh://root@alpha.example --replication 10.88.0.1',
    '<%= config.bin %> <%= command.id %> beta --connection local --replication 10.88.0.2 --bridge br0',
  ]
  static override args = {name: argument({description: 'name of the host', required: true})}
  static override flags = {
    connection: Flags.string({required: true, summary: 'local, or ssh://[user@]host[:port]', helpValue: 'URL'}),
    replication: Flags.string({
      required: true,
      summary: 'its IP address on the replication link',
      helpValue: 'ADDRESS',
    }),
    ports: Flags.string({summary: 'ports for pairs, first-last; the first is the beacon', helpValue: 'RANGE'}),
    scratch: Flags.string({summary: 'directory in memory for overlays', helpValue: 'DIR'}),
    images: Flags.string({summary: 'directory of images', helpValue: 'DIR'}),
    bridge: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      summary: 'bridge for guests; several times for more',
      helpValue: 'NAME',
    }),
    forward: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      summary: 'NIC for kernel forwarding; several times for more',
      helpValue: 'NAME',
    }),
    check: Flags.boolean({default: true, allowNo: true, summary: 'ask the agent first'}),
    hosts: hosts(),
  }

  async run(): Promise<HostAddDocument> {
    const {args, flags} = await this.parse(HostAdd)
    const [{findInventory}, {addHost}] = await Promise.all([
      import('../../src/config/hosts-file.js'),
      import('../../src/config/write-hosts.js'),
    ])
    const found = await findInventory({flag: flags.hosts, env: process.env, home: homedir()})
    const {connection, replication, ports, scratch, images, bridge: bridges, forward} = flags
    const host = {name: args.name, connection, replication, ports, scratch, images, bridges, forward}
    const edited = addHost(found.text, found.path, host)
    const entry = edited.inventory.hosts.find(({name}) => name === args.name)
    if (entry === undefined) throw new Error(`${args.name} was added, but is not there`)
    const checks = flags.check ? await this.#ask(entry) : []
    const {writeInventory} = await import('../../src/host/inventory-file.js')
    await writeInventory(found.path, edited.text)
    if (!flags.quiet) this.log(`added ${args.name} to ${found.path}`)
    if (!flags.quiet && !flags.check) this.log(`not checked: see \`colo host check ${args.name}\``)
    return {host: args.name, file: found.path, checks}
  }

  /** @throws {UnreachableError} when the agent does not answer, {PreflightError} when the entry is not this host's */
  async #ask(entry: HostEntry): Promise<Check[]> {
    const [{checkEntry}, {blocking}] = await Promise.all([
      import('../../src/host/check-entry.js'),
      import('../../src/host/check.js'),
    ])
    const checks = await checkEntry(await this.connect(entry, this.interruptSignal), entry, this.interruptSignal)
    const [first] = blocking(checks)
    if (first === undefined) return checks
    throw new PreflightError(first.id, `${entry.name} was not added: ${first.message}`, {
      hint: `${first.remedy ?? ''}; --no-check adds it as it is`,
    })
  }
}

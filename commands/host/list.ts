import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, output} from '../../src/cli/flags.js'
import {printList} from '../../src/cli/list-output.js'
import {prose} from '../../src/cli/prose.js'
import type {HostRow} from '../../src/host/survey.js'
import type {Column} from '../../src/ui/table.js'

export interface HostListDocument {
  /** the inventory that was read */
  readonly file: string
  readonly hosts: readonly HostRow[]
}

export default class HostList extends BaseCommand {
  static override aliases = ['host:ls']
  static override hasOutput = true
  static override summary = 'list the hosts of the inventory, and whether their agents answer'
  static override description = prose(
    `Asks all hosts at once. One that does not answer within 5 s is listed with the reason; the exit status is 0 all the same.`,
  )
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> -o name']
  static override flags = {hosts: hosts(), output: output()}

  async run(): Promise<HostListDocument> {
    const {flags} = await this.parse(HostList)
    const context = await this.operation(flags)
    const {listHost} = await import('../../src/host/survey.js')
    const {formatConnection} = await import('../../src/config/connection.js')
    const {inventory} = context
    const rows = await Promise.all(
      inventory.hosts.map((entry) => listHost(context, entry, formatConnection(entry.connection))),
    )
    const document = {file: inventory.file, hosts: rows}
    await printList((text) => this.log(text), {
      output: flags.output,
      document,
      rows,
      columns,
      name: ({name}) => name,
      empty: flags.quiet ? undefined : `no hosts in ${inventory.file}`,
    })
    return document
  }
}

const columns: readonly Column<HostRow>[] = [
  {title: 'HOST', value: ({name}) => name},
  {title: 'AGENT', value: ({reachable, agent}) => (reachable ? agent : 'no answer')},
  {title: 'QEMU', value: ({qemu}) => qemu},
  {title: 'PAIRS', value: ({pairs}) => pairs?.length, align: 'right'},
  {title: 'CONNECTION', value: ({connection}) => connection},
  {title: 'REPLICATION', value: ({replication}) => replication},
  {title: 'NAMES', value: ({pairs}) => pairs?.join(','), wide: true},
  {title: 'PROBLEM', value: ({problem}) => problem},
]

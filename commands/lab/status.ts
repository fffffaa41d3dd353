import {BaseCommand} from '../../src/cli/base-command.js'
import {labStatus, type HostStatus, type LabStatus} from '../../src/lab/index.js'
import {renderTable, type Column} from '../../src/ui/table.js'

export default class LabStatusCommand extends BaseCommand {
  static override summary = 'show the hosts of the lab, their links and the accelerator'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  async run(): Promise<LabStatus> {
    await this.parse(LabStatusCommand)
    const status = await labStatus()
    if (!status.up) {
      this.log('there is no lab; `colo lab up` makes one')
      return status
    }
    const {versions} = status
    this.log(
      `accelerator ${status.accelerator}, QEMU ${versions.qemu}, libvirt ${versions.libvirt}, guest kernel ${versions.guestKernel}`,
    )
    this.log(`hosts run colo from ${status.tree}\n`)
    this.log(renderTable(columns, status.hosts))
    return status
  }
}

const columns: ReadonlyArray<Column<HostStatus>> = [
  {title: 'HOST', value: (host) => host.name},
  {title: 'ADDRESS', value: (host) => host.address},
  {title: 'POWER', value: (host) => (host.running ? 'on' : 'off')},
  {title: 'AGENT', value: (host) => (host.running ? host.agent : undefined)},
  {title: 'CUT', value: (host) => host.cut.join(',')},
  {title: 'DOMAINS', value: (host) => host.domains.join(',')},
]

import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, output, pairName, specFile} from '../../src/cli/flags.js'
import {printList} from '../../src/cli/list-output.js'
import {prose} from '../../src/cli/prose.js'
import {specOf} from '../../src/cli/spec-source.js'
import {exitCodes} from '../../src/exit-codes.js'
import type {DiskCheck} from '../../src/operation/disk.js'
import {formatBytes} from '../../src/ui/bytes.js'
import type {Column} from '../../src/ui/table.js'

export interface DiskCheckDocument {
  readonly pair: string
  readonly ok: boolean
  readonly disks: readonly DiskCheck[]
}

export default class DiskCheckCommand extends BaseCommand {
  static override hasOutput = true
  static override summary = 'compare the images on both hosts with the spec'
  static override description =
    prose(`Looks at every image on both hosts and changes nothing. Ends with 6 when one is missing or does not fit. Before there is a pair, an
image that is missing on the secondary's host is right: "<%= config.bin %> pair create" makes it.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> -f web1.yaml -o wide',
  ]
  static override args = {name: pairName({description: 'name of a pair that exists; else give -f'})}
  static override flags = {file: specFile(), hosts: hosts(), output: output()}

  async run(): Promise<DiskCheckDocument> {
    const {args, flags} = await this.parse(DiskCheckCommand)
    const context = await this.operation(flags)
    const spec = await specOf(context, {name: args.name, file: flags.file})
    const {checkDisks} = await import('../../src/operation/disk.js')
    const disks = await checkDisks(context, spec)
    const document = {pair: spec.name, ok: disks.every(({ok}) => ok), disks}
    await printList((text) => this.log(text), {
      output: flags.output,
      document,
      rows: disks,
      columns,
      name: ({host, disk}) => `${host}/${disk}`,
      empty: undefined,
    })
    if (!document.ok) this.endWith(exitCodes.preflight)
    return document
  }
}

const columns: readonly Column<DiskCheck>[] = [
  {title: 'HOST', value: ({host}) => host},
  {title: 'DISK', value: ({disk}) => disk},
  {title: 'RESULT', value: ({ok, image}) => (ok ? (image.exists ? 'pass' : 'to be made') : 'fail')},
  {title: 'FORMAT', value: ({image}) => image.format},
  {
    title: 'SIZE',
    value: ({image}) => (image.virtualSizeBytes === undefined ? undefined : formatBytes(image.virtualSizeBytes)),
    align: 'right',
  },
  {
    title: 'IN USE',
    value: ({image}) => (image.inUse === undefined ? undefined : image.inUse ? 'yes' : 'no'),
    wide: true,
  },
  {title: 'BACKING', value: ({image}) => image.backing, wide: true},
  {title: 'IMAGE', value: ({image}) => image.path},
  {title: 'PROBLEM', value: ({problem}) => problem},
]

import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, output} from '../../src/cli/flags.js'
import {printList} from '../../src/cli/list-output.js'
import {listColumns} from '../../src/cli/pair-text.js'
import {prose} from '../../src/cli/prose.js'
import type {PairStatus} from '../../src/pair/status.js'

export interface PairListDocument {
  readonly pairs: readonly PairStatus[]
}

export default class PairList extends BaseCommand {
  static override aliases = ['pair:ls']
  static override hasOutput = true
  static override summary = 'list the pairs of all hosts of the inventory'
  static override description = prose(
    `Asks every host and shows each pair once, sorted by name. Hosts that do not answer are named in the reasons of their pairs.`,
  )
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> -o name']
  static override flags = {hosts: hosts(), output: output()}

  async run(): Promise<PairListDocument> {
    const {flags} = await this.parse(PairList)
    const context = await this.operation(flags)
    const {observeAll} = await import('../../src/operation/observe.js')
    const document = {pairs: await observeAll(context)}
    await printList((text) => this.log(text), {
      output: flags.output,
      document,
      rows: document.pairs,
      columns: listColumns,
      name: ({pair}) => pair,
      empty: flags.quiet ? undefined : `no pairs on the hosts of ${context.inventory.file}`,
    })
    return document
  }
}

import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, output} from '../../src/cli/flags.js'
import {printList} from '../../src/cli/list-output.js'
import {listColumns} from '../../src/cli/pair-text.js'
import {prose} from '../../src/cli/prose.js'
import type {ObservedAll} from '../../src/operation/observe.js'

export default class PairList extends BaseCommand {
  static override aliases = ['pair:ls']
  static override hasOutput = true
  static override summary = 'list the pairs of all hosts of the inventory'
  static override description = prose(
    `Asks every host and shows each pair once, sorted by name. Hosts that do not answer are named: pairs of which
no host answers are missing. Ends with 20 when no host at all answers.`,
  )
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> -o name']
  static override flags = {hosts: hosts(), output: output()}

  async run(): Promise<ObservedAll> {
    const {flags} = await this.parse(PairList)
    const context = await this.operation(flags)
    const {observeAll} = await import('../../src/operation/observe.js')
    const document = await observeAll(context)
    await printList((text) => this.log(text), {
      output: flags.output,
      document,
      rows: document.pairs,
      columns: listColumns,
      name: ({pair}) => pair,
      empty: flags.quiet
        ? undefined
        : `no pairs on the hosts of ${context.inventory.file}${document.silent.length > 0 ? ' that answer' : ''}`,
    })
    for (const {host, problem} of document.silent) this.logToStderr(`${host}: ${problem}`)
    return document
  }
}

import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, pairName} from '../../src/cli/flags.js'
import {showDocument, showText, type PairShowDocument} from '../../src/cli/pair-show.js'
import {prose} from '../../src/cli/prose.js'

export default class PairShow extends BaseCommand {
  static override summary = 'show what the hosts durably know of a pair'
  static override description =
    prose(`The spec and the record of each host: generation, role, marks, ports, addresses and images. Keys are never shown. "<%= config.bin %> pair
status" says what the pair is doing now.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --json',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts()}

  async run(): Promise<PairShowDocument> {
    const {args, flags} = await this.parse(PairShow)
    const context = await this.operation(flags)
    const {observePair} = await import('../../src/operation/observe.js')
    const document = showDocument(args.name, (await observePair(context, args.name)).seen)
    this.log(showText(document))
    return document
  }
}

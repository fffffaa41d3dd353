import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, pairName} from '../../src/cli/flags.js'
import {netShowText} from '../../src/cli/net-text.js'
import {prose} from '../../src/cli/prose.js'
import type {NetPath} from '../../src/operation/net.js'

export interface NetShowDocument {
  readonly pair: string
  readonly inLockStep: boolean
  readonly nics: readonly NetPath[]
}

export default class NetShow extends BaseCommand {
  static override summary = 'draw the way of a packet through both hosts'
  static override description =
    prose(`Per NIC with \`forward: {via: tc}\`: every hop of the kernel, in the order in which a frame meets it, with the frames it counted
since it was made: to the secondary (copied at the primary's tap, over the forward NIC, into the secondary's guest) and back to the
comparer.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --json',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts()}

  async run(): Promise<NetShowDocument> {
    const {args, flags} = await this.parse(NetShow)
    const context = await this.operation(flags)
    const {netShow} = await import('../../src/operation/net.js')
    const {paths, inLockStep} = await netShow(context, args.name)
    const document = {pair: args.name, inLockStep, nics: paths}
    this.log(netShowText(document))
    return document
  }
}

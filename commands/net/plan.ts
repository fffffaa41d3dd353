import {Flags} from '@oclif/core'
import {hosts, pairName} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'

const purposes = ['up', 'down'] as const

/** Plans have no time limit of their own; the limit belongs to running them. */
const noLimitMs = 60_000

export default class NetPlan extends OperationCommand {
  static override summary = 'print the rules that forward the packets of a pair'
  static override description =
    'The exact ip and tc commands per host, as on hosts where nothing of it is there yet. Nothing is touched.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --for down',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    for: Flags.option({options: purposes, default: 'up', summary: 'what to plan', helpValue: 'OPERATION'})(),
    hosts: hosts(),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(NetPlan)
    const context = await this.operation(flags)
    const {netDown, netUp} = await import('../../src/operation/net.js')
    const options = {dryRun: true, timeoutMs: noLimitMs, force: []}
    const operation = flags.for === 'up' ? netUp : netDown
    return this.report(await operation(context, args.name, options), flags)
  }
}

import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, hosts, pairName} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import type {TraceDocument} from '../../src/cli/trace.js'

export default class PairTrace extends BaseCommand {
  static override summary = "switch QEMU's own traces of a pair, for phases and dirty pages"
  static override description =
    prose(`Traces tell the phases of each checkpoint and its dirty pages; "<%= config.bin %> pair stats" and top show them. They cost a few
lines per checkpoint. With --packets the comparer's verdicts are counted, too: several lines per packet, for a short look only.

While it is on, QEMU's log file belongs to the agent, which reads and removes it every second.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 on',
    '<%= config.bin %> <%= command.id %> web1 off',
  ]
  static override args = {
    name: pairName({required: true}),
    state: argument({description: 'what to do', options: ['on', 'off'], required: true}),
  }
  static override flags = {hosts: hosts(), packets: Flags.boolean({summary: "count the comparer's verdicts as well"})}

  async run(): Promise<TraceDocument> {
    const {args, flags} = await this.parse(PairTrace)
    const context = await this.operation(flags)
    const {setTracing} = await import('../../src/cli/trace.js')
    const tracing = args.state === 'off' ? 'off' : flags.packets ? 'packets' : 'checkpoints'
    const document = await setTracing(context, args.name, tracing)
    if (!flags.quiet)
      for (const {host} of document.hosts)
        this.log(`${args.name} on ${host}: traces of ${tracing}`.replace('of off', 'off'))
    return document
  }
}

import {Flags} from '@oclif/core'
import {dryRun, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairResolve extends OperationCommand {
  static override summary = 'end a split-brain by giving up one copy'
  static override description =
    prose(`When both copies went on alone, both have told clients things the other does not know, and only a person can say which one counts. The
copy on the named host is marked stale and ended; the other one goes on untouched, or can be started by "<%= config.bin %> pair start". What is lost is
said first, and the name of the pair must be typed (--yes without a terminal).

Refused when the pair is not split-brain, when a record cannot be read, and when the copy that would be kept is of no use. Nothing is
copied: "<%= config.bin %> pair resync" then overwrites the discarded copy and protects the pair.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 --discard alpha',
    '<%= config.bin %> <%= command.id %> web1 --discard alpha --yes && <%= config.bin %> pair resync web1',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    discard: Flags.string({summary: 'host whose copy is given up', helpValue: 'HOST', required: true}),
    'dry-run': dryRun(),
    yes: yes(),
    timeout: timeout('2m'),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairResolve)
    const context = await this.operation(flags)
    const {resolvePair} = await import('../../src/operation/resolve.js')
    const result = await resolvePair(context, args.name, {
      discard: flags.discard,
      dryRun: flags['dry-run'],
      timeoutMs: flags.timeout,
    })
    return this.report(result, flags)
  }
}

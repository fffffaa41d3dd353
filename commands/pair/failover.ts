import {Flags} from '@oclif/core'
import {dryRun, force, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'

export default class PairFailover extends OperationCommand {
  static override summary = 'let one copy go on alone, as primary'
  static override description =
    prose(`When both copies live this is a planned failover: a checkpoint, then the old primary is fenced at its tap, then the secondary
is let go, and only when it runs it gets the new generation and is heard; clients keep their connections. Any failure before that lets the
old primary go on, in a new generation. Afterwards the old primary becomes the secondary (resync: auto in the spec; --no-resync leaves it).

When one side is dead, hung or cut off, the other one takes over, if its own record says that it has every write.

When the other host cannot be reached it may have gone on by itself. The command then shows this copy's last checkpoint and last contact
and needs the typed name of the pair, or --yes --force peer-unknown. Afterwards "<%= config.bin %> pair resync" protects the pair again.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --to beta --dry-run',
    '<%= config.bin %> <%= command.id %> web1 --no-resync',
    '<%= config.bin %> <%= command.id %> web1 --yes --force peer-unknown',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    to: Flags.string({summary: 'host that goes on; else the one that is left, or the secondary', helpValue: 'HOST'}),
    resync: Flags.boolean({
      summary: 'after a planned failover: bring the old primary level as the new secondary',
      allowNo: true,
      default: true,
    }),
    'dry-run': dryRun(),
    yes: yes(),
    force: force(),
    timeout: timeout('2m'),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairFailover)
    const context = await this.operation(flags)
    const {failoverPair} = await import('../../src/operation/failover.js')
    const result = await failoverPair(context, args.name, {
      to: flags.to,
      dryRun: flags['dry-run'],
      force: flags.force ?? [],
      timeoutMs: flags.timeout,
      resync: flags.resync,
    })
    return this.report(result, flags)
  }
}

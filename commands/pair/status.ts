import {Flags} from '@oclif/core'
import {dryRun, hosts, pairName, timeout} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {exitOfStatus} from '../../src/cli/exit-of-status.js'
import {prose} from '../../src/cli/prose.js'
import type {PairStatus} from '../../src/pair/status.js'

export type PairStatusDocument = PairStatus & {
  /** what `--repair` did */
  readonly repair?: OperationDocument
}

export default class PairStatusCommand extends OperationCommand {
  static override summary = 'say in one word whether a pair is protected, and why not'
  static override description =
    prose(`Asks both hosts. The first line is the state; then come the reasons, each with its remedy, and both members.
Protected means verified: both copies run, every NIC is compared, every disk is replicated over the connection that was made when
protection began, checkpoints keep their beat and both agents watch.

The exit status says the same: 0 protected, 11 protected but something needs attention, 10 not protected, 12 split-brain, 20 when
no host of the pair answers.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> web1 --repair',
    'if <%= config.bin %> <%= command.id %> web1 -q; then echo protected; fi',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    repair: Flags.boolean({summary: 'first mend what can be mended'}),
    'dry-run': dryRun({dependsOn: ['repair']}),
    timeout: timeout('30m', 'limit of the repair'),
  }

  async run(): Promise<PairStatusDocument> {
    const {args, flags} = await this.parse(PairStatusCommand)
    const context = await this.operation(flags)
    const {observePair} = await import('../../src/operation/observe.js')
    let {status} = await observePair(context, args.name)
    let repair: OperationDocument | undefined
    if (flags.repair && status.reasons.some(({repairable}) => repairable)) {
      const {repairPair} = await import('../../src/operation/repair.js')
      const result = await repairPair(context, args.name, {dryRun: flags['dry-run'], timeoutMs: flags.timeout})
      repair = await this.report(result, flags)
      if (!result.dryRun) ({status} = await observePair(context, args.name))
    }
    if (!flags.quiet && !this.jsonEnabled()) await this.#print(status)
    this.endWith(exitOfStatus(status))
    return repair === undefined ? status : {...status, repair}
  }

  async #print(status: PairStatus): Promise<void> {
    const [{statusText}, {painter}] = await Promise.all([
      import('../../src/cli/pair-text.js'),
      import('../../src/ui/colors.js'),
    ])
    this.log(statusText(status, painter({isTerminal: process.stdout.isTTY, env: process.env})))
  }
}

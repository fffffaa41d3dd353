import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {dryRun, force, hosts, pairName, specFile, timeout, yes} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {specFromFile} from '../../src/cli/spec-source.js'
import type {Scalar} from '../../src/config/spec-differences.js'
import type {ApplyResult} from '../../src/operation/apply.js'

export default class PairApply extends BaseCommand {
  static override summary = 'make a pair as its file says, whatever it is now'
  static override description =
    prose(`Creates the pair when there is none, changes what differs, and does nothing when nothing differs; run twice, the second time reports no change.

Changed while the guest runs: checkpoint.interval, checkpoint.compareTimeout, nics[].uncompared, vm.onPoweroff, vm.onReboot, vm.onCrash, resync, arbiter and hosts.spare.
Changed only while it is stopped: vm.memory, vm.vcpus, vm.cpu and vm.kernel. Everything else is part of what the pair is; the command then changes nothing and names
each field (exit 4).

hosts.primary and hosts.secondary are the first placement only: a difference is reported, and changed only with --move, by a planned failover. A pair that was
stopped, or is unprotected, stays so without --start: somebody may have stopped it on purpose.

With --dry-run --json the document says what would change: changed, before, after and the differences by field.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> -f web1.yaml',
    '<%= config.bin %> <%= command.id %> -f web1.yaml --dry-run --json',
    '<%= config.bin %> <%= command.id %> -f web1.yaml --move --yes',
  ]
  static override args = {name: pairName({description: 'name of the pair; must be the one in the file'})}
  static override flags = {
    file: specFile({required: true}),
    hosts: hosts(),
    move: Flags.boolean({summary: 'let the copies change places when the file says so: a planned failover'}),
    start: Flags.boolean({summary: 'start a pair that does not run, and protect it when it is not protected'}),
    'dry-run': dryRun({}),
    yes: yes(),
    force: force(),
    timeout: timeout('30m'),
  }

  async run(): Promise<ApplyResult> {
    const {args, flags} = await this.parse(PairApply)
    const spec = await specFromFile(flags.file, args.name)
    const context = await this.operation(flags)
    const {applyPair} = await import('../../src/operation/apply.js')
    const result = await applyPair(context, spec, {
      dryRun: flags['dry-run'] ?? false,
      move: flags.move ?? false,
      start: flags.start ?? false,
      yes: flags.yes ?? false,
      force: flags.force ?? [],
      timeoutMs: flags.timeout,
    })
    await this.endProgress()
    if (!flags.quiet) this.log(linesOf(result).join('\n'))
    return result
  }
}

function linesOf({pair, changed, dryRun: dry, did, differences, placement, state}: ApplyResult): string[] {
  const head = changed ? `${pair}: ${dry ? 'would ' : ''}${did.join(', ')}` : `${pair}: nothing to do`
  return [
    state === undefined ? head : `${head}; it is ${state}`,
    ...differences.map(({field, before, after}) => `  ${field}: ${text(before)} -> ${text(after)}`),
    ...(placement === undefined || did.includes('move')
      ? []
      : [
          `  its primary is on ${placement.before.primary} and its secondary on ${placement.before.secondary}; the file says ${placement.wanted.primary} and ${placement.wanted.secondary} (${wayTo(pair, placement)})`,
        ]),
  ]
}

/** Roles are changed by `apply` itself, hosts are not. */
function wayTo(pair: string, {before, wanted}: NonNullable<ApplyResult['placement']>): string {
  const others = [wanted.primary, wanted.secondary].filter(
    (host) => host !== before.primary && host !== before.secondary,
  )
  return others.length === 0 ? '--move' : `colo pair replace ${pair} --secondary ${others.join(' or ')}`
}

function text(value: Scalar | undefined): string {
  return value === undefined ? 'nothing' : String(value)
}

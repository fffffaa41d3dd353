import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import {lifecycleOf} from '../pair/lifecycle.js'
import type {PairLayout} from '../pair/layout.js'
import type {PairSpec} from '../pair/spec.js'
import type {Action} from './action.js'
import {step} from './parts/steps.js'
import type {Plan, Step} from './plan.js'

export interface ApplyInput {
  readonly planId: string
  /** with the spec as it is */
  readonly identity: PairIdentity
  /** the spec as it will be: of the same disks and NICs */
  readonly after: PairSpec
  readonly primary: string
  readonly secondary: string
  /** hosts on which a copy runs */
  readonly running: readonly string[]
  /** both copies run in lock-step */
  readonly inLockStep: boolean
}

/** Limit of the checkpoint that a new interval begins with, in milliseconds. */
const checkpointMs = 60_000

/**
 * Changes what can be changed while the guest runs: first what runs, then the records, so that a plan that was cut off shows as a difference and is
 * applied again. All of it can be taken back.
 */
export function planApply(input: ApplyInput): Plan {
  const {identity, after, primary, secondary} = input
  const before = identity.spec
  const {name} = before
  const steps = [primary, secondary].flatMap((host): Step[] => {
    const change = (from: PairSpec, to: PairSpec): Action[] => liveChanges(input, {host, from, to})
    const actions = change(before, after)
    if (actions.length === 0) return []
    return [step(host, 'change', 'change what runs', actions, {undo: change(after, before)})]
  })
  return {
    id: input.planId,
    kind: 'apply',
    pair: name,
    title: `apply the spec of ${name}`,
    finish: `colo pair apply -f FILE`,
    steps: [
      ...steps,
      ...[secondary, primary].map((host) =>
        step(host, 'note', 'note the new spec', [{kind: 'record-change', change: {spec: after}}], {
          undo: [{kind: 'record-change', change: {spec: before}}],
        }),
      ),
    ],
  }
}

function liveChanges(
  {identity, primary, running, inLockStep}: ApplyInput,
  {host, from, to}: {readonly host: string; readonly from: PairSpec; readonly to: PairSpec},
): Action[] {
  if (!running.includes(host)) return []
  const layout = layoutOfPair(identity)
  const filters = layout.nics.flatMap((nic, index): Action[] => {
    const wanted = to.nics[index]?.uncompared
    if (wanted === from.nics[index]?.uncompared) return []
    return wanted === 'drop'
      ? [{kind: 'tap-filter', ensure: 'present', tap: nic.tap, table: nic.tapTable}]
      : [{kind: 'tap-filter', ensure: 'absent', table: nic.tapTable}]
  })
  return host === primary ? [...filters, ...ofPrimary({layout, inLockStep, from, to})] : filters
}

function ofPrimary({
  layout,
  inLockStep,
  from,
  to,
}: {
  readonly layout: PairLayout
  readonly inLockStep: boolean
  readonly from: PairSpec
  readonly to: PairSpec
}): Action[] {
  const [was, wanted] = [lifecycleOf(from.vm, 'primary'), lifecycleOf(to.vm, 'primary')]
  const isOther = was.poweroff !== wanted.poweroff || was.reboot !== wanted.reboot
  const lifecycle: Action[] = isOther ? [{kind: 'lifecycle', domain: layout.domain, ...wanted}] : []
  if (!inLockStep) return lifecycle
  const {compareTimeoutMs, intervalMs} = to.checkpoint
  const comparers: Action[] =
    from.checkpoint.compareTimeoutMs === compareTimeoutMs
      ? []
      : layout.nics.map(({objects}) => ({
          kind: 'object-set',
          id: objects.compare,
          property: 'compare_timeout',
          value: compareTimeoutMs,
        }))
  const interval: Action[] =
    from.checkpoint.intervalMs === intervalMs ? [] : [{kind: 'checkpoint', intervalMs, timeoutMs: checkpointMs}]
  return [...lifecycle, ...comparers, ...interval]
}

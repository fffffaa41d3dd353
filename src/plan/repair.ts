import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {Reason} from '../pair/status.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import type {Plan, Step} from './plan.js'

export interface RepairInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly primary: string
  readonly secondary: string
  /** what the verification found */
  readonly reasons: readonly Reason[]
}

/** Reasons that are mended in place, while the pair goes on; every other repairable one needs a resync. */
export const mendedInPlace = [
  'mirror-dropped',
  'filter-off',
  'tap-filter-missing',
  'secondary-tap-up',
  'secondary-tap-down',
  'forward-rules',
  'tap-down',
] as const

/** Limit of the checkpoint that ends a repair, in milliseconds. */
const checkpointMs = 60_000

/** Small faults mended in place: a filter made anew or switched on, a rule put back, a tap set right. */
export function planRepair(input: RepairInput): Plan {
  const {identity} = input
  return {
    id: input.planId,
    kind: 'repair',
    pair: identity.spec.name,
    title: `repair ${identity.spec.name}`,
    finish: `colo pair status ${identity.spec.name} --repair`,
    steps: repairSteps(input),
  }
}

function repairSteps({identity, primary, secondary, reasons}: RepairInput): Step[] {
  const layout = layoutOfPair(identity)
  const has = (code: (typeof mendedInPlace)[number], host: string): boolean =>
    reasons.some((each) => each.code === code && each.host === host)
  const steps: Step[] = []
  if (has('mirror-dropped', secondary)) {
    const actions = layout.nics.filter((nic) => !network.isForwarded(nic)).flatMap(network.renewedInjection)
    steps.push(step(secondary, 'inject', 'inject mirrored packets again', actions))
  }
  for (const [host, role] of [
    [primary, 'primary'],
    [secondary, 'secondary'],
  ] as const) {
    if (!has('filter-off', host)) continue
    const actions = network
      .filtersOf(layout, role)
      .map((id) => ({kind: 'object-set', id, property: 'status', value: 'on'}) as const)
    steps.push(step(host, 'filters-on', 'switch the filters on', actions))
  }
  for (const host of [primary, secondary]) {
    if (has('tap-filter-missing', host)) {
      steps.push(step(host, 'tap-filter', 'drop uncompared frames again', network.tapFilters(layout)))
    }
  }
  if (has('secondary-tap-up', secondary)) {
    steps.push(step(secondary, 'tap', 'take the tap of the secondary down', network.closedTaps(layout)))
  }
  for (const [host, role] of [
    [secondary, 'secondary'],
    [primary, 'primary'],
  ] as const) {
    if (!has('forward-rules', host) && !has('secondary-tap-down', host)) continue
    const actions = network.forwarding(layout, host, {role, mirror: role === 'primary'})
    steps.push(step(host, 'forwarding', 'forward frames again', actions))
  }
  if (has('tap-down', primary)) {
    steps.push(step(primary, 'tap', 'bring the tap of the primary up', network.taps(layout, 'up')))
  }
  if (steps.length === 0) return steps
  const {intervalMs} = identity.spec.checkpoint
  const level = [{kind: 'checkpoint', intervalMs, timeoutMs: checkpointMs} as const]
  return [...steps, step(primary, 'checkpoint', 'bring the secondary level', level)]
}

import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import {lifecycleOf} from '../pair/lifecycle.js'
import type {PairLayout} from '../pair/layout.js'
import type {Action} from './action.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Plan, Step} from './plan.js'

export interface StopInput {
  readonly planId: string
  readonly identity: PairIdentity
  /** where the guest runs, or ended cleanly a moment ago */
  readonly primary: string
  /** in lock-step with it, or left over after the primary was stopped */
  readonly secondary: string | undefined
  /** the primary has ended already: only the secondary is left to be ended */
  readonly primaryStopped: boolean
  /** the guest is not asked: its power is cut after a flush */
  readonly powerCut: boolean
  /** how long the guest may take, milliseconds */
  readonly guestMs: number
}

/** The secondary hears at once; this is for a link that is slow. */
const followMs = 30_000

/**
 * Clean stop: the guest powers off on both copies, the primary's disks are flushed without an error, then both records say `clean`. Until
 * the guest is off nothing has changed, and a guest that does not listen goes on protected.
 */
export function planStop(input: StopInput): Plan {
  const {identity, primary, secondary} = input
  const {name} = identity.spec
  return {
    id: input.planId,
    kind: 'stop',
    pair: name,
    title: `stop ${name}`,
    finish: `colo pair stop ${name}`,
    ...(input.primaryStopped ? {} : {pointOfNoReturn: `${primary}/off`}),
    steps: [
      ...(input.primaryStopped ? [] : guestOff(input)),
      ...(secondary === undefined ? [] : secondaryFollows(identity, secondary)),
      ...primaryTidied(identity, primary),
    ],
  }
}

/** The button is pressed on both copies, so that they go on alike; a copy that is off first is set right by the next checkpoint. */
function guestOff({identity, primary, secondary, powerCut, guestMs}: StopInput): Step[] {
  const {domain} = layoutOfPair(identity)
  const off: Action = {kind: 'power-off', how: powerCut ? 'cut' : 'button', timeoutMs: guestMs}
  if (powerCut) return [step(primary, 'off', "cut the guest's power", [off])]
  const own = lifecycleOf(identity.spec.vm, 'primary')
  return [
    step(
      primary,
      'stay-off',
      'let the guest stay off',
      [{kind: 'lifecycle', domain, ...own, poweroff: 'destroy'}],
      own.poweroff === 'restart' ? {undo: [{kind: 'lifecycle', domain, ...own}]} : {},
    ),
    ...(secondary === undefined
      ? []
      : [step(secondary, 'button', 'press the power button', [{kind: 'power-button'}], {optional: true})]),
    step(primary, 'off', 'let the guest power off', [off]),
  ]
}

/** The secondary ends when the primary's agent has said that it did; its record follows. An agent alone runs this, too. */
export function secondaryFollows(identity: PairIdentity, secondary: string): Step[] {
  const layout = layoutOfPair(identity)
  return [
    step(secondary, 'follow', 'end with the primary', [
      {kind: 'stop-follow', domain: layout.domain, images: storage.imagesOf(layout, secondary), timeoutMs: followMs},
    ]),
    step(
      secondary,
      'tidy',
      'remove overlays and rules',
      [...storage.noOverlays(identity, layout, secondary), ...noRules(layout)],
      {
        optional: true,
      },
    ),
  ]
}

/** What a stopped primary leaves on its host. */
export function primaryTidied(identity: PairIdentity, primary: string): Step[] {
  return [step(primary, 'tidy', 'remove rules', noRules(layoutOfPair(identity)), {optional: true})]
}

function noRules(layout: PairLayout): Action[] {
  return [...network.noTapFilters(layout), {kind: 'firewall', ensure: 'absent', table: layout.firewallTable}]
}

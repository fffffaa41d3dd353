import {layoutOfPair, type PairIdentity} from '../../pair/identity.js'
import {recordFormat, type Generation} from '../../pair/record.js'
import type {Action} from '../action.js'
import {step} from '../parts/steps.js'
import type {Plan, Step} from '../plan.js'
import {endCopy, goOnAlone, promotableStep, protect, recordProtected, takeOver, type XenSidesInput} from './parts.js'

const nameMs = 30_000

export interface XenFailoverInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly to: string
  readonly from: string
  /** what `to` is now */
  readonly role: 'primary' | 'secondary'
  readonly generation: Generation
  readonly loserReachable: boolean
}

/**
 * One side goes on as the only one, in a new generation. A loser that can be reached is paused first; then the fsynced `alone` record (the
 * point of no return), then the grant. What the loser had is destroyed only after the survivor runs.
 */
export function planXenFailover(input: XenFailoverInput): Plan {
  const {identity, to, from, loserReachable} = input
  const {name} = identity.spec
  return {
    id: input.planId,
    kind: 'failover',
    pair: name,
    title: `fail over ${name} to ${to}`,
    finish: `colo pair failover ${name} --to ${to}`,
    pointOfNoReturn: `${to}/alone`,
    steps: [
      ...(loserReachable && input.role === 'secondary' ? [silence(from)] : []),
      alone(input),
      input.role === 'secondary' ? takeOver(identity, to) : goOnAlone(to),
      ...(loserReachable ? endLoser(identity, from) : []),
      step(to, 'name', 'be called by its name', [{kind: 'xen-name', timeoutMs: nameMs}]),
    ],
  }
}

/** The guest of the loser stands still; one that has ended is silent as it is. */
function silence(loser: string): Step {
  return step(loser, 'fence', 'let the loser say nothing more', [{kind: 'xen-fence', ensure: 'present'}], {
    undo: [{kind: 'xen-fence', ensure: 'absent'}],
  })
}

function alone({to, generation}: XenFailoverInput): Step {
  return step(to, 'alone', 'note that this side goes on alone', [
    {kind: 'record-change', change: {role: 'primary', generation, alone: true, wasProtected: false, marks: {}}},
  ])
}

function endLoser(identity: PairIdentity, loser: string): Step[] {
  const stale: Action = {
    kind: 'record-change',
    change: {role: 'secondary', alone: false, marks: {stale: 'the other side went on alone'}},
  }
  const {firewallTable} = layoutOfPair(identity)
  return [
    step(loser, 'stale', 'note that this copy is stale', [stale]),
    step(loser, 'end', 'end the loser', [...endCopy(), {kind: 'firewall', ensure: 'absent', table: firewallTable}]),
  ]
}

export interface XenResyncInput extends XenSidesInput {
  readonly planId: string
  /** a stream of an earlier protection is still there: it is ended first */
  readonly detachFirst: boolean
  readonly secondaryKnown: boolean
  readonly nowMs: number
}

/** Protects a guest that runs alone: the other host's copy is nothing until its first checkpoint is whole. */
export function planXenResync(input: XenResyncInput): Plan {
  const {identity, primary, secondary, generation, detachFirst, secondaryKnown} = input
  const {name} = identity.spec
  const incomplete = {why: 'resync' as const, detail: 'no checkpoint has arrived yet'}
  const fresh = {role: 'secondary' as const, peer: primary, generation, alone: false, wasProtected: false, clean: false}
  return {
    id: input.planId,
    kind: 'resync',
    pair: name,
    title: `protect ${name} again: ${primary} by ${secondary}`,
    finish: `colo pair resync ${name}`,
    pointOfNoReturn: promotableStep(secondary),
    steps: [
      ...(detachFirst
        ? [
            step(primary, 'alone', 'note that this side goes on alone', [
              {kind: 'record-change', change: {generation, alone: true, wasProtected: false, marks: {}}},
            ]),
            goOnAlone(primary),
          ]
        : []),
      step(secondary, 'record', 'note that this copy is nothing yet', [
        secondaryKnown
          ? {kind: 'record-change', change: {...fresh, marks: {incomplete}}}
          : {
              kind: 'record-create',
              record: {
                format: recordFormat,
                ...identity,
                ...fresh,
                host: secondary,
                marks: {incomplete},
                images: [],
                updatedAtMs: input.nowMs,
              },
            },
      ]),
      step(secondary, 'end', 'end what is left of an older copy', endCopy()),
      ...protect(input),
      ...recordProtected(input),
    ],
  }
}

export interface XenDestroyInput {
  readonly planId: string
  readonly identity: PairIdentity
  /** the authoritative side: it goes last */
  readonly keep: string
  readonly hosts: readonly string[]
}

/** Ends a pair: the secondary first, which must not take over; then the guest. The record of each side goes last. */
export function planXenDestroy({planId, identity, keep, hosts}: XenDestroyInput): Plan {
  const {name} = identity.spec
  const layout = layoutOfPair(identity)
  const order = [...hosts].sort((a, b) => Number(a === keep) - Number(b === keep))
  const stale: Action = {
    kind: 'record-change',
    change: {alone: false, marks: {stale: 'the pair is being destroyed; the other side is kept'}},
  }
  return {
    id: planId,
    kind: 'destroy',
    pair: name,
    title: `destroy ${name}`,
    finish: `colo pair destroy ${name}`,
    ...(order[0] === undefined ? {} : {pointOfNoReturn: `${order[0]}/end`}),
    steps: [
      ...order.map((host) => step(host, 'end', 'end this copy', [...(host === keep ? [] : [stale]), ...endCopy()])),
      ...order.map((host) =>
        step(host, 'clean-up', 'remove rules and the record', [
          {kind: 'firewall', ensure: 'absent', table: layout.firewallTable},
          {kind: 'directory-remove', path: `${layout.runDir}/xen`},
          {kind: 'directory-remove', path: layout.runDir},
          {kind: 'record-remove'},
        ]),
      ),
    ],
  }
}

export interface XenStopInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly primary: string
  /** in the stream, and reachable */
  readonly secondary: string | undefined
  readonly generation: Generation
  readonly guestMs: number
  /** the guest is ended without being asked */
  readonly powerCut: boolean
}

/** Xen has no command that ends a protection: the other copy is destroyed, the guest goes on alone, and then powers off. */
export function planXenStop(input: XenStopInput): Plan {
  const {planId, identity, primary, secondary, generation, guestMs, powerCut} = input
  const {name} = identity.spec
  const ending: XenFailoverInput = {
    planId,
    identity,
    to: primary,
    from: secondary ?? '',
    role: 'primary',
    generation,
    loserReachable: secondary !== undefined,
  }
  return {
    id: planId,
    kind: 'stop',
    pair: name,
    title: `stop ${name}`,
    finish: `colo pair stop ${name}`,
    pointOfNoReturn: `${primary}/alone`,
    steps: [
      alone(ending),
      goOnAlone(primary),
      ...(secondary === undefined ? [] : endLoser(identity, secondary)),
      powerCut
        ? step(primary, 'off', 'cut the power', [{kind: 'xen-domain', ensure: 'absent'}])
        : step(primary, 'off', 'let the guest power off', [{kind: 'xen-shutdown', timeoutMs: guestMs}]),
      step(primary, 'clean', 'note the clean stop', [{kind: 'record-change', change: {clean: true}}]),
    ],
  }
}

export interface XenStartInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly host: string
  readonly generation: Generation
  readonly config: string
}

/** The copy that the start rules allow boots, alone in a new generation. */
export function planXenStart({planId, identity, host, generation, config}: XenStartInput): Plan {
  const {name} = identity.spec
  return {
    id: planId,
    kind: 'start',
    pair: name,
    title: `start ${name} on ${host}`,
    finish: `colo pair start ${name}`,
    pointOfNoReturn: `${host}/alone`,
    steps: [
      step(host, 'alone', 'note that this side goes on alone', [
        {
          kind: 'record-change',
          change: {role: 'primary', generation, alone: true, wasProtected: false, clean: false, marks: {}},
        },
      ]),
      step(host, 'domain', 'start the guest', [
        {kind: 'xen-domain', ensure: 'created', config},
        {kind: 'xen-run', state: 'running'},
      ]),
    ],
  }
}

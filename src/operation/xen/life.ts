import {RefusedError, StateError, UsageError} from '../../errors.js'
import {assess, authorityOf, knownOf, type Known} from '../../pair/assess.js'
import {cleanStopOf} from '../../pair/clean-stop.js'
import {kinship, nextGeneration} from '../../pair/generation.js'
import {mayTakeOver} from '../../pair/health/xen.js'
import {identityOf, type PairIdentity} from '../../pair/identity.js'
import type {Generation} from '../../pair/record.js'
import type {PairSpec} from '../../pair/spec.js'
import type {Plan} from '../../plan/plan.js'
import {planXenCreate} from '../../plan/xen/create.js'
import {planXenDestroy, planXenFailover, planXenResync, planXenStart, planXenStop} from '../../plan/xen/life.js'
import type {OperationContext} from '../context.js'
import {seenOf, type FoundPair} from '../sides.js'
import {xenConfigOf} from './config.js'

/** Whether the pair that was found is run by Xen, as the records of those that answered say. */
export function isXenPair(found: FoundPair): boolean {
  return knownOf(found.sides.map(seenOf)).some(({record}) => record.spec.engine === 'xen')
}

export async function xenCreatePlan(
  context: OperationContext,
  spec: PairSpec,
  {identity, generation}: {identity: PairIdentity; generation: Generation},
): Promise<Plan> {
  const {primary, secondary} = spec.hosts
  return planXenCreate({
    planId: context.newId(),
    identity,
    generation,
    config: await xenConfigOf(identity, {primary, secondary}),
    buffering: holdsOutput(spec),
    nowMs: context.clock.now(),
  })
}

/** A guest with NICs is refused where its output could not be held. */
function holdsOutput({nics}: PairSpec): boolean {
  return nics.length > 0
}

/** Which side of a Xen pair goes on, and what is known of the other one. */
export interface XenTarget {
  readonly engine: 'xen'
  readonly survivor: Known
  readonly loser: string
  readonly loserSeen: Known | undefined
}

/**
 * Without `to`: the side that goes on alone already, else the secondary while it waits for a grant, else the primary.
 *
 * @throws {RefusedError} when the copy must not go on (S4), {StateError} when it has nothing to go on with
 */
export function xenTarget(context: OperationContext, found: FoundPair, to: string | undefined): XenTarget {
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const known = knownOf(seen)
  const {primary, splitBrain} = authorityOf(seen)
  const {state} = assess(pair, seen, context.clock.now())
  if (splitBrain) throw new RefusedError(`cannot fail over ${pair}: both copies went on alone (split-brain)`)
  if (to !== undefined && !found.sides.some(({host}) => host === to)) {
    const names = found.sides.map(({host}) => host).join(' and ')
    throw new UsageError(`${to} is no host of ${pair}; its hosts are ${names}`)
  }
  const waiting = known.find((member) => member.record.role === 'secondary' && mayTakeOver(member))
  const natural = primary?.record.alone === true ? primary : (waiting ?? primary)
  const survivor = to === undefined ? natural : known.find(({host}) => host === to)
  if (survivor === undefined) {
    const silent = found.sides.find((side) => 'problem' in side && side.host === (to ?? side.host))
    if (silent !== undefined && 'problem' in silent) throw silent.problem
    throw new StateError(`no host has a copy of ${pair} that could go on`, {actual: state, required: []})
  }
  const loser = survivor.record.peer
  const loserSeen = known.find(({host}) => host === loser)
  mayGoOn(pair, survivor, loserSeen)
  return {engine: 'xen', survivor, loser, loserSeen}
}

function mayGoOn(pair: string, survivor: Known, rival: Known | undefined): void {
  const {host, record, xen} = survivor
  const cannot = `cannot fail over ${pair} to ${host}`
  if (rival !== undefined) {
    const kin = kinship(record.generation, rival.record.generation)
    if (kin === 'older' || (kin === 'equal' && rival.record.alone && !record.alone)) {
      throw new RefusedError(`${cannot}: ${rival.host} went on alone in generation ${rival.record.generation.epoch}`)
    }
  }
  const {stale, incomplete, notPromotable} = record.marks
  const forbids = stale ?? incomplete?.detail ?? (record.role === 'secondary' ? notPromotable : undefined)
  if (forbids !== undefined) throw new RefusedError(`${cannot}: its copy must not go on: ${forbids}`)
  if (xen?.domain === undefined) {
    throw new StateError(
      `${cannot}: its domain does not run`,
      {actual: 'absent', required: ['running']},
      {
        hint: `colo pair status ${pair}`,
      },
    )
  }
  if (record.role === 'secondary' && !mayTakeOver(survivor)) {
    throw new RefusedError(
      `${cannot}: its receiver does not wait for a grant: ${xen.receiver?.reason ?? 'there is none'}`,
    )
  }
  const isDone =
    record.alone && xen.domain.name === pair && xen.domain.state === 'running' && xen.sender?.phase !== 'held'
  if (isDone && survivor.intent?.kind !== 'failover' && rival?.intent?.kind !== 'failover') {
    throw new StateError(`${pair} goes on alone on ${host} already`, {actual: 'unprotected', required: ['protected']})
  }
}

export function xenFailoverPlan(context: OperationContext, {survivor, loser, loserSeen}: XenTarget): Plan {
  const {record, host, xen} = survivor
  // cut off after the grant was written: the same generation is finished
  const begun = record.alone
  const receiving = xen?.receiver?.phase === 'streaming' || xen?.receiver?.phase === 'held'
  return planXenFailover({
    planId: context.newId(),
    identity: identityOf(record),
    to: host,
    from: loser,
    role: receiving || xen?.domain?.name !== record.spec.name ? 'secondary' : 'primary',
    generation: begun ? record.generation : nextGeneration(record.generation, context.newId()),
    loserReachable: loserSeen !== undefined,
  })
}

/**
 * @throws {StateError} when no copy runs as primary
 * @throws {RefusedError} for COLO after a takeover: the domain has the addresses of the sides as they were
 */
export function xenResyncPlan(context: OperationContext, found: FoundPair): Plan {
  const {pair} = found
  const {primary, other, splitBrain} = authorityOf(found.sides.map(seenOf))
  if (splitBrain)
    throw new RefusedError(`cannot resync ${pair}: both copies went on alone; one must be discarded by name`)
  if (primary?.xen?.domain === undefined) {
    throw new StateError(
      `cannot resync ${pair}: no copy runs as primary`,
      {actual: 'failed', required: ['unprotected']},
      {
        hint: `colo pair status ${pair}`,
      },
    )
  }
  const {record, host} = primary
  if (record.spec.mode === 'colo' && host !== record.spec.hosts.primary) {
    throw new RefusedError(
      `cannot protect ${pair} again: its domain was made for ${record.spec.hosts.primary} as primary`,
      {
        hint: `stop it and create the pair anew with ${host} as primary`,
      },
    )
  }
  const peer = found.sides.find((side) => side.host === record.peer)
  if (peer !== undefined && 'problem' in peer) throw peer.problem
  const detachFirst = !record.alone || primary.xen.sender !== undefined
  return planXenResync({
    planId: context.newId(),
    identity: identityOf(record),
    primary: host,
    secondary: record.peer,
    generation: detachFirst ? nextGeneration(record.generation, context.newId()) : record.generation,
    buffering: holdsOutput(record.spec),
    detachFirst,
    secondaryKnown: other !== undefined,
    nowMs: context.clock.now(),
  })
}

export function xenDestroyPlan(context: OperationContext, found: FoundPair, keep: Known): Plan {
  return planXenDestroy({
    planId: context.newId(),
    identity: identityOf(keep.record),
    keep: keep.host,
    hosts: knownOf(found.sides.map(seenOf)).map(({host}) => host),
  })
}

/** Without steps when it is stopped already. @throws {StateError} while something else is under way, or it is not well */
export function xenStopPlan(
  context: OperationContext,
  found: FoundPair,
  how: {readonly guestMs: number; readonly powerCut: boolean},
): Plan {
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const {primary, other} = authorityOf(seen)
  const {state} = assess(pair, seen, context.clock.now())
  if (primary === undefined || !['protected', 'unprotected', 'stopped'].includes(state)) {
    throw new StateError(
      `cannot stop ${pair} now: it is ${state}`,
      {actual: state, required: ['protected', 'unprotected']},
      {
        hint: `colo pair status ${pair}`,
      },
    )
  }
  const {record, host} = primary
  const plan = planXenStop({
    planId: context.newId(),
    identity: identityOf(record),
    primary: host,
    secondary: record.alone ? undefined : other?.host,
    generation: record.alone ? record.generation : nextGeneration(record.generation, context.newId()),
    ...how,
  })
  return state === 'stopped' ? {...plan, steps: []} : plan
}

export async function xenStartPlan(context: OperationContext, member: Known): Promise<Plan> {
  const {record, host} = member
  const identity = identityOf(record)
  if (record.spec.mode === 'colo' && host !== record.spec.hosts.primary) {
    throw new RefusedError(`${record.spec.name} was made for ${record.spec.hosts.primary} as primary`, {
      hint: `create the pair anew with ${host} as primary`,
    })
  }
  return planXenStart({
    planId: context.newId(),
    identity,
    host,
    generation:
      cleanStopOf(record) === undefined && record.alone
        ? record.generation
        : nextGeneration(record.generation, context.newId()),
    config: await xenConfigOf(identity, {primary: host, secondary: record.peer}),
  })
}

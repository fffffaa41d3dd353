import {kinship} from '../generation.js'
import type {MemberObservation, XenStreamEnd} from '../observation.js'
import {currencyOf, type PairRecord} from '../record.js'
import type {PairState, Reason} from '../status.js'
import {reason} from './reasons.js'

type Known = MemberObservation & {readonly record: PairRecord}

export interface XenSeen {
  readonly pair: string
  readonly primary: Known | undefined
  readonly other: Known | undefined
  /** hosts that do not answer */
  readonly silent: readonly Reason[]
}

interface Verdict {
  readonly state: PairState
  readonly reasons: readonly Reason[]
  readonly qualifier?: string
}

/** Beats of Remus that may be missing before its protection is in doubt, and the least time for that in milliseconds. */
const beats = 10
const leastMs = 15_000
/** COLO on Xen checkpoints at least every 5 s. */
const coloBeatMs = 5000

/** The state of a Xen pair: what both domains do, and whether the stream between them flows. Pure. */
export function xenVerdict(seen: XenSeen): Verdict {
  const {primary, other} = seen
  if (primary === undefined) return withoutPrimary(seen, other)
  if (primary.xen?.problem !== undefined) return noToolstack(primary)
  if (!isThere(primary)) return primaryDown(seen, primary)
  return primary.record.alone ? goesOnAlone(seen, primary) : inStream(seen, primary)
}

function withoutPrimary({pair, silent}: XenSeen, other: Known | undefined): Verdict {
  if (other !== undefined && mayTakeOver(other)) {
    const remedy = `colo pair failover ${pair} --to ${other.host}`
    return {state: 'suspect', reasons: silent.map((each) => ({...each, remedy}))}
  }
  return {state: 'failed', reasons: [...silent, ...(other === undefined ? [] : [notPromotable(pair, other)])]}
}

function noToolstack({host, xen}: Known): Verdict {
  const message = `xl on ${host} does not answer: ${xen?.problem ?? ''}`
  return {state: 'suspect', reasons: [reason('no-toolstack', message, {host, remedy: 'see `xl info` there'})]}
}

function primaryDown({pair, other, silent}: XenSeen, {host, record}: Known): Verdict {
  if (!record.alone && other !== undefined && mayTakeOver(other)) {
    const remedy = `colo pair failover ${pair} --to ${other.host}`
    const gone = reason('primary-gone', `the primary on ${host} does not run; ${other.host} waits for the grant`, {
      host,
      remedy,
    })
    return {state: 'suspect', reasons: [gone, ...silent]}
  }
  if (record.clean) return {state: 'stopped', reasons: silent}
  const message = `the copy on ${host} ended without a clean stop`
  return {
    state: 'failed',
    reasons: [reason('not-running', message, {host, remedy: `colo pair start ${pair}`}), ...silent],
  }
}

function goesOnAlone({pair, other, silent}: XenSeen, primary: Known): Verdict {
  const {host, record, xen} = primary
  const here = `colo pair failover ${pair} --to ${host}`
  const receiver = xen?.receiver?.phase
  if (xen?.domain?.name !== pair || receiver === 'streaming' || receiver === 'held') {
    const message = `${host} holds the new generation but has not taken over`
    return {state: 'failing-over', reasons: [reason('not-promoted', message, {host, remedy: here}), ...silent]}
  }
  if (xen.domain.state !== 'running' || xen.sender?.phase === 'held') {
    const message = `the guest on ${host} goes on alone, but its domain is ${xen.domain.state}`
    return {state: 'suspect', reasons: [reason('not-released', message, {host, remedy: here}), ...silent]}
  }
  const why =
    other === undefined
      ? `no second copy: ${record.peer} does not answer`
      : `no second copy: the one on ${other.host} is ${currencyOf(other.record)}`
  const remedy = `colo pair resync ${pair}`
  const missing = reason('no-secondary', why, {
    host: other?.host ?? record.peer,
    remedy,
    repairable: other !== undefined,
  })
  return {state: 'unprotected', reasons: [missing, ...silent]}
}

function inStream({pair, other, silent}: XenSeen, primary: Known): Verdict {
  const stay = `colo pair failover ${pair} --to ${primary.host}`
  if (other === undefined) return {state: 'suspect', reasons: silent.map((each) => ({...each, remedy: stay}))}
  if (kinship(other.record.generation, primary.record.generation) !== 'equal') {
    const message = `the copy on ${other.host} is of generation ${other.record.generation.epoch}, not ${primary.record.generation.epoch}`
    const options = {host: other.host, remedy: `colo pair resync ${pair}`, repairable: true}
    return {state: 'unprotected', reasons: [reason('other-generation', message, options)]}
  }
  if (currencyOf(other.record) !== 'promotable') return {state: 'unprotected', reasons: [notPromotable(pair, other)]}
  if (other.xen?.problem !== undefined) return noToolstack(other)
  const [sender, receiver] = [primary.xen?.sender, other.xen?.receiver]
  if (sender?.phase === 'streaming' && receiver?.phase === 'streaming') return beating(pair, primary, other)
  return {state: 'suspect', reasons: brokenStream({pair, primary, other, sender, receiver})}
}

/** Both sides hold, whoever broke it; the operator says which of the two goes on. */
function brokenStream(at: {
  readonly pair: string
  readonly primary: Known
  readonly other: Known
  readonly sender: XenStreamEnd | undefined
  readonly receiver: XenStreamEnd | undefined
}): Reason[] {
  const {pair, primary, other, sender, receiver} = at
  const why = sender?.reason ?? receiver?.reason ?? 'xl has ended'
  const waits = mayTakeOver(other)
  const stands = sender?.phase === 'held' ? `; the guest on ${primary.host} stands still` : ''
  const remedy = `colo pair failover ${pair} --to ${primary.host}`
  const reasons = [
    reason('stream-broken', `the stream from ${primary.host} to ${other.host} ended: ${why}${stands}`, {
      host: primary.host,
      remedy,
    }),
  ]
  if (!waits) {
    reasons.push(
      reason('secondary-gone', `the copy on ${other.host} cannot take over any more`, {host: other.host, remedy}),
    )
  }
  return reasons
}

function beating(pair: string, primary: Known, other: Known): Verdict {
  const {mode, checkpoint, nics} = primary.record.spec
  const limitMs = Math.max(leastMs, beats * (mode === 'colo' ? coloBeatMs : checkpoint.intervalMs))
  const {lastAtMs} = other.checkpoints
  const sinceMs = lastAtMs === undefined ? undefined : other.atMs - lastAtMs
  if (sinceMs === undefined || sinceMs > limitMs) {
    const ago =
      sinceMs === undefined ? 'no checkpoint yet' : `the last checkpoint was ${(sinceMs / 1000).toFixed(0)} s ago`
    const remedy = `colo pair failover ${pair} --to ${primary.host}`
    return {state: 'suspect', reasons: [reason('no-beat', `${ago}, seen by ${other.host}`, {host: other.host, remedy})]}
  }
  const passing = mode === 'colo' ? nics.map(({name}) => name) : []
  return {
    state: 'protected',
    reasons: [],
    ...(passing.length === 0 ? {} : {qualifier: `IPv4 only on ${passing.join(', ')}`}),
  }
}

/** Its receiver waits, and has at least one whole checkpoint. */
export function mayTakeOver({record, xen}: Known): boolean {
  const phase = xen?.receiver?.phase
  const waits = (phase === 'streaming' || phase === 'held') && xen?.domain !== undefined
  return waits && currencyOf(record) === 'promotable'
}

function isThere({xen}: Known): boolean {
  return xen?.domain !== undefined
}

function notPromotable(pair: string, {host, record}: Known): Reason {
  const {stale, incomplete, notPromotable: missed} = record.marks
  const detail = stale ?? incomplete?.detail ?? missed ?? 'its receiver does not wait any more'
  const options = {host, remedy: `colo pair resync ${pair}`, repairable: true}
  return reason('not-promotable', `the copy on ${host} must not take over: ${detail}`, options)
}

import {areEqualCopies} from './clean-stop.js'
import {kinship, standing} from './generation.js'
import {crashReasons} from './health/crash.js'
import {downReasons, returnReasons} from './health/down.js'
import {fullFaults} from './health/full.js'
import {modeFaults, worstOf} from './health/lock-step.js'
import {meddlingReasons} from './health/meddling.js'
import {protectionFaults} from './health/protection.js'
import {reason, strangerReason} from './health/reasons.js'
import {xenVerdict} from './health/xen.js'
import {memberStatus} from './member-status.js'
import type {MemberObservation} from './observation.js'
import {interruptions, operationUnderWay} from './operations.js'
import {currencyOf, isOnTrial, type PairRecord} from './record.js'
import type {PairState, PairStatus, Reason, Seen} from './status.js'

/** A reachable member that has a record. */
export type Known = MemberObservation & {readonly record: PairRecord}

/** What the records of the hosts that answered say about who is authoritative. */
export interface Authority {
  readonly primary: Known | undefined
  readonly other: Known | undefined
  readonly splitBrain: boolean
}

/**
 * Finds the authoritative side: the newer generation; in the same generation the one that is alone, then the primary.
 * Generations of which neither descends from the other are split-brain (S4), even when one has the lower number; see `standing`.
 */
export function authorityOf(seen: readonly Seen[]): Authority {
  const [a, b] = knownOf(seen)
  if (a === undefined) return {primary: undefined, other: undefined, splitBrain: false}
  if (b === undefined) {
    const leads = a.record.role === 'primary' && a.record.marks.stale === undefined
    return {primary: leads ? a : undefined, other: leads ? undefined : a, splitBrain: false}
  }
  switch (standing(a.record, b.record)) {
    case 'newer':
      return {primary: a, other: b, splitBrain: false}
    case 'older':
      return {primary: b, other: a, splitBrain: false}
    case 'unrelated':
      return {primary: a, other: b, splitBrain: true}
    case 'equal':
      return leadsInSameGeneration(b.record, a.record)
        ? {primary: b, other: a, splitBrain: false}
        : {primary: a, other: b, splitBrain: false}
  }
}

export function knownOf(seen: readonly Seen[]): Known[] {
  return seen.flatMap((each) =>
    'member' in each && each.member.record !== undefined ? [{...each.member, record: each.member.record}] : [],
  )
}

function leadsInSameGeneration(candidate: PairRecord, other: PairRecord): boolean {
  if (candidate.alone !== other.alone) return candidate.alone
  return candidate.role === 'primary' && other.role !== 'primary'
}

/**
 * One word for the state of a pair, and why. Pure: the same observations give the same answer.
 *
 * @param seen  both hosts of the pair, answered or not
 */
export function assess(pair: string, seen: readonly Seen[], atMs: number): PairStatus {
  const authority = authorityOf(seen)
  const {state, reasons, qualifier} = judge(pair, seen, authority)
  const {primary, other} = authority
  const counting = primary?.record.spec.engine === 'xen' ? other : primary // xl counts where it receives
  const mirrors = (primary?.jobs ?? []).filter(({id}) => id.startsWith('resync'))
  return {
    pair,
    state,
    ...(qualifier === undefined ? {} : {qualifier}),
    reasons,
    epoch: (primary ?? other)?.record.generation.epoch,
    primary: primary?.host ?? other?.record.peer,
    secondary: primary === undefined ? other?.host : (other?.host ?? primary.record.peer),
    members: primaryFirst(seen, primary?.host).map(memberStatus),
    checkpoints: {
      count: counting?.checkpoints.count ?? 0,
      lastAtMs: counting?.checkpoints.lastAtMs,
      lastPauseMs: counting?.checkpoints.lastPauseMs,
    },
    ...(mirrors.length === 0
      ? {}
      : {
          resync: {
            doneBytes: mirrors.reduce((sum, job) => sum + job.current, 0),
            totalBytes: mirrors.reduce((sum, job) => sum + job.total, 0),
          },
        }),
    atMs,
  }
}

/** Always in the same order, whoever answered first: the authoritative one, else by name. */
function primaryFirst(seen: readonly Seen[], primary: string | undefined): Seen[] {
  const rank = ({host}: Seen): string => (host === primary ? '' : host)
  return [...seen].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

interface Verdict {
  readonly state: PairState
  readonly reasons: readonly Reason[]
  readonly qualifier?: string
}

function judge(pair: string, seen: readonly Seen[], authority: Authority): Verdict {
  const {primary, other, splitBrain} = authority
  const silent = seen.flatMap((each) => ('unreachable' in each ? [silentReason(each)] : strangerReason(pair, each)))
  if (splitBrain) return {state: 'split-brain', reasons: [splitReason(pair, primary, other), ...silent]}
  const going = operationUnderWay([primary, other], primary)
  const verdict = going ?? fromMembers(pair, authority, silent)
  const interrupted = interruptions([primary, other])
  const isDown = verdict.state === 'failed' || verdict.state === 'stopped'
  const down = isDown
    ? [primary, other].flatMap((member) => (member === undefined ? [] : downReasons(pair, member)))
    : []
  const crashed = primary === undefined ? [] : crashReasons(pair, primary)
  const reasons = [...interrupted, ...verdict.reasons, ...down, ...crashed]
  return verdict.state === 'protected' && interrupted.length > 0 ? {state: 'suspect', reasons} : {...verdict, reasons}
}

function fromMembers(pair: string, {primary, other}: Authority, silent: readonly Reason[]): Verdict {
  if ((primary ?? other)?.record.spec.engine === 'xen') return xenVerdict({pair, primary, other, silent})
  if (primary === undefined) return withoutPrimary(pair, other, silent)
  if (!runs(primary)) return primaryDown(pair, primary, other, silent)
  if (primary.record.alone) return goesOnAlone(pair, primary, other, silent)
  return inLockStep(pair, primary, other, silent)
}

/** The primary's host does not answer. */
function withoutPrimary(pair: string, other: Known | undefined, silent: readonly Reason[]): Verdict {
  if (other === undefined) return {state: 'failed', reasons: silent}
  if (other.record.clean && !runs(other)) return {state: 'stopped', reasons: silent}
  const currency = currencyOf(other.record)
  if (runs(other) && currency === 'promotable' && other.blindSince === undefined) {
    const remedy = `colo pair failover ${pair} --to ${other.host}`
    return {
      state: 'suspect',
      reasons: [...silent.map((each) => ({...each, remedy})), ...latched(other, remedy)],
    }
  }
  if (!runs(other) && currency === 'promotable') return {state: 'failed', reasons: [...silent, down(other, pair)]}
  // nothing can be copied from a host that does not answer: only its return helps
  const {remedy: _, ...why} = {...notPromotable(other, pair), repairable: false}
  const remedy = `bring ${other.record.peer} back: its copy may be the only one with every write`
  return {state: 'failed', reasons: [...silent.map((each) => ({remedy, ...each})), why]}
}

/** A good copy, as far as is known here: the other one may have gone on. */
function down({host, record}: Known, pair: string): Reason {
  const message = `the copy on ${host} does not run, and nothing is known of the one on ${record.peer}`
  return reason('not-running', message, {host, remedy: `colo pair start ${pair} --alone ${host}`})
}

/** Whatever is missing: the primary's copy does not run. */
function primaryDown(pair: string, primary: Known, other: Known | undefined, silent: readonly Reason[]): Verdict {
  const {host, record} = primary
  if (record.clean) return stoppedCleanly(pair, primary, other, silent)
  if (!record.alone && other !== undefined && runs(other) && currencyOf(other.record) === 'promotable') {
    const remedy = `colo pair failover ${pair} --to ${other.host}`
    return {
      state: 'suspect',
      reasons: [reason('primary-gone', `the primary on ${host} does not run`, {host, remedy}), ...silent],
    }
  }
  const commit = record.marks.incomplete?.why === 'commit'
  const message = commit
    ? `the copy on ${host} ended while its overlays were being merged; start merges them first`
    : `the copy on ${host} ended without a clean stop`
  const code = commit ? 'commit-interrupted' : 'not-running'
  return {state: 'failed', reasons: [reason(code, message, {host, remedy: `colo pair start ${pair}`}), ...silent]}
}

/** The guest is off, and this copy has everything; what is with the other one? */
function stoppedCleanly(pair: string, primary: Known, other: Known | undefined, silent: readonly Reason[]): Verdict {
  const follows = other !== undefined && kinship(other.record.generation, primary.record.generation) === 'equal'
  if (follows && runs(other)) {
    const message = `the guest is off; the copy on ${other.host} has not ended yet`
    const options = {host: other.host, remedy: `colo pair stop ${pair}`}
    return {state: 'stopping', reasons: [reason('secondary-runs', message, options), ...silent]}
  }
  if (other === undefined || areEqualCopies(primary.record, other.record)) return {state: 'stopped', reasons: silent}
  const message = `only the copy on ${primary.host} has every write; the one on ${other.host} is ${follows ? 'not known to be equal' : currencyOf(other.record)}`
  return {state: 'stopped', reasons: [reason('copies-differ', message, {host: other.host}), ...silent]}
}

function goesOnAlone(pair: string, primary: Known, other: Known | undefined, silent: readonly Reason[]): Verdict {
  const {host, record, vm} = primary
  const here = `colo pair failover ${pair} --to ${host}`
  if (vm?.coloMode === 'primary') {
    const message = `QEMU on ${host} has not left lock-step although it goes on alone; the guest's output may be held`
    return {state: 'suspect', reasons: [reason('not-released', message, {host, remedy: here}), ...silent]}
  }
  if (vm !== undefined && vm.coloMode !== 'none' && record.marks.incomplete?.why === 'commit') {
    return {
      state: 'failing-over',
      reasons: [
        reason('not-promoted', `${host} holds the new generation but has not taken over`, {host, remedy: here}),
      ],
    }
  }
  if (record.marks.incomplete?.why === 'commit') {
    return {
      state: 'committing',
      reasons: [reason('commit', `${host} merges its overlays into the disk`, {host}), ...silent],
    }
  }
  const {suspended} = record.marks
  if (suspended !== undefined) {
    const message = `the protection was suspended ${suspended}`
    const options = {host, remedy: `colo pair resume ${pair}`}
    const reasons = [reason('suspended', message, options), ...meddlingReasons(pair, primary)]
    return {state: 'unprotected', qualifier: 'suspended', reasons}
  }
  const remedy = `colo pair resync ${pair}`
  const peer = record.peer
  const why =
    other === undefined
      ? reason('no-secondary', `no second copy: ${peer} does not answer`, {host: peer, remedy})
      : reason('no-secondary', `no second copy: the one on ${other.host} is ${currencyOf(other.record)}`, {
          host: other.host,
          remedy,
          repairable: true,
        })
  const returning = other === undefined ? [] : returnReasons(pair, other)
  return {state: 'unprotected', reasons: [why, ...returning, ...meddlingReasons(pair, primary), ...silent]}
}

function inLockStep(pair: string, primary: Known, other: Known | undefined, silent: readonly Reason[]): Verdict {
  if (other === undefined) {
    const remedy = `colo pair failover ${pair} --to ${primary.host}`
    return {state: 'suspect', reasons: [...silent.map((each) => ({...each, remedy})), ...latched(primary, remedy)]}
  }
  if (primary.qmp === 'hung') return {state: 'suspect', reasons: [hungReason(pair, primary, other)]}
  if (!runs(other) || other.qmp === 'absent') {
    const remedy = `colo pair failover ${pair} --to ${primary.host}`
    return {
      state: 'suspect',
      reasons: [
        reason('secondary-gone', `the secondary on ${other.host} does not run; the guest's output is held`, {
          host: other.host,
          remedy,
        }),
      ],
    }
  }
  if (other.qmp === 'hung') return {state: 'suspect', reasons: [hungReason(pair, other, primary)]}
  if (kinship(other.record.generation, primary.record.generation) !== 'equal') {
    const message = `the copy on ${other.host} is of generation ${other.record.generation.epoch}, not ${primary.record.generation.epoch}`
    const options = {host: other.host, remedy: `colo pair resync ${pair}`, repairable: true}
    return {state: 'unprotected', reasons: [reason('other-generation', message, options)]}
  }
  if (isOnTrial(other.record)) return {state: 'failing-over', reasons: [onTrial(pair, primary, other)]}
  if (currencyOf(other.record) !== 'promotable')
    return {state: 'unprotected', reasons: [...fullFaults(pair, primary, other), notPromotable(other, pair)]}
  const modes = modeFaults(pair, primary, other)
  if (modes.length > 0) return {state: 'suspect', reasons: modes}
  const meddling = [primary, other].flatMap((member) => meddlingReasons(pair, member))
  if (meddling.length > 0) return {state: 'suspect', reasons: meddling}
  const faults = protectionFaults(primary.record.spec, {primary, secondary: other})
  if (faults.length > 0) return {state: worstOf(faults), reasons: faults}
  const passing = primary.record.spec.nics.filter(({uncompared}) => uncompared === 'pass').map(({name}) => name)
  return {
    state: 'protected',
    reasons: [],
    ...(passing.length === 0 ? {} : {qualifier: `IPv4 only on ${passing.join(', ')}`}),
  }
}

function onTrial(pair: string, primary: Known, other: Known): Reason {
  const message = `the copy on ${other.host} runs unheard, the one on ${primary.host} is fenced; the agents let ${primary.host} go on when nobody decides`
  return reason('on-trial', message, {host: other.host, remedy: `colo pair failover ${pair} --to ${other.host}`})
}

function hungReason(pair: string, hung: Known, healthy: Known): Reason {
  return reason('hung', `QEMU on ${hung.host} does not answer`, {
    host: hung.host,
    remedy: `colo pair failover ${pair} --to ${healthy.host}`,
  })
}

function notPromotable(member: Known, pair: string): Reason {
  const {host, record} = member
  const detail =
    record.marks.stale ??
    record.marks.incomplete?.detail ??
    record.marks.notPromotable ??
    'its agent did not watch all the time'
  return reason('not-promotable', `the copy on ${host} must not take over: ${detail}`, {
    host,
    remedy: `colo pair resync ${pair}`,
    repairable: true,
  })
}

function splitReason(pair: string, a: Known | undefined, b: Known | undefined): Reason {
  const text = [a, b]
    .flatMap((each) => (each === undefined ? [] : [`${each.host} in generation ${each.record.generation.epoch}`]))
    .join(' and ')
  return reason('split-brain', `both copies went on: ${text}; one must be discarded`, {
    remedy: `colo pair resolve ${pair} --discard HOST`,
  })
}

function silentReason(seen: {host: string; unreachable: string}): Reason {
  return reason('unreachable', `${seen.host} does not answer: ${seen.unreachable}`, {host: seen.host})
}

function latched(member: Known, remedy: string): Reason[] {
  return member.latched.map(({kind, detail}) =>
    reason(kind, `${detail} on ${member.host}`, {host: member.host, remedy}),
  )
}

function runs(member: MemberObservation): boolean {
  return member.domain === 'running' || member.domain === 'paused'
}

import {ColoError, RefusedError, StateError, UsageError} from '../errors.js'
import {AgentError} from '../host/agent-wire.js'
import {assess, authorityOf, knownOf, type Known} from '../pair/assess.js'
import {nextGeneration, standing} from '../pair/generation.js'
import {beatFaults} from '../pair/health/protection.js'
import {identityOf, layoutOfPair} from '../pair/identity.js'
import {currencyOf, isOnTrial} from '../pair/record.js'
import {planFailover, type FailoverInput} from '../plan/failover.js'
import {otherRemedy} from '../pair/remedy.js'
import type {PairStatus} from '../pair/status.js'
import type {Plan} from '../plan/plan.js'
import type {OperationContext} from './context.js'
import {finalStatus, settle} from './final-status.js'
import {dryRunOf, type OperationResult} from './result.js'
import {resyncPair} from './resync.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair, type Side} from './sides.js'
import {isXenPair, xenFailoverPlan, xenTarget, type XenTarget} from './xen/life.js'

export interface FailoverOptions {
  /** host that goes on; without it the one that is left, or the secondary when both live */
  readonly to?: string | undefined
  readonly dryRun: boolean
  /** named checks to override: `peer-unknown`, `unwatched` */
  readonly force: readonly string[]
  readonly timeoutMs: number
  /** after a planned failover the old primary becomes the secondary, as the spec's `resync: auto` says; false: not now */
  readonly resync: boolean
}

/** How long the promoted copy may merge its overlays, and the resync after a planned failover may take, milliseconds. */
const afterwardsMs = {commit: 600_000, resync: 2 * 3600_000} as const

/**
 * How long a silent loser is waited for before it counts as unreachable, in milliseconds; less when the operator has said already that
 * it is, because clients wait. An agent that lives answers in some ten.
 */
const peerGraceMs = {unsaid: 2500, said: 1000} as const

/**
 * One side goes on as the only copy, as primary, in a new generation.
 *
 * @throws {RefusedError} when the target's copy must not take over, or the peer is unknown and nobody confirmed
 * @throws {StateError} when there is nothing to fail over
 * @throws {UsageError} when `to` is no host of the pair
 */
export async function failoverPair(
  context: OperationContext,
  pair: string,
  options: FailoverOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair, {
    peerGraceMs: options.force.includes('peer-unknown') ? peerGraceMs.said : peerGraceMs.unsaid,
  })
  try {
    const target = isXenPair(found) ? xenTarget(context, found, options.to) : chooseTarget(context, found, options)
    const isXen = 'engine' in target
    const again = !isXen && target.bothLive && options.resync && target.survivor.record.spec.resync === 'auto'
    if (!options.dryRun) await confirmTarget(context, found, {target, again})
    const plan = isXen ? xenFailoverPlan(context, target) : planFor(context, target)
    if (options.dryRun) return dryRunOf(plan)
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    const status = await finalStatus(context, found)
    const result: OperationResult = {pair, changed: true, dryRun: false, plan, status, timeline}
    return again ? await protectAgain(context, found, result) : result
  } finally {
    found.close()
  }
}

/** The failover is done whatever happens here; the old primary becomes the new secondary. */
export async function protectAgain(
  context: OperationContext,
  found: FoundPair,
  done: OperationResult,
): Promise<OperationResult> {
  const {pair} = found
  try {
    context.progress.note(`${pair}: the overlays are merged, then the old primary is brought level`)
    await settle(context, found, {states: ['unprotected'], timeoutMs: afterwardsMs.commit})
    found.close()
    const again = await resyncPair(context, pair, {dryRun: false, force: [], timeoutMs: afterwardsMs.resync})
    const timeline = [...done.timeline, ...again.timeline]
    return {...done, timeline, ...(again.status === undefined ? {} : {status: again.status})}
  } catch (error) {
    if (!(error instanceof ColoError)) throw error
    const hint = [error.hint, `the failover is done; protect the pair: colo pair resync ${pair}`]
    const details = {cause: error, hint: hint.filter((text) => text !== undefined).join('; ')}
    throw new ColoError(
      error.code,
      error.exit,
      `${pair} goes on, but is not protected again: ${error.message}`,
      details,
    )
  }
}

interface Target {
  readonly survivor: Known
  readonly loser: string
  /** the loser's agent answers, and has a record of the pair */
  readonly loserSeen: Known | undefined
  /** nothing is broken that a resync would not mend: this is a move */
  readonly bothLive: boolean
  readonly planned: boolean
}

function chooseTarget(context: OperationContext, found: FoundPair, options: FailoverOptions): Target {
  const seen = found.sides.map(seenOf)
  const known = knownOf(seen)
  const {primary, splitBrain} = authorityOf(seen)
  if (splitBrain) {
    throw new RefusedError(`cannot fail over ${found.pair}: both copies went on alone (split-brain)`, {
      hint: `name the copy to discard first: colo pair resolve ${found.pair} --discard HOST`,
    })
  }
  const status = assess(found.pair, seen, context.clock.now())
  if (options.to !== undefined && !found.sides.some(({host}) => host === options.to)) {
    const names = found.sides.map(({host}) => host).join(' and ')
    throw new UsageError(`${options.to} is no host of ${found.pair}; its hosts are ${names}`)
  }
  const survivor = known.find(({host}) => host === (options.to ?? naturalTarget(known, primary)?.host))
  if (survivor === undefined) throw noSurvivor(found, options.to)
  const loser = survivor.record.peer
  const loserSeen = known.find(({host}) => host === loser)
  refuseOutdated(found.pair, survivor, loserSeen)
  if (isFinished(survivor, loserSeen)) {
    throw new StateError(
      `${found.pair} goes on alone on ${survivor.host} already`,
      {actual: 'unprotected', required: ['protected']},
      {hint: otherRemedy(status, `colo pair failover ${found.pair}`)},
    )
  }
  mayGoOn(survivor, status, options.force)
  refuseMissedWrites(found.pair, survivor, loserSeen)
  const shadows = survivor.record.role === 'secondary' && survivor.vm?.coloMode === 'secondary'
  const bothLive = shadows && loserSeen !== undefined && isRunning(loserSeen)
  return {survivor, loser, loserSeen, bothLive, planned: bothLive && loserSeen !== undefined && isHealthy(loserSeen)}
}

/** S4: no copy takes over from one in a newer generation, or from one that went on alone in the same. */
function refuseOutdated(pair: string, survivor: Known, rival: Known | undefined): void {
  if (rival === undefined) return
  const kin = standing(survivor.record, rival.record)
  const ahead = kin === 'older' || (kin === 'equal' && rival.record.alone && !survivor.record.alone)
  if (!ahead) return
  const {host, domain, record} = rival
  throw new RefusedError(
    `cannot fail over ${pair} to ${survivor.host}: ${host} went on alone in generation ${record.generation.epoch}`,
    {hint: domain === 'absent' ? `colo pair start ${pair}` : `colo pair failover ${pair} --to ${host}`},
  )
}

/** This side went on alone, and nothing of that is left to be done, here or at the loser. */
function isFinished({record, vm, nics, disks, intent}: Known, loser: Known | undefined): boolean {
  if (record.role !== 'primary' || !record.alone || vm?.coloMode !== 'none') return false
  const interrupted = [intent, loser?.intent].some(
    (each) => each?.kind === 'failover' || each?.kind === 'test-failover',
  )
  const holds = layoutOfPair(record).nics.some(({index, objects}) => {
    const seen = nics[index]
    const held: readonly string[] = [objects.mirror, objects.release, objects.capture, objects.compare]
    return seen?.tapState === 'down' || seen?.objects.some(({id}) => held.includes(id)) === true
  })
  return !interrupted && !holds && vm.status === 'running' && disks.every(({children}) => children.length < 2)
}

/** The primary saw a write that did not arrive, and a checkpoint after it: the secondary may not have heard of that yet. */
function refuseMissedWrites(pair: string, survivor: Known, primary: Known | undefined): void {
  if (survivor.record.role !== 'secondary' || primary === undefined) return
  const lastAtMs = primary.checkpoints.lastAtMs ?? 0
  const nodes = layoutOfPair(primary.record).disks.map(({nbd}) => nbd)
  const missed = primary.latched.find(
    ({kind, detail, atMs}) =>
      atMs < lastAtMs &&
      (kind === 'nbd-lost' ||
        (kind === 'quorum-report-bad' &&
          !detail.startsWith('read ') &&
          nodes.some((node) => detail.split(/[ :]/).includes(node)))),
  )
  if (missed === undefined) return
  throw new RefusedError(
    `cannot fail over ${pair} to ${survivor.host}: its copy missed writes, as ${primary.host} saw (${missed.detail})`,
    {hint: `colo pair resync ${pair}`},
  )
}

/** Without `--to`: the side that is left; when both live, the secondary; a failover that was begun is finished. */
function naturalTarget(known: readonly Known[], primary: Known | undefined): Known | undefined {
  if (primary?.record.alone === true) return primary
  const secondary = known.find(({record}) => record.role === 'secondary')
  if (secondary !== undefined && isUsable(secondary)) return secondary
  return known.find(({record}) => record.role === 'primary') ?? secondary
}

function isUsable(member: Known): boolean {
  return member.qmp === 'connected' && member.vm?.coloMode === 'secondary' && currencyOf(member.record) === 'promotable'
}

/** In the middle of a checkpoint, too: QEMU lets the guest stand still for it and says `colo`. */
function isRunning({qmp, vm}: Known): boolean {
  return qmp === 'connected' && (vm?.status === 'running' || vm?.status === 'colo')
}

function isHealthy(member: Known): boolean {
  if (member.latched.length > 0) return false
  return beatFaults(member.record.spec, member).length === 0 // without a beat no checkpoint would come
}

function noSurvivor(found: FoundPair, to: string | undefined): Error {
  const silent = found.sides.flatMap((side) => ('problem' in side ? [side] : []))
  const [first] = silent
  if (first !== undefined && (to === undefined || first.host === to)) return first.problem
  return new StateError(`${to ?? 'no host'} has no copy of ${found.pair} that could go on`, {
    actual: 'failed',
    required: [],
  })
}

/** Only a copy that is alive and knows that it has everything may go on. */
function mayGoOn(survivor: Known, status: PairStatus, force: readonly string[]): void {
  const {record, host, vm, qmp} = survivor
  const {pair} = status
  if (qmp !== 'connected' || vm === undefined) {
    throw new StateError(
      `cannot fail over ${pair} to ${host}: its QEMU ${qmp === 'hung' ? 'does not answer' : 'does not run'}`,
      {actual: survivor.domain, required: ['running']},
      {hint: otherRemedy(status, `colo pair failover ${pair} --to ${host}`)},
    )
  }
  const {stale, incomplete, notPromotable} = record.marks
  const forbids = stale ?? (incomplete?.why === 'commit' ? undefined : incomplete?.detail) ?? notPromotable
  if (forbids !== undefined) {
    throw new RefusedError(`cannot fail over ${pair} to ${host}: its copy is ${currencyOf(record)}: ${forbids}`, {
      hint: `when the other side is back: colo pair resync ${pair}`,
    })
  }
  if (record.role === 'primary' || isOnTrial(record)) return
  if (vm.coloMode !== 'secondary') {
    throw new RefusedError(`cannot fail over ${pair} to ${host}: its QEMU is not in lock-step`)
  }
  if (survivor.blindSince !== undefined && !force.includes('unwatched')) {
    throw new RefusedError(
      `cannot fail over ${pair} to ${host}: its agent did not watch all the time, the copy may have missed writes`,
      {hint: 'to accept that: --force unwatched'},
    )
  }
}

/** S2: a peer that cannot be seen may have gone on alone; only a person's explicit word replaces its answer. */
async function confirmTarget(
  context: OperationContext,
  found: FoundPair,
  {target, again}: {readonly target: Target | XenTarget; readonly again: boolean},
): Promise<void> {
  if (target.loserSeen !== undefined) {
    await context.confirm({
      text:
        `${found.pair} goes on alone on ${target.survivor.host}; the copy on ${target.loser} is ended` +
        (again ? ', then brought level again as the new secondary.' : '.'),
      expected: found.pair,
    })
    return
  }
  const {checkpoints, peer, atMs} = target.survivor
  const ago = (sinceMs: number | undefined): string =>
    sinceMs === undefined ? 'never' : `${((atMs - sinceMs) / 1000).toFixed(1)} s ago`
  const side = found.sides.find(({host}) => host === target.loser)
  await context.confirm({
    text:
      `${whyUnseen(found.pair, target.loser, side)}\n` +
      `This copy (${target.survivor.host}): last checkpoint ${ago(checkpoints.lastAtMs)}, ` +
      `last word of ${target.loser}'s agent ${ago(peer?.atMs)}.`,
    expected: found.pair,
    force: 'peer-unknown',
  })
}

function whyUnseen(pair: string, loser: string, side: Side | undefined): string {
  if (side !== undefined && 'client' in side) {
    return `${loser} answers, but has no record of ${pair}: what became of its copy is unknown.`
  }
  // its agent is there, and cannot read what is on its disk
  if (side?.problem instanceof AgentError) {
    const {message, hint} = side.problem
    const unknown = `${loser} answers, but what became of its copy of ${pair} is unknown: ${message}`
    return hint === undefined ? unknown : `${unknown}; ${hint}`
  }
  return `${loser} does not answer. It may be dead, or cut off and have gone on alone.`
}

function planFor(context: OperationContext, target: Target): Plan {
  const {survivor, loser, loserSeen} = target
  const {record, vm} = survivor
  // a primary in lock-step may be alone in the very generation of its secondary, when a resync was cut off at its end
  const begun = record.alone && record.role === 'primary' && vm?.coloMode !== 'primary'
  const input: FailoverInput = {
    planId: context.newId(),
    identity: identityOf(record),
    to: survivor.host,
    from: loser,
    role: vm?.coloMode === 'secondary' || isOnTrial(record) ? 'secondary' : 'primary',
    generation: begun ? record.generation : nextGeneration(record.generation, context.newId()),
    loserReachable: loserSeen !== undefined,
    ...(target.planned ? {planned: {otherwise: nextGeneration(record.generation, context.newId())}} : {}),
    ...(begun ? {granted: true} : {}),
    ...(begun && record.marks.incomplete?.why === 'commit' ? {committing: true} : {}),
  }
  return planFailover(input)
}

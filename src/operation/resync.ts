import {ColoError, isConflict, RefusedError, StateError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import {assess, authorityOf, knownOf, type Known} from '../pair/assess.js'
import {nextGeneration} from '../pair/generation.js'
import {meddlingReasons} from '../pair/health/meddling.js'
import {identityOf} from '../pair/identity.js'
import {planResync} from '../plan/resync.js'
import {otherRemedy} from '../pair/remedy.js'
import type {PairStatus} from '../pair/status.js'
import type {Plan} from '../plan/plan.js'
import {isBootOwner} from '../pair/boot-owner.js'
import type {OperationContext} from './context.js'
import {settle} from './final-status.js'
import {learnGenerations} from './generations.js'
import {forgetInterruption, isCutOff, isOnlyInterrupted} from './interruption.js'
import {memberXmlOf} from './member-xml.js'
import {unlessPoweredOff} from './powered-off.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'
import {isXenPair, xenResyncPlan} from './xen/life.js'

export interface ResyncOptions {
  readonly dryRun: boolean
  readonly timeoutMs: number
  readonly force: readonly string[]
  /** ends a suspension; without it a pair whose protection a person suspended is left as it is */
  readonly resume?: true
}

/** How long the verified state may take to show after the plan ended, in milliseconds. */
export const settleMs = 10_000
/** A resync by an agent is waited for, and another one may come after it. */
const conflictAttempts = 4
const waitLookMs = 500

/**
 * Brings a new or returning secondary level; ends protected. Nothing to do when the pair is protected already. When the agent of a host that is
 * back is doing just that, its end is waited for.
 *
 * @throws {StateError} when no copy runs as primary, or it still merges its overlays
 * @throws {ConflictError} when somebody else is changing the pair
 */
export async function resyncPair(
  context: OperationContext,
  pair: string,
  options: ResyncOptions,
): Promise<OperationResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await resyncOnce(context, pair, options)
    } catch (error) {
      if (!isConflict(error) || attempt === conflictAttempts) throw error
      if (!(await afterBootResync(context, pair, options))) throw error
    }
  }
}

/**
 * Settles when no agent works on the pair after its host's boot any more.
 *
 * @returns false when it was none, and the pair is not protected
 */
async function afterBootResync(context: OperationContext, pair: string, {timeoutMs}: ResyncOptions): Promise<boolean> {
  const endMs = context.clock.monotonic() + timeoutMs
  for (let waited = false; ; waited = true) {
    const found = await findPair(context, pair)
    found.close()
    const seen = found.sides.map(seenOf)
    const holder = knownOf(seen).find(({lock}) => lock !== undefined && isBootOwner(lock.owner))?.lock
    if (holder === undefined) return waited || assess(pair, seen, context.clock.now()).state === 'protected'
    if (context.clock.monotonic() > endMs) return false
    if (!waited) context.progress.note(`${holder.owner}, is at it already: ${holder.purpose}; waiting for it`)
    await context.clock.sleep(waitLookMs, context.signal)
  }
}

async function resyncOnce(context: OperationContext, pair: string, options: ResyncOptions): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    await learnGenerations(context, found)
    const seen = found.sides.map(seenOf)
    const before = assess(pair, seen, context.clock.now())
    const plan = isXenPair(found) ? xenResyncPlan(context, found) : await planOfQemu(context, found, {before, options})
    if (before.state === 'protected' && !options.force.includes('protected')) {
      return {pair, changed: false, dryRun: options.dryRun, plan: {...plan, steps: []}, status: before, timeline: []}
    }
    if (options.dryRun) return dryRunOf(plan)
    if (isOnlyInterrupted(before)) return await forgetInterruption(context, found, plan, options)
    return await unlessPoweredOff(context, found, `protect ${pair}`, async () => {
      const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
      const status = await settle(context, found, {states: ['protected'], timeoutMs: settleMs})
      mustBeProtected(pair, status.state, status.reasons)
      return {pair, changed: true, dryRun: false, plan, status, timeline}
    })
  } finally {
    found.close()
  }
}

async function planOfQemu(
  context: OperationContext,
  found: FoundPair,
  {before, options}: {readonly before: PairStatus; readonly options: ResyncOptions},
): Promise<Plan> {
  const primary = runningPrimary(found, before)
  refuseSuspended(found.pair, primary, before, options)
  return planFor(context, found, primary, options)
}

/** The steps all succeeded, yet the verification found a fault: said as such. */
export function mustBeProtected(
  pair: string,
  state: string,
  reasons: ReadonlyArray<{readonly message: string; readonly remedy?: string}>,
): void {
  if (state === 'protected') return
  const why = reasons.map(({message}) => message).join('; ')
  throw new ColoError('not-protected', exitCodes.notProtected, `${pair} is ${state} after all steps: ${why}`, {
    hint: reasons.find(({remedy}) => remedy !== undefined)?.remedy ?? `colo pair status ${pair}`,
  })
}

/** A person's word is only taken back by a person's word. */
function refuseSuspended(pair: string, primary: Known, {state}: PairStatus, {resume}: ResyncOptions): void {
  const {suspended} = primary.record.marks
  if (suspended !== undefined && resume !== true) {
    throw new StateError(
      `cannot resync ${pair}: its protection was suspended ${suspended}`,
      {actual: 'suspended', required: ['unprotected']},
      {hint: `colo pair resume ${pair}`},
    )
  }
  // one that was cut off near its end has taken the mark away
  if (resume === true && suspended === undefined && state !== 'protected' && !isCutOff([primary], 'resync')) {
    throw new StateError(
      `cannot resume ${pair}: it is not suspended, it is ${state}`,
      {actual: state, required: ['suspended']},
      {hint: `colo pair resync ${pair}`},
    )
  }
}

function runningPrimary(found: FoundPair, before: PairStatus): Known {
  const {primary, splitBrain} = authorityOf(found.sides.map(seenOf))
  const {pair} = found
  if (splitBrain)
    throw new RefusedError(`cannot resync ${pair}: both copies went on alone; one must be discarded by name`, {
      hint: `colo pair resolve ${pair} --discard HOST`,
    })
  if (primary?.qmp !== 'connected') {
    const silent = found.sides.find((side) => 'problem' in side)
    if (primary === undefined && silent !== undefined && 'problem' in silent) throw silent.problem
    throw new StateError(
      `cannot resync ${pair}: no copy runs as primary`,
      {actual: before.state, required: ['unprotected']},
      {hint: otherRemedy(before, `colo pair resync ${pair}`)},
    )
  }
  if (primary.record.marks.incomplete?.why === 'commit') {
    throw new StateError(
      `cannot resync ${pair} yet: ${primary.host} still merges its overlays into the disk`,
      {actual: 'committing', required: ['unprotected']},
      {hint: `colo pair wait ${pair} --for unprotected && colo pair resync ${pair}`},
    )
  }
  const peer = found.sides.find(({host}) => host !== primary.host)
  if (peer !== undefined && 'problem' in peer) throw peer.problem
  const [device] = meddlingReasons(pair, primary).filter(({code}) => code === 'device-attached')
  if (device !== undefined) {
    throw new StateError(
      `cannot protect ${pair}: ${device.message}`,
      {actual: before.state, required: ['unprotected']},
      {hint: device.remedy},
    )
  }
  return primary
}

async function planFor(
  context: OperationContext,
  found: FoundPair,
  primary: Known,
  {resume}: ResyncOptions,
): Promise<Plan> {
  const identity = identityOf(primary.record)
  const secondary = primary.record.peer
  const peer = found.sides.find(({host}) => host === secondary)
  const detachFirst = !primary.record.alone || primary.vm?.coloMode !== 'none'
  return planResync({
    planId: context.newId(),
    identity,
    primary: primary.host,
    secondary,
    primaryWasSecondary: primary.nics.some(({objects}) => objects.some(({type}) => type === 'filter-rewriter')),
    generation: detachFirst ? nextGeneration(primary.record.generation, context.newId()) : primary.record.generation,
    detachFirst,
    secondaryKnown: peer !== undefined && 'member' in peer && peer.member.record !== undefined,
    xml: await memberXmlOf(identity, primary.vm?.qemuVersion),
    nowMs: context.clock.now(),
    ...(resume === true ? {finish: `colo pair resume ${found.pair}`} : {}),
  })
}

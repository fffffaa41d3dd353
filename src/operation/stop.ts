import {InterruptedError, StateError} from '../errors.js'
import {assess, authorityOf, type Known} from '../pair/assess.js'
import {cleanStopOf} from '../pair/clean-stop.js'
import {kinship} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import type {PairState, PairStatus} from '../pair/status.js'
import {planStop} from '../plan/stop.js'
import type {OperationContext} from './context.js'
import {finalStatus} from './final-status.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'
import {isXenPair, xenStopPlan} from './xen/life.js'

/** The word for what virsh and xl call destroy. */
const powerCut = 'power-cut'
/** For everything but the guest, in milliseconds. */
const tidyMs = 60_000

export interface StopOptions {
  readonly dryRun: boolean
  readonly force: readonly string[]
  /** how long the guest may take, milliseconds */
  readonly timeoutMs: number
}

/** States in which nothing is under way that a stop would cut off. */
const stoppable: readonly PairState[] = ['protected', 'unprotected', 'stopping']

/**
 * Stops the guest on both copies, cleanly: afterwards each copy may be started, and none has to be copied.
 *
 * @throws {StateError} while the pair is anything that a stop would cut off, or is not well
 * @throws {TimedOutError} when the guest does not power off; it goes on as before
 */
export async function stopPair(
  context: OperationContext,
  pair: string,
  options: StopOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    if (isXenPair(found)) return await stopXenPair(context, found, options)
    const seen = found.sides.map(seenOf)
    const status = assess(pair, seen, context.clock.now())
    const {primary, other} = authorityOf(seen)
    const again = isOnlyInterrupted(status, primary, other)
    if (primary === undefined || (!stoppable.includes(status.state) && !again && status.state !== 'stopped')) {
      throw notNow(pair, status)
    }
    const plan = planStop({
      planId: context.newId(),
      identity: identityOf(primary.record),
      primary: primary.host,
      secondary: inLockStep(primary, other) ? other?.host : undefined,
      primaryStopped: cleanStopOf(primary.record) !== undefined,
      powerCut: options.force.includes(powerCut),
      guestMs: options.timeoutMs,
    })
    if (status.state === 'stopped' && status.reasons.every(({code}) => code !== 'interrupted')) {
      return {pair, changed: false, dryRun: options.dryRun, plan: {...plan, steps: []}, status, timeline: []}
    }
    if (options.dryRun) return dryRunOf(plan)
    if (options.force.includes(powerCut) && cleanStopOf(primary.record) === undefined) {
      await confirmPowerCut(context, pair)
    }
    const limits = {timeoutMs: options.timeoutMs + tidyMs, premise: found.sides}
    const timeline = await runPlan(context, clientsOf(found.sides), plan, limits).catch((error: unknown) => {
      throw error instanceof InterruptedError && error.hint === undefined ? withPressedButton(error) : error
    })
    return {pair, changed: true, dryRun: false, plan, status: await finalStatus(context, found), timeline}
  } finally {
    found.close()
  }
}

/** What cannot be taken back. */
function withPressedButton(cause: InterruptedError): InterruptedError {
  const hint = 'its power button may have been pressed: when the guest powers off after all, both copies are stopped'
  return new InterruptedError(cause.message, {cause, hint})
}

async function confirmPowerCut(context: OperationContext, pair: string): Promise<void> {
  await context.confirm({
    text: `The power of ${pair} is cut: its guest cannot end its work.`,
    expected: pair,
    force: powerCut,
  })
}

/** Xen's own way: the protection ends first, then the guest powers off. */
async function stopXenPair(
  context: OperationContext,
  found: FoundPair,
  options: StopOptions,
): Promise<OperationResult> {
  const {pair} = found
  const isCut = options.force.includes(powerCut)
  const plan = xenStopPlan(context, found, {guestMs: options.timeoutMs, powerCut: isCut})
  if (options.dryRun) return dryRunOf(plan)
  if (isCut && plan.steps.length > 0) await confirmPowerCut(context, pair)
  const limits = {timeoutMs: options.timeoutMs + tidyMs, premise: found.sides}
  const timeline = plan.steps.length === 0 ? [] : await runPlan(context, clientsOf(found.sides), plan, limits)
  return {
    pair,
    changed: plan.steps.length > 0,
    dryRun: false,
    plan,
    status: await finalStatus(context, found),
    timeline,
  }
}

/** The other copy is in the primary's generation; it may have ended cleanly in a stop that was cut off before all was tidied up. */
function inLockStep(primary: Known, other: Known | undefined): boolean {
  if (other === undefined || primary.record.alone) return false
  return (
    kinship(other.record.generation, primary.record.generation) === 'equal' && other.record.marks.stale === undefined
  )
}

/** A stop whose command died is taken up again. */
function isOnlyInterrupted(status: PairStatus, primary: Known | undefined, other: Known | undefined): boolean {
  const kinds = [primary, other].flatMap((member) => member?.intent?.kind ?? [])
  return (
    status.state === 'suspect' && kinds.includes('stop') && status.reasons.every(({code}) => code === 'interrupted')
  )
}

function notNow(pair: string, status: PairStatus): StateError {
  const {state, reasons} = status
  const [first] = reasons
  const why = first === undefined ? `it is ${state}` : `it is ${state}: ${first.message}`
  const wait = state === 'committing' || state === 'resyncing' || state === 'syncing' || state === 'starting'
  const hint = wait
    ? `colo pair wait ${pair} --for ${state === 'committing' ? 'unprotected' : 'protected'} && colo pair stop ${pair}`
    : otherRemedy(status, `colo pair stop ${pair}`)
  return new StateError(`cannot stop ${pair} now: ${why}`, {actual: state, required: [...stoppable]}, {hint})
}

import {RefusedError, StateError} from '../errors.js'
import {assess, authorityOf, type Known} from '../pair/assess.js'
import {nextGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import {planSuspend} from '../plan/suspend.js'
import type {Plan} from '../plan/plan.js'
import type {OperationContext} from './context.js'
import {finalStatus} from './final-status.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'

export interface SuspendOptions {
  readonly dryRun: boolean
  readonly timeoutMs: number
}

/**
 * Ends the protection of a pair until somebody resumes it: the primary goes on alone, the secondary is ended, its disks stay. Already
 * suspended is fine.
 *
 * @throws {StateError} when no copy runs as primary, or it still merges its overlays
 * @throws {UnreachableError} when the secondary, which may have gone on, does not answer
 */
export async function suspendPair(
  context: OperationContext,
  pair: string,
  options: SuspendOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const {primary, other} = running(context, found)
    const plan = planFor(context, primary, other)
    if (isSuspended(primary, other)) {
      const status = assess(pair, found.sides.map(seenOf), context.clock.now())
      return {pair, changed: false, dryRun: options.dryRun, plan: {...plan, steps: []}, status, timeline: []}
    }
    if (options.dryRun) return dryRunOf(plan)
    await context.confirm({
      text:
        `${pair} goes on alone on ${primary.host}, unprotected, until \`colo pair resume ${pair}\`` +
        (other === undefined ? '.' : `; the copy on ${other.host} is ended, its disks stay.`),
      expected: pair,
    })
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    return {pair, changed: true, dryRun: false, plan, status: await finalStatus(context, found), timeline}
  } finally {
    found.close()
  }
}

function running(context: OperationContext, found: FoundPair): {primary: Known; other: Known | undefined} {
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const {primary, other, splitBrain} = authorityOf(seen)
  if (splitBrain) throw new RefusedError(`cannot suspend ${pair}: both copies went on alone (split-brain)`)
  const status = assess(pair, seen, context.clock.now())
  const {state} = status
  const silent = found.sides.find((side) => 'problem' in side)
  if (silent !== undefined && 'problem' in silent && primary?.record.alone !== true) throw silent.problem
  if (primary?.qmp !== 'connected') {
    throw new StateError(
      `cannot suspend ${pair}: no copy runs as primary`,
      {actual: state, required: ['protected', 'unprotected']},
      {hint: otherRemedy(status, `colo pair suspend ${pair}`)},
    )
  }
  if (primary.record.marks.incomplete !== undefined) {
    throw new StateError(
      `cannot suspend ${pair} yet: ${primary.host} still merges its overlays into the disk`,
      {actual: state, required: ['protected', 'unprotected']},
      {hint: `colo pair wait ${pair} --for unprotected && colo pair suspend ${pair}`},
    )
  }
  return {primary, other}
}

function planFor(context: OperationContext, {host, record, vm}: Known, other: Known | undefined): Plan {
  const isAlone = record.alone && vm?.coloMode === 'none'
  const begun = isAlone || (record.alone && record.marks.suspended !== undefined)
  const since = new Date(context.clock.now()).toISOString()
  return planSuspend({
    planId: context.newId(),
    identity: identityOf(record),
    primary: host,
    secondary: other?.host,
    generation: begun ? record.generation : nextGeneration(record.generation, context.newId()),
    marks: {...record.marks, suspended: record.marks.suspended ?? `by ${context.owner}, ${since}`},
  })
}

/** Nothing of it is left to be done, on either side. */
function isSuspended(primary: Known, other: Known | undefined): boolean {
  const {record, vm, intent} = primary
  if (record.marks.suspended === undefined || !record.alone || vm?.coloMode !== 'none') return false
  if ([intent, other?.intent].some((each) => each?.kind === 'suspend')) return false
  return other === undefined || (other.domain === 'absent' && other.record.marks.stale !== undefined)
}

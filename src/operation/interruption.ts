import type {Known} from '../pair/assess.js'
import type {PairStatus} from '../pair/status.js'
import type {Plan} from '../plan/plan.js'
import type {OperationContext} from './context.js'
import {settle} from './final-status.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, type FoundPair} from './sides.js'

/** How long the verified state may take to show, in milliseconds. */
const settleMs = 10_000

/** Verified as protected, but for a note of a plan whose command died after its last step. */
export function isOnlyInterrupted({state, reasons}: PairStatus): boolean {
  return state === 'suspect' && reasons.length > 0 && reasons.every(({code}) => code === 'interrupted')
}

/** A command of this kind was cut off, and nobody works on its plan. */
export function isCutOff(known: readonly Known[], kind: Plan['kind']): boolean {
  return known.some(({intent, lock}) => intent?.kind === kind && lock === undefined)
}

/** What the plan was for is there: one without steps takes the place of the old note, and is cleared. */
export async function forgetInterruption(
  context: OperationContext,
  found: FoundPair,
  plan: Plan,
  options: {readonly dryRun: boolean; readonly timeoutMs: number},
): Promise<OperationResult> {
  const {pointOfNoReturn: _, ...rest} = plan
  const empty: Plan = {...rest, steps: []}
  if (options.dryRun) return dryRunOf(empty)
  const {timeoutMs} = options
  const timeline = await runPlan(context, clientsOf(found.sides), empty, {timeoutMs, premise: found.sides})
  const status = await settle(context, found, {states: ['protected'], timeoutMs: settleMs})
  return {pair: found.pair, changed: true, dryRun: false, plan: empty, status, timeline}
}

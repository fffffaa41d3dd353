import type {PairStatus} from '../pair/status.js'
import type {Plan} from '../plan/plan.js'

/** What an operation did, or with `dryRun` would do. */
export interface OperationResult {
  readonly pair: string
  readonly changed: boolean
  readonly dryRun: boolean
  readonly plan: Plan
  /** after the operation; absent in a dry run */
  readonly status?: PairStatus
  readonly timeline: readonly TimelineEntry[]
}

/** One step as it ran: host's wall clock at its end, and how long it took. */
export interface TimelineEntry {
  readonly atMs: number
  readonly host: string
  readonly step: string
  readonly state: 'done' | 'unchanged' | 'failed' | 'undone'
  readonly tookMs: number
}

export function dryRunOf(plan: Plan): OperationResult {
  return {pair: plan.pair, changed: plan.steps.length > 0, dryRun: true, plan, timeline: []}
}

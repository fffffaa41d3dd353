import type {Action} from './action.js'

export type PlanKind =
  | 'create'
  | 'failover'
  | 'test-failover'
  | 'suspend'
  | 'replace'
  | 'resync'
  | 'destroy'
  | 'start'
  | 'stop'
  | 'checkpoint'
  | 'repair'
  | 'disk'
  | 'net'
  | 'resolve'
  | 'apply'

/** One step of a plan: who does what, and how it is taken back. */
export interface Step {
  /** unique in the plan, stable from run to run: `beta/scratch-root` */
  readonly id: string
  readonly host: string
  /** a few words for progress: `start the secondary` */
  readonly label: string
  readonly actions: readonly Action[]
  /** run in reverse order of the steps when a later step fails before the point of no return */
  readonly undo?: readonly Action[]
  /** a failure is reported but does not end the plan (cleaning up what is no longer needed) */
  readonly optional?: true
}

/**
 * Everything an operation will do, computed before anything is touched (S5).
 *
 * Steps run in order; neighbours on the same host go to its agent as one batch.
 */
export interface Plan {
  readonly id: string
  readonly kind: PlanKind
  readonly pair: string
  /** one line for people: `fail over web1 to beta` */
  readonly title: string
  readonly steps: readonly Step[]
  /** id of the step whose success makes forward the only direction; none: everything can be undone */
  readonly pointOfNoReturn?: string
  /** the command that finishes this plan when it was interrupted after the point of no return */
  readonly finish: string
}

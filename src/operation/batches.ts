import type {Step} from '../plan/plan.js'

/** Steps that go to one agent together. */
export interface Batch {
  readonly host: string
  readonly steps: readonly Step[]
}

/** Neighbouring steps of one host go to its agent together. */
export function batches(steps: readonly Step[]): Batch[] {
  const grouped: Array<{host: string; steps: Step[]}> = []
  for (const step of steps) {
    const last = grouped.at(-1)
    if (last?.host === step.host) last.steps.push(step)
    else grouped.push({host: step.host, steps: [step]})
  }
  return grouped
}

/** What is left of a pair on a host can only be ended while its record is there: that stays, too. */
export function withoutRecord({host, steps}: Batch): Batch {
  const kept = ({undo, ...step}: Step): Step =>
    undo === undefined ? step : {...step, undo: undo.filter(({kind}) => kind !== 'record-remove')}
  return {host, steps: steps.map(kept)}
}

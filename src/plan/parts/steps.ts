import type {Action} from '../action.js'
import type {Step} from '../plan.js'

interface StepOptions {
  readonly undo?: readonly Action[]
  readonly optional?: true
}

/** A step on one host; its id is `host/name`. */
export function step(
  host: string,
  name: string,
  label: string,
  actions: readonly Action[],
  options: StepOptions = {},
): Step {
  return {
    id: `${host}/${name}`,
    host,
    label,
    actions,
    ...(options.undo === undefined ? {} : {undo: options.undo}),
    ...(options.optional === undefined ? {} : {optional: options.optional}),
  }
}

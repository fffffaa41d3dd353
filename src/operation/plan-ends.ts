import {ColoError, InterruptedError} from '../errors.js'
import type {Plan} from '../plan/plan.js'

/** How a plan ends that was interrupted before its point of no return. @param left  what could not be taken back */
export function interrupted(plan: Plan, cause: unknown, left: readonly string[]): InterruptedError {
  const title = `interrupted: ${plan.title}`
  if (left.length === 0) return new InterruptedError(`${title}; what was done has been taken back`, {cause})
  const hint = `left behind: ${left.join(', ')}; see what finishes it: colo pair status ${plan.pair}`
  return new InterruptedError(`${title}; not all that was done could be taken back`, {cause, hint})
}

/** How one ends that failed or was interrupted after it, or perhaps after it: with the command that finishes (S5). */
export function afterPointOfNoReturn(
  error: unknown,
  {
    plan,
    interrupted: isInterrupted,
    why = 'this cannot be taken back any more',
  }: {readonly plan: Plan; readonly interrupted: boolean; readonly why?: string | undefined},
): Error {
  const hint = `${why}; finish it: ${plan.finish}`
  if (isInterrupted) return new InterruptedError(`interrupted: ${plan.title}`, {hint, cause: error})
  if (!(error instanceof ColoError)) return error instanceof Error ? error : new Error(String(error))
  const text = error.hint === undefined ? hint : `${error.hint}; ${hint}`
  return new ColoError(error.code, error.exit, error.message, {hint: text, cause: error})
}

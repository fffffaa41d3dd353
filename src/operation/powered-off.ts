import {StateError} from '../errors.js'
import type {PairState} from '../pair/status.js'
import type {OperationContext} from './context.js'
import {finalStatus, settle} from './final-status.js'
import type {FoundPair} from './sides.js'

/** The agent notes a clean stop within milliseconds of the end of QEMU. */
const noteMs = 3000
const ended: readonly PairState[] = ['stopped', 'stopping']

/**
 * Runs a plan that a guest may spoil by powering off in its middle: then that is the error, whatever step it came out of.
 *
 * @param what  what could not be done, such as `protect web1`
 */
export async function unlessPoweredOff<R>(
  context: OperationContext,
  found: FoundPair,
  what: string,
  body: () => Promise<R>,
): Promise<R> {
  try {
    return await body()
  } catch (error) {
    if (context.signal.aborted || !(await isOff(context, found))) throw error
    throw new StateError(
      `cannot ${what}: its guest powered off meanwhile`,
      {actual: 'stopped', required: ['unprotected']},
      {hint: `colo pair start ${found.pair}`, cause: error},
    )
  }
}

async function isOff(context: OperationContext, found: FoundPair): Promise<boolean> {
  const {primary, members} = await finalStatus(context, found)
  if (members.find(({host}) => host === primary)?.domain !== 'absent') return false
  const {state} = await settle(context, found, {states: ended, timeoutMs: noteMs})
  return ended.includes(state)
}

import {ColoError} from '../errors.js'
import {observeParams} from '../host/agent-client.js'
import {assess} from '../pair/assess.js'
import type {PairState, PairStatus} from '../pair/status.js'
import type {OperationContext} from './context.js'
import {seenOf, type FoundPair} from './sides.js'

/** State of the pair after an operation, read anew over fresh observations of the sides that answered. */
export async function finalStatus(context: OperationContext, found: FoundPair): Promise<PairStatus> {
  const sides = await Promise.all(
    found.sides.map(async (side) => {
      if (!('client' in side)) return side
      try {
        const {members} = await side.client.call('pairs.observe', observeParams(side.client, found.pair), {
          timeoutMs: 5000,
        })
        const [member] = members
        return member === undefined ? side : {...side, member}
      } catch (error) {
        // the operation was done; an agent that went away since makes a state, not a failure
        if (!(error instanceof ColoError)) throw error
        return {host: side.host, problem: error}
      }
    }),
  )
  return assess(found.pair, sides.map(seenOf), context.clock.now())
}

/**
 * Watches hosts by name until the pair is in one of `wanted`, or the limit passes.
 *
 * @returns the last status, wanted or not
 */
export async function settle(
  context: OperationContext,
  found: FoundPair,
  wanted: {readonly states: readonly PairState[]; readonly timeoutMs: number},
): Promise<PairStatus> {
  const deadline = context.clock.monotonic() + wanted.timeoutMs
  for (;;) {
    const status = await finalStatus(context, found)
    if (wanted.states.includes(status.state) || context.clock.monotonic() >= deadline) return status
    await context.clock.sleep(100, context.signal)
  }
}

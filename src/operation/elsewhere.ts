import {ConflictError} from '../errors.js'
import {AgentError} from '../host/agent-wire.js'
import type {OperationContext} from './context.js'
import {closeSide, openSide, withGrace} from './sides.js'

/** A host that has no part in what is made delays it so long at most, milliseconds, unless the inventory says that it is slow. */
const GRACE_MS = 2000

/**
 * Looks for a pair of this name on every host but `hosts`. A pair may have moved away from the hosts its file names, twice: then neither
 * has a record, and the images that are left on them are old ones. A second pair made of those would answer beside the first.
 *
 * @returns names of the hosts that did not say
 * @throws {ConflictError} when another host has a record of that name; {AgentError} when it has one that it cannot read
 */
export async function refuseElsewhere(
  context: OperationContext,
  pair: string,
  hosts: readonly string[],
): Promise<readonly string[]> {
  const others = context.inventory.hosts.filter(({name}) => !hosts.includes(name))
  const done = new AbortController()
  const search = {...context, signal: AbortSignal.any([context.signal, done.signal])}
  const sides = await Promise.all(
    others.map(async ({name, answerTimeoutMs = 0}) => {
      const opening = openSide(search, name, pair)
      void opening.then(closeSide, () => undefined)
      return withGrace(opening, name, Math.max(GRACE_MS, 2 * answerTimeoutMs))
    }),
  )
  done.abort()
  context.signal.throwIfAborted()
  for (const side of sides) {
    // it answers, and cannot say: a record that is broken or newer is a record
    if ('problem' in side && side.problem instanceof AgentError) throw side.problem
  }
  const has = sides.flatMap((side) => {
    const found = 'member' in side && side.member.record !== undefined
    return found && !hosts.includes(side.member.host) ? [side.host] : [] // one machine may be listed twice
  })
  if (has.length > 0) {
    throw new ConflictError(`pair ${pair} exists already on ${has.join(' and ')}, which its file does not name`, {
      hint:
        `see it: colo pair status ${pair}; move it: colo pair replace ${pair} --secondary HOST\n` +
        `a leftover is ended with an inventory that names only its host: colo pair destroy ${pair} --hosts FILE --yes --force peer-unknown`,
    })
  }
  return sides.flatMap((side) => ('problem' in side ? [side.host] : []))
}

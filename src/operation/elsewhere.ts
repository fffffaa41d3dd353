import {ConflictError} from '../errors.js'
import type {OperationContext} from './context.js'
import {closeSide, openSide, withGrace} from './sides.js'

/** A host that has no part in what is made delays it so long at most, milliseconds. */
const GRACE_MS = 2000

/**
 * Looks for a pair of this name on every host but `hosts`. A pair may have moved away from the hosts its file names, twice: then neither
 * has a record, and the images that are left on them are old ones. A second pair made of those would answer beside the first.
 *
 * @returns names of the hosts that did not say
 * @throws {ConflictError} when another host has a record of that name
 */
export async function refuseElsewhere(
  context: OperationContext,
  pair: string,
  hosts: readonly string[],
): Promise<readonly string[]> {
  const others = context.inventory.hosts.map(({name}) => name).filter((name) => !hosts.includes(name))
  const done = new AbortController()
  const search = {...context, signal: AbortSignal.any([context.signal, done.signal])}
  const sides = await Promise.all(
    others.map(async (host) => {
      const opening = openSide(search, host, pair)
      void opening.then(closeSide, () => undefined)
      return withGrace(opening, host, GRACE_MS)
    }),
  )
  done.abort()
  context.signal.throwIfAborted()
  const has = sides.flatMap((side) => ('member' in side && side.member.record !== undefined ? [side.host] : []))
  if (has.length > 0) {
    throw new ConflictError(`pair ${pair} exists already on ${has.join(' and ')}, which its file does not name`, {
      hint:
        `see it: colo pair status ${pair}; move it: colo pair replace ${pair} --secondary HOST\n` +
        `a leftover is ended with an inventory that names only its host: colo pair destroy ${pair} --hosts FILE --yes --force peer-unknown`,
    })
  }
  return sides.flatMap((side) => ('problem' in side ? [side.host] : []))
}

import {checkPair, type Check} from '../../host/preflight.js'
import {fetchHostFacts} from '../../host/fetch-facts.js'
import {checkSameXen, checkXenHost} from '../../host/rules/xen.js'
import type {HostFacts} from '../../host/facts.js'
import type {HostEntry} from '../../pair/inventory.js'
import type {PairSpec} from '../../pair/spec.js'
import {openCandidates} from '../candidates.js'
import type {OperationContext} from '../context.js'

/** What some hosts can run as Xen hosts: each alone, then each other one with the first. */
export async function checkXenHosts(context: OperationContext, entries: readonly HostEntry[]): Promise<Check[]> {
  const {clock, signal} = context
  const facts = await Promise.all(
    entries.map(async (entry): Promise<HostFacts> => {
      const client = await context.connect(entry, signal)
      try {
        return {...(await fetchHostFacts(client, {clock, signal})), host: entry.name}
      } finally {
        client.close()
      }
    }),
  )
  const [first, ...others] = facts
  return [
    ...facts.flatMap(checkXenHost),
    ...(first === undefined ? [] : others.flatMap((other) => checkSameXen(first, other))),
  ]
}

/** Everything that creating this pair would check. */
export async function checkXenSpec(context: OperationContext, spec: PairSpec): Promise<Check[]> {
  const candidates = await openCandidates(context, spec)
  try {
    const {primary, secondary} = candidates
    return checkPair({
      spec,
      entries: {primary: primary.entry, secondary: secondary.entry},
      facts: {primary: primary.facts, secondary: secondary.facts},
      records: [...primary.records, ...secondary.records],
    })
  } finally {
    candidates.close()
  }
}

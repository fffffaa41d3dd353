import {observeParams, type AgentClient} from '../host/agent-client.js'
import {fetchHostFacts} from '../host/fetch-facts.js'
import {pathsToProbe} from '../host/preflight.js'
import type {MemberObservation} from '../pair/observation.js'
import type {PairRecord} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import type {OperationContext} from './context.js'
import type {CandidateSide} from './prepare-create.js'
import {closeSide, entryOf, openSide} from './sides.js'

/** Facts of a host take as long as its QEMU takes to answer a few questions; this is their limit, in milliseconds. */
const factsLimitMs = 30_000

/** A host that is to run a member: reached, looked at. */
export interface Candidate extends CandidateSide {
  readonly client: AgentClient
  readonly member: MemberObservation
  /** of all pairs of the host */
  readonly records: readonly PairRecord[]
}

export interface Candidates {
  readonly primary: Candidate
  readonly secondary: Candidate
  close(): void
}

/**
 * Connects to both hosts of a spec and reads what create needs to know of them.
 *
 * @throws {NotFoundError} for a host that is not in the inventory; the connection's error when one does not answer
 */
export async function openCandidates(context: OperationContext, spec: PairSpec): Promise<Candidates> {
  const names = [spec.hosts.primary, spec.hosts.secondary] as const
  const entries = names.map((name) => entryOf(context, name))
  const sides = await Promise.all(names.map((name) => openSide(context, name, spec.name)))
  try {
    const candidates = await Promise.all(
      sides.map(async (side, index): Promise<Candidate> => {
        const entry = entries[index]
        if ('problem' in side || entry === undefined) throw 'problem' in side ? side.problem : new Error('no entry')
        const limits = {timeoutMs: factsLimitMs, signal: context.signal}
        const [facts, {members}] = await Promise.all([
          fetchHostFacts(side.client, {clock: context.clock, signal: context.signal, paths: pathsToProbe(spec, entry)}),
          side.client.call('pairs.observe', observeParams(side.client), limits),
        ])
        const records = members.flatMap(({record}) => record ?? [])
        return {entry, facts, client: side.client, member: side.member, records}
      }),
    )
    const [primary, secondary] = candidates
    if (primary === undefined || secondary === undefined) throw new Error('two hosts were asked')
    return {primary, secondary, close: () => sides.forEach(closeSide)}
  } catch (error) {
    sides.forEach(closeSide)
    throw error
  }
}

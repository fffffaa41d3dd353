import {ColoError, UnreachableError} from '../errors.js'
import {observeParams} from '../host/agent-client.js'
import {assess} from '../pair/assess.js'
import {currentMembers} from '../pair/membership.js'
import type {MemberObservation} from '../pair/observation.js'
import type {PairStatus, Seen} from '../pair/status.js'
import type {OperationContext} from './context.js'
import {learnGenerations} from './generations.js'
import {findPair, seenOf, type FoundPair} from './sides.js'

export interface ObservedPair {
  readonly status: PairStatus
  readonly seen: readonly Seen[]
}

/** Reads both members of a pair and says what state it is in. A loser that has not heard of the newer generation is told. */
export async function observePair(context: OperationContext, pair: string): Promise<ObservedPair> {
  const found = await findPair(context, pair)
  try {
    await learnGenerations(context, found)
    return observed(context, found)
  } finally {
    found.close()
  }
}

export function observed(context: OperationContext, found: FoundPair): ObservedPair {
  const seen = found.sides.map(seenOf)
  return {status: assess(found.pair, seen, context.clock.now()), seen}
}

/** All pairs of an inventory, as far as its hosts answer. */
export interface ObservedAll {
  readonly pairs: readonly PairStatus[]
  /** hosts that do not answer: pairs of theirs may be missing */
  readonly silent: ReadonlyArray<{readonly host: string; readonly problem: string}>
}

/**
 * Every pair that any host of the inventory knows, by name. Hosts that do not answer are named in the reasons of their pairs, too.
 *
 * @throws {UnreachableError} when no host answers
 */
export async function observeAll(context: OperationContext): Promise<ObservedAll> {
  const answers = await Promise.all(
    context.inventory.hosts.map(async (entry) => {
      try {
        const client = await context.connect(entry, context.signal)
        try {
          const {members} = await client.call('pairs.observe', observeParams(client), {
            timeoutMs: 5000,
            signal: context.signal,
          })
          return {host: entry.name, members}
        } finally {
          client.close()
        }
      } catch (error) {
        if (!(error instanceof ColoError)) throw error
        return {host: entry.name, problem: error.message}
      }
    }),
  )
  const silent = answers.flatMap(({host, problem}) => (problem === undefined ? [] : [{host, problem}]))
  const [first] = silent
  if (first !== undefined && silent.length === answers.length) throw new UnreachableError(first.host, first.problem)
  const byPair = new Map<string, MemberObservation[]>()
  for (const answer of answers) {
    for (const member of answer.members ?? []) {
      const name = member.record?.spec.name
      if (name !== undefined) byPair.set(name, [...(byPair.get(name) ?? []), member])
    }
  }
  const problems = new Map(answers.map(({host, problem}) => [host, problem]))
  const pairs = [...byPair.entries()]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([pair, members]) => assess(pair, seenOfPair(members, problems), context.clock.now()))
  return {pairs, silent}
}

function seenOfPair(all: readonly MemberObservation[], problems: ReadonlyMap<string, string | undefined>): Seen[] {
  const members = currentMembers(all)
  const seen = members.map((member): Seen => ({host: member.host, member}))
  const [only] = members
  if (members.length !== 1 || only?.record === undefined) return seen
  const {peer} = only.record
  const problem = problems.has(peer) ? problems.get(peer) : 'not in the inventory'
  // a peer that answers but has no record of the pair is simply not there
  return problem === undefined ? seen : [...seen, {host: peer, unreachable: problem}]
}

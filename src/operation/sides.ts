import {ConflictError, NotFoundError, UnreachableError, ColoError} from '../errors.js'
import {observeParams, type AgentClient} from '../host/agent-client.js'
import type {HostEntry} from '../pair/inventory.js'
import {areMutual, leadingRecord} from '../pair/membership.js'
import type {MemberObservation} from '../pair/observation.js'
import type {Seen} from '../pair/status.js'
import type {OperationContext} from './context.js'

/** One host of a pair as this command reaches it. */
export type Side =
  | {readonly host: string; readonly client: AgentClient; readonly member: MemberObservation}
  | {readonly host: string; readonly problem: ColoError}

/** A pair found in the inventory: both its hosts, answered or not. Close it when done. */
export interface FoundPair {
  readonly pair: string
  readonly sides: readonly [Side, Side]
  close(): void
}

/** Nobody who answers knows the pair, and hosts that do not answer may have it: nothing says that there is none. */
export class UnseenPairError extends UnreachableError {
  constructor(pair: string, silent: readonly string[], cause: ColoError) {
    super(silent[0] ?? '', `no host that answers knows a pair named ${pair}: ${cause.message}`, {
      hint: `these do not answer and may have it: ${silent.join(', ')}`,
      cause,
    })
  }
}

/** How long a silent peer is waited for once the other side answered, in milliseconds. */
const defaultPeerGraceMs = 6000
const observeLimitMs = 4000
/** A host that answered already is not called silent because the grace is over, milliseconds. */
const lastLookMs = 50

export function entryOf(context: OperationContext, host: string): HostEntry {
  const entry = context.inventory.hosts.find(({name}) => name === host)
  if (entry === undefined) {
    throw new NotFoundError(`host ${host} is not in ${context.inventory.file}`, {
      hint: `add it: colo host add ${host} --connection ssh://root@ADDRESS --replication ADDRESS`,
    })
  }
  return entry
}

/**
 * Connects to one host and reads its member of `pair`; a host that does not answer is a value, not an error.
 */
export async function openSide(context: OperationContext, host: string, pair: string): Promise<Side> {
  let client: AgentClient | undefined
  try {
    client = await context.connect(entryOf(context, host), context.signal)
    const {members} = await client.call('pairs.observe', observeParams(client, pair), {
      timeoutMs: observeLimitMs,
      signal: context.signal,
    })
    const [member] = members
    if (member === undefined) throw new UnreachableError(host, `the agent on ${host} gave no observation of ${pair}`)
    return {host, client, member}
  } catch (error) {
    client?.close()
    if (error instanceof NotFoundError || !(error instanceof ColoError)) throw error
    return {host, problem: error}
  }
}

/**
 * Finds the two hosts of a pair: every host of the inventory is asked at once, and as soon as one has a record only its peer is
 * waited for, so that a dead third host delays nothing. When the peer does not name that one as its own, all are: the newest record says who
 * belongs to the pair.
 *
 * @throws {NotFoundError} when the hosts answer and none knows the pair
 * @throws {ConflictError} when the two have records of different pairs of that name
 * @throws {UnseenPairError} when those that answer do not know it, and others do not answer; {UnreachableError} when no host answers
 */
export async function findPair(
  context: OperationContext,
  pair: string,
  options: {readonly peerGraceMs?: number} = {},
): Promise<FoundPair> {
  const done = new AbortController()
  const search = {...context, signal: AbortSignal.any([context.signal, done.signal])}
  const opened = new Map<string, Promise<Side>>(
    context.inventory.hosts.map(({name}) => [name, openSide(search, name, pair)]),
  )
  // once the pair is closed nobody waits for hosts that have not answered
  for (const side of opened.values()) side.catch(() => undefined)
  const first = await firstWithRecord([...opened.values()])
  if (first === undefined) return await nobodyKnows(pair, await Promise.all(opened.values()))
  const endMs = context.clock.monotonic() + (options.peerGraceMs ?? defaultPeerGraceMs)
  const at = (host: string): Promise<Side> => {
    const {answerTimeoutMs = 0} = context.inventory.hosts.find(({name}) => name === host) ?? {}
    return withGrace(
      opened.get(host) ?? Promise.resolve(absentFromInventory(host, context)),
      host,
      // a slow host has its time for the connection and for the answer
      Math.max(lastLookMs, endMs - context.clock.monotonic(), 2 * answerTimeoutMs),
    )
  }
  const [a, b] = await membersAmong(first, {at, hosts: [...opened.keys()]})
  for (const [host, side] of opened) {
    if (host !== a.host && host !== b.host) void side.then(closeSide, () => undefined)
  }
  refuseNamesakes(pair, a, b)
  return {
    pair,
    sides: [a, b],
    close: () => {
      // a peer that answers after its grace is let go of, too; one that has not answered is no longer tried
      for (const side of opened.values()) void side.then(closeSide, () => undefined)
      done.abort()
    },
  }
}

/**
 * The two that belong to the pair. Each names the other: that is the rule, and nobody else is waited for. Else a third host may have the newer
 * record: one that was replaced while it was away must not pass for a member.
 */
async function membersAmong(
  first: AnsweredSide,
  {at, hosts}: {readonly at: (host: string) => Promise<Side>; readonly hosts: readonly string[]},
): Promise<readonly [AnsweredSide, Side]> {
  const own = first.member.record
  const peer = await at(own?.peer ?? '')
  const theirs = 'member' in peer ? peer.member.record : undefined
  if (own === undefined || (theirs !== undefined && (areMutual(own, theirs) || own.uuid !== theirs.uuid)))
    return [first, peer]
  const all = await Promise.all(hosts.map(at))
  const answered = all.filter((side): side is AnsweredSide => 'client' in side && side.member.record?.uuid === own.uuid)
  const lead = leadingRecord(answered.flatMap(({member}) => member.record ?? []))
  const side = answered.find(({host}) => host === lead?.host)
  if (lead === undefined || side === undefined || side === first) return [first, peer]
  return [side, all.find(({host}) => host === lead.peer) ?? (await at(lead.peer))]
}

/** A host that was away while its pair was destroyed and made anew elsewhere still has the old record: not a copy of this pair. */
function refuseNamesakes(pair: string, first: AnsweredSide, peer: Side): void {
  const theirs = 'member' in peer ? peer.member.record : undefined
  const ours = first.member.record
  if (theirs === undefined || ours === undefined || theirs.uuid === ours.uuid) return
  closeSide(first)
  closeSide(peer)
  const places = [first, peer].map(({host}) => host).join(' and ')
  throw new ConflictError(`${places} have records of two different pairs named ${pair}`, {
    hint: `end the one that is not wanted with an inventory that names only its host: colo pair destroy ${pair} --hosts FILE --yes --force peer-unknown`,
  })
}

type AnsweredSide = Extract<Side, {client: AgentClient}>

/** The first answer that has a record. Settles when one does, or when all have answered. */
async function firstWithRecord(sides: ReadonlyArray<Promise<Side>>): Promise<AnsweredSide | undefined> {
  return await new Promise((resolve, reject) => {
    let open = sides.length
    if (open === 0) resolve(undefined)
    for (const pending of sides) {
      pending.then((side) => {
        if ('client' in side && side.member.record !== undefined) resolve(side)
        if (--open === 0) resolve(undefined)
      }, reject)
    }
  })
}

/** The side, or that it has not answered after `graceMs`. */
export async function withGrace(side: Promise<Side>, host: string, graceMs: number): Promise<Side> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Side>((resolve) => {
    timer = setTimeout(() => {
      resolve({host, problem: new UnreachableError(host, `no answer from ${host} within ${graceMs / 1000} s`)})
    }, graceMs)
  })
  try {
    return await Promise.race([side, late])
  } finally {
    clearTimeout(timer)
  }
}

function absentFromInventory(host: string, context: OperationContext): Side {
  return {host, problem: new UnreachableError(host, `host ${host} is not in ${context.inventory.file}`)}
}

async function nobodyKnows(pair: string, sides: readonly Side[]): Promise<never> {
  sides.forEach(closeSide)
  const silent = sides.flatMap((side) => ('problem' in side ? [side] : []))
  const [first] = silent
  if (first === undefined) throw new NotFoundError(`no host knows a pair named ${pair}`, {hint: 'see `colo pair list`'})
  if (silent.length === sides.length) throw first.problem
  throw new UnseenPairError(
    pair,
    silent.map(({host}) => host),
    first.problem,
  )
}

export function closeSide(side: Side): void {
  if ('client' in side) side.client.close()
}

/** What the state machine sees of a side. */
export function seenOf(side: Side): Seen {
  return 'client' in side
    ? {host: side.host, member: side.member}
    : {host: side.host, unreachable: side.problem.message}
}

/** The clients of the sides that answered, by host name. */
export function clientsOf(sides: readonly Side[]): Map<string, AgentClient> {
  return new Map(sides.flatMap((side) => ('client' in side ? [[side.host, side.client] as const] : [])))
}

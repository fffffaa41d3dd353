import {setMaxListeners} from 'node:events'
import type {RecordedEvent} from '../agent/protocol.js'
import {ColoError} from '../errors.js'
import type {AgentClient} from '../host/agent-client.js'
import {assess} from '../pair/assess.js'
import type {HostEntry} from '../pair/inventory.js'
import {currentMembers} from '../pair/membership.js'
import type {MemberObservation} from '../pair/observation.js'
import type {PairState, Seen} from '../pair/status.js'
import type {StatsUpdate} from '../stats/member-stats.js'
import type {OperationContext} from './context.js'
import type {FleetMessage} from './fleet-messages.js'

export interface FleetOptions {
  readonly intervalMs: number
  readonly emit: (message: FleetMessage) => void
}

/** Everything is observed anew so often, whatever the streams say: some faults cause no event. Many pairs are a lot to ask for. */
const observeAllMs = 5000
const perPairMs = 60
const retryMs = 2000
const callLimitMs = 5000
/** An agent answers a follower only at its end; the limit is what a timer can hold. */
const followLimitMs = 2 ** 31 - 1
/** more pairs than this at once: asking for all is cheaper */
const singlesAtOnce = 8

/** Pairs in these states are observed at every interval: something is going on. */
const moving: ReadonlySet<PairState> = new Set([
  'starting',
  'stopping',
  'syncing',
  'committing',
  'resyncing',
  'failing-over',
  'suspect',
])

function nextAllMs(pairs: number): number {
  return Math.max(observeAllMs, pairs * perPairMs)
}

interface HostState {
  readonly entry: HostEntry
  client: AgentClient | undefined
  problem: string | undefined
  /** it answered or failed once: until then nothing is said about its pairs */
  settled: boolean
  members: Map<string, MemberObservation>
  /** last `change` of each pair's figures */
  readonly changes: Map<string, string>
  readonly wanted: Set<string>
  nextAllMs: number
  busy: boolean
}

/**
 * A live view of all pairs on all hosts. Per host one connection: the agent streams figures, and this asks for observations when the
 * stream says that something changed, and every few seconds anyway. Takes no lock and changes nothing. A host that is lost is tried
 * again and again, and comes back by itself.
 */
export class Fleet {
  readonly #context: OperationContext
  readonly #emit: (message: FleetMessage) => void
  readonly #hosts: readonly HostState[]
  readonly #states = new Map<string, PairState>()
  readonly #dirty = new Set<string>()
  #intervalMs: number
  #focus: string | undefined
  #unfollow = new AbortController()

  constructor(context: OperationContext, {intervalMs, emit}: FleetOptions) {
    this.#context = context
    this.#emit = emit
    this.#intervalMs = intervalMs
    this.#hosts = context.inventory.hosts.map((entry) => ({
      entry,
      client: undefined,
      problem: undefined,
      settled: false,
      members: new Map(),
      changes: new Map(),
      wanted: new Set(),
      nextAllMs: 0,
      busy: false,
    }))
  }

  setInterval(intervalMs: number): void {
    this.#intervalMs = intervalMs
  }

  /** From now on this pair is looked at in every interval, and its events are sent. */
  focus(pair: string | undefined): void {
    this.#unfollow.abort()
    this.#unfollow = new AbortController()
    setMaxListeners(0, this.#unfollow.signal)
    this.#focus = pair
    if (pair !== undefined) for (const host of this.#hosts) this.#followEvents(host, pair)
  }

  /** Settles when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    setMaxListeners(0, signal)
    await Promise.all([...this.#hosts.map((host) => this.#keep(host, signal)), this.#beat(signal)])
  }

  /** Connects, streams, connects again. */
  async #keep(host: HostState, signal: AbortSignal): Promise<void> {
    const {name} = host.entry
    while (!signal.aborted) {
      try {
        const client = await this.#context.connect(host.entry, signal)
        const {version, startedAtMs} = client.hello
        await this.#first(host, client)
        this.#emit({kind: 'host', host: name, state: 'up', version, startedAtMs})
        if (this.#focus !== undefined) this.#followEvents(host, this.#focus)
        await this.#stream(host, client, signal)
      } catch (error) {
        this.#lost(host, error, signal)
      }
      await this.#pause(retryMs, signal)
    }
  }

  /** The whole host at once, before it counts as there. */
  async #first(host: HostState, client: AgentClient): Promise<void> {
    const {members} = await client.call('pairs.observe', {}, {timeoutMs: callLimitMs})
    host.client = client
    host.problem = undefined
    host.settled = true
    host.changes.clear()
    host.nextAllMs = this.#context.clock.monotonic() + nextAllMs(members.length)
    this.#replaceAll(host, members)
    // pairs that waited for this host
    for (const [pair, {record}] of this.#membersOfAll()) if (record?.peer === host.entry.name) this.#dirty.add(pair)
    this.#tell()
  }

  #lost(host: HostState, error: unknown, signal: AbortSignal): void {
    host.client?.close()
    host.client = undefined
    host.settled = true
    if (signal.aborted) return
    if (!(error instanceof ColoError)) throw error
    host.problem = error.message
    this.#emit({kind: 'host', host: host.entry.name, state: 'lost', problem: error.message})
    for (const [pair, {record}] of this.#membersOfAll()) {
      if (host.members.has(pair) || record?.peer === host.entry.name) this.#dirty.add(pair)
    }
    this.#tell()
  }

  /** Never settles while the connection lives. */
  async #stream(host: HostState, client: AgentClient, signal: AbortSignal): Promise<void> {
    const onEvent = (event: RecordedEvent): void => {
      const updates = event.data['updates']
      if (event.type !== 'STATISTICS' || !Array.isArray(updates)) return
      this.#figures(host, updates as readonly StatsUpdate[], event.atMs - this.#context.clock.now())
    }
    const options = {timeoutMs: followLimitMs, signal, onEvent}
    await client.call('stats.read', {follow: true, intervalMs: Math.max(200, Math.min(500, this.#intervalMs))}, options)
  }

  #figures(host: HostState, updates: readonly StatsUpdate[], offsetMs: number): void {
    for (const {pair, change} of updates) {
      const before = host.changes.get(pair)
      host.changes.set(pair, change)
      if (before !== undefined && before !== change) this.#want(pair)
    }
    this.#emit({kind: 'stats', host: host.entry.name, offsetMs, updates})
  }

  #want(pair: string): void {
    for (const {wanted} of this.#hosts) wanted.add(pair)
  }

  /** One turn per interval: what is due is asked for, and what changed is told. */
  async #beat(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const [pair, state] of this.#states) if (moving.has(state)) this.#want(pair)
      if (this.#focus !== undefined) this.#want(this.#focus)
      for (const host of this.#hosts) {
        if (host.client !== undefined && !host.busy) void this.#observe(host, host.client)
      }
      this.#tell()
      await this.#pause(this.#intervalMs, signal)
    }
  }

  async #observe(host: HostState, client: AgentClient): Promise<void> {
    host.busy = true
    const options = {timeoutMs: callLimitMs}
    const wanted = [...host.wanted]
    host.wanted.clear()
    try {
      const nowMs = this.#context.clock.monotonic()
      if (nowMs >= host.nextAllMs || wanted.length > singlesAtOnce) {
        host.nextAllMs = nowMs + nextAllMs(host.members.size)
        const {members} = await client.call('pairs.observe', {}, options)
        this.#replaceAll(host, members)
      } else {
        const known = wanted.filter((pair) => host.members.has(pair))
        const answers = await Promise.all(known.map((pair) => client.call('pairs.observe', {pair}, options)))
        for (const [member] of answers.map(({members}) => members)) if (member !== undefined) this.#take(host, member)
        await this.#focusFigures(host, client)
      }
    } catch (error) {
      if (!(error instanceof ColoError)) throw error
      // the connection's own end is told by the stream; a slow answer is asked for again
    } finally {
      host.busy = false
    }
  }

  /** Counters of disks and NICs are not streamed. */
  async #focusFigures(host: HostState, client: AgentClient): Promise<void> {
    const pair = this.#focus
    if (pair === undefined || !host.members.has(pair)) return
    const {members} = await client.call('stats.read', {pair}, {timeoutMs: callLimitMs})
    const updates = members.map((whole): StatsUpdate => ({pair, atMs: whole.atMs, change: whole.change, whole}))
    const [first] = members
    if (first === undefined) return
    this.#emit({kind: 'stats', host: host.entry.name, offsetMs: first.atMs - this.#context.clock.now(), updates})
  }

  #replaceAll(host: HostState, members: readonly MemberObservation[]): void {
    const before = host.members
    host.members = new Map()
    for (const member of members) this.#take(host, member)
    for (const pair of before.keys()) if (!host.members.has(pair)) this.#dirty.add(pair)
  }

  #take(host: HostState, member: MemberObservation): void {
    const name = member.record?.spec.name
    if (name === undefined) return
    host.members.set(name, member)
    this.#dirty.add(name)
  }

  #tell(): void {
    if (this.#dirty.size === 0) return
    const pairs = [...this.#dirty].sort().filter((pair) => this.#isSettled(pair))
    for (const pair of pairs) this.#dirty.delete(pair)
    const observed = pairs.flatMap((pair) => {
      const {seen, members} = this.#seenOf(pair)
      // with no host to ask, the last known state is worth more than `failed`
      if (members.length === 0 || seen.every((side) => 'unreachable' in side)) return []
      const status = assess(pair, seen, this.#context.clock.now())
      this.#states.set(pair, status.state)
      return [{status, members}]
    })
    const gone = pairs.filter((pair) => this.#seenOf(pair).members.length === 0)
    for (const pair of gone) this.#states.delete(pair)
    if (observed.length > 0) this.#emit({kind: 'observed', pairs: observed})
    if (gone.length > 0) this.#emit({kind: 'gone', pairs: gone})
  }

  /** Both hosts of a pair have answered or failed once. */
  #isSettled(pair: string): boolean {
    const names = this.#hosts.flatMap(({members}) => members.get(pair)?.record?.peer ?? [])
    return this.#hosts.every(({entry, settled}) => settled || !names.includes(entry.name))
  }

  /** Both hosts of a pair, answered or not. What a lost host said last is kept, but counts as unreachable. */
  #seenOf(pair: string): {seen: readonly Seen[]; members: readonly MemberObservation[]} {
    const holders = this.#hosts.filter(({members}) => members.has(pair))
    const members = currentMembers(holders.flatMap((host) => host.members.get(pair) ?? []))
    const names = new Set(
      members.flatMap(({record, host}) => (record === undefined ? [host] : [record.host, record.peer])),
    )
    const seen = [...names].flatMap((name): Seen[] => {
      const host = this.#hosts.find(({entry}) => entry.name === name)
      if (host === undefined) return [{host: name, unreachable: 'not in the inventory'}]
      if (host.client === undefined) return [{host: name, unreachable: host.problem ?? 'not connected yet'}]
      const member = host.members.get(pair)
      return member === undefined ? [] : [{host: name, member}]
    })
    return {seen, members}
  }

  *#membersOfAll(): Generator<[string, MemberObservation]> {
    for (const {members} of this.#hosts) yield* members
  }

  /** On a connection of its own: closing it is what ends a follower. A host that does not know the pair has nothing to tell. */
  #followEvents(host: HostState, pair: string): void {
    const {signal} = this.#unfollow
    if (host.client === undefined) return
    const follow = async (): Promise<void> => {
      const client = await this.#context.connect(host.entry, signal)
      signal.addEventListener('abort', () => client.close(), {once: true})
      const onEvent = (event: RecordedEvent): void => this.#emit({kind: 'event', host: host.entry.name, event})
      await client.call('events.read', {pair, follow: true}, {timeoutMs: followLimitMs, signal, onEvent})
    }
    follow().catch(() => undefined)
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.#context.clock.sleep(ms, signal).catch(() => undefined)
  }
}

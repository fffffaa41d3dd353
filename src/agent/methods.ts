import {ColoError, ConflictError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import type {Clock} from '../os/clock.js'
import type {HostFacts} from '../host/facts.js'
import type {BootList} from './boot-list.js'
import type {AuditLog} from './audit-log.js'
import type {Client} from './client.js'
import type {LockOwner, Locks} from './locks.js'
import type {Member} from './member.js'
import type {Members} from './members.js'
import {readStats, streamStats} from './member-stats.js'
import {observeMember, type ObserverDeps} from './observe.js'
import type {Hello, Method, Params, PlainDomain, RecordedEvent, Request, Result} from './protocol.js'
import type {Step} from '../plan/plan.js'
import type {StepRunner} from './step-runner.js'

export interface MethodDeps {
  readonly hello: Hello
  readonly clock: Clock
  readonly locks: Locks
  readonly members: Members
  readonly observer: ObserverDeps
  readonly runner: StepRunner
  readonly audit: AuditLog
  readonly boots: BootList
  /** settles when the pairs on the disk are known */
  readonly opened: () => Promise<unknown>
  readonly readDomain: (name: string) => Promise<PlainDomain | undefined>
  readonly facts: (params: Params<'host.facts'>) => Promise<HostFacts>
  /** aborted when the agent ends */
  readonly ending: AbortSignal
  /** silence after which the holder of a lock counts as dead, milliseconds; 15 s unless told */
  readonly deadMs?: number | undefined
}

/** A lock of the agent itself, or one whose command is gone but whose last step is being ended, is waited for so long. */
const ORPHAN_MS = 5000
/**
 * A command that holds a lock gives a sign of life every three seconds. When its machine lost power the connection stays open for hours, and
 * so would the lock: after this long, whoever wants the lock gets it.
 */
const DEAD_MS = 15_000

type Handler<M extends Method> = (params: Params<M>, call: {client: Client; id: number}) => Promise<Result<M>>

/** Answers the calls of protocol.ts. */
export class AgentMethods {
  readonly #deps: MethodDeps
  /** pairs whose steps run, with the connection that asked */
  readonly #busy = new Map<string, Client>()
  /** owners of locks that are this agent itself; its own steps are short */
  readonly #own = new WeakSet<LockOwner>()

  constructor(deps: MethodDeps) {
    this.#deps = deps
  }

  handle(request: Request, client: Client): Promise<unknown> {
    const handler = this.#handlers[request.method] as Handler<Method>
    return handler(request.params, {client, id: request.id})
  }

  /** A connection ended: its locks end, except those whose steps still run. */
  clientGone(client: Client): void {
    for (const pair of this.#deps.locks.heldBy(client)) {
      if (this.#busy.get(pair) !== client) this.#release(pair, client)
    }
  }

  readonly #handlers: {readonly [M in Method]: Handler<M>} = {
    hello: () => Promise.resolve(this.#deps.hello),
    'pairs.list': async () => ({pairs: await this.#deps.members.names()}),
    'pairs.observe': (params) => this.#observe(params),
    'host.facts': (params) => this.#deps.facts(params),
    'domain.read': async ({domain}) => ({domain: await this.#deps.readDomain(domain)}),
    'lock.acquire': (params, {client}) => this.#acquire(params, client),
    'lock.release': ({pair}, {client}) => {
      this.#release(pair, client)
      return Promise.resolve({})
    },
    'intent.write': async ({pair, plan, owner, origin}, {client}) => {
      this.#deps.locks.require(pair, client, 'writing an intent')
      if (plan.pair !== pair) throw new ConflictError(`a plan for ${plan.pair} is no intent of ${pair}`)
      const member = await this.#deps.members.open(pair)
      await member.intents.write(plan, owner, this.#deps.clock.now())
      this.#deps.audit.begin({pair, plan, owner, origin, generation: () => member.records.current?.generation})
      return {}
    },
    'intent.read': async ({pair}) => {
      const intent = await (await this.#deps.members.open(pair)).intents.read()
      return {plan: intent?.plan, done: intent?.done ?? [], committed: intent?.committed ?? false}
    },
    'intent.clear': async ({pair, result}, {client}) => {
      this.#deps.locks.require(pair, client, 'clearing an intent')
      const member = await this.#deps.members.open(pair)
      await member.intents.clear()
      this.#deps.audit.end(pair, result ?? 'done')
      await this.#deps.members.forgetIfEmpty(pair)
      return {}
    },
    'steps.run': (params, call) =>
      this.#exclusive(params, call, async (job) => ({done: await this.#deps.runner.run(job)})),
    'steps.undo': (params, call) =>
      this.#exclusive(params, call, async (job) => ({failures: await this.#deps.runner.undo(job)})),
    'generation.learn': async ({pair, generation, alone}) => {
      const member = await this.#deps.members.find(pair)
      return member === undefined ? {fenced: false} : member.talk.learn({generation, alone})
    },
    'boot.read': async () => {
      await this.#deps.opened()
      return {waiting: this.#deps.boots.waiting}
    },
    'boot.note': async ({pair, boot}) => {
      await this.#deps.boots.note(pair, boot)
      return {}
    },
    'events.read': (params, {client, id}) => this.#readEvents(params, client, id),
    'stats.read': (params, {client, id}) => this.#readStats(params, client, id),
    'trace.set': ({pair, tracing}) => this.#setTracing(pair, tracing),
  }

  #release(pair: string, client: Client): void {
    const {locks, audit} = this.#deps
    if (locks.ownerOf(pair) !== client) return
    locks.release(pair, client)
    audit.end(pair, 'unfinished')
  }

  /** Members are asked side by side. When all are asked, one with a broken record is left out; asked by name it is an error. */
  async #observe({pair, withinMs}: Params<'pairs.observe'>): Promise<Result<'pairs.observe'>> {
    const {members, observer} = this.#deps
    if (pair !== undefined) {
      const member = (await members.find(pair)) ?? (await members.stranger(pair))
      return {members: [await observeMember(member, observer, withinMs)]}
    }
    const names = await members.names()
    const seen = await Promise.allSettled(
      names.map(async (name) => observeMember(await members.open(name), observer, withinMs)),
    )
    return {members: seen.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))}
  }

  async #acquire({pair, owner, purpose}: Params<'lock.acquire'>, client: Client): Promise<Result<'lock.acquire'>> {
    const {locks, clock, ending} = this.#deps
    const holder = locks.ownerOf(pair) as Client | undefined
    if (
      holder !== undefined &&
      holder !== client &&
      !this.#own.has(holder) &&
      holder.silentMs > (this.#deps.deadMs ?? DEAD_MS)
    )
      holder.drop()
    const endMs = clock.monotonic() + ORPHAN_MS
    const isOrphan = (owner: LockOwner | undefined): boolean =>
      owner !== undefined && (this.#own.has(owner) || (owner as Client).gone.aborted)
    while (isOrphan(locks.ownerOf(pair)) && clock.monotonic() < endMs) {
      const stop = new AbortController()
      const signal = AbortSignal.any([stop.signal, ending])
      await Promise.race([locks.released(), clock.sleep(endMs - clock.monotonic(), signal).catch(() => undefined)])
      stop.abort()
    }
    client.gone.throwIfAborted()
    return locks.acquire(pair, client, {owner, purpose})
  }

  async #exclusive<R>(
    {pair, steps}: Params<'steps.run'>,
    {client, id}: {client: Client; id: number},
    body: (job: Parameters<StepRunner['run']>[0]) => Promise<R>,
  ): Promise<R> {
    const {locks, members, observer, ending} = this.#deps
    locks.require(pair, client, 'running steps')
    if (this.#busy.has(pair)) throw new ConflictError(`steps of ${pair} are running already`)
    this.#busy.set(pair, client)
    try {
      const member = await members.open(pair)
      const onProgress = (progress: Parameters<Client['progress']>[1]): void => {
        client.progress(id, progress)
      }
      return await body({member, steps, gone: client.gone, ending, onProgress})
    } finally {
      this.#busy.delete(pair)
      observer.filters.invalidate()
      if (client.gone.aborted) this.#release(pair, client)
    }
  }

  /** The agent itself runs steps of its host under the pair's lock; false when somebody else holds it. */
  async runAlone(member: Member, title: string, steps: readonly Step[]): Promise<boolean> {
    const {locks, hello, runner, ending} = this.#deps
    const {pair} = member
    if (locks.holder(pair) !== undefined || this.#busy.has(pair)) return false
    const self: LockOwner = {}
    this.#own.add(self)
    locks.acquire(pair, self, {owner: `the agent on ${hello.host}`, purpose: title})
    try {
      await runner.run({member, steps, gone: new AbortController().signal, ending, onProgress: () => undefined})
      return true
    } finally {
      locks.release(pair, self)
    }
  }

  async #readStats({pair, follow, intervalMs = 500}: Params<'stats.read'>, client: Client, id: number) {
    const {members, observer, clock, ending} = this.#deps
    const deps = {host: observer.host, files: observer.files, clock}
    if (follow === true) {
      const signal = AbortSignal.any([client.gone, ending])
      const wanted = (): Member[] =>
        [...members.opened].filter(
          (member) => member.records.current !== undefined && (pair ?? member.pair) === member.pair,
        )
      await streamStats({client, id, intervalMs, members: wanted, signal}, deps)
      return {members: []}
    }
    const member = pair === undefined ? undefined : await this.#known(pair)
    const asked =
      member === undefined ? [...members.opened].filter(({records}) => records.current !== undefined) : [member]
    return {members: await Promise.all(asked.map((each) => readStats(each, deps)))}
  }

  async #setTracing(pair: string, tracing: Params<'trace.set'>['tracing']): Promise<Result<'trace.set'>> {
    const member = await this.#known(pair)
    if (tracing === 'off' && member.keeper.status !== 'connected') member.tracer.forget()
    else await member.tracer.set(tracing, await member.vm.qmp())
    await member.statistics.setTracing(tracing)
    return {tracing}
  }

  async #known(pair: string): Promise<Member> {
    const member = await this.#deps.members.find(pair)
    if (member !== undefined) return member
    throw new ColoError('not-found', exitCodes.notFound, `no pair ${pair} on this host`)
  }

  /** With `follow` the reply never comes: the events so far, then each as it happens, until the connection ends. */
  async #readEvents({pair, sinceSeq = 0, follow}: Params<'events.read'>, client: Client, id: number) {
    const member = await this.#deps.members.find(pair)
    if (member === undefined) throw new ColoError('not-found', exitCodes.notFound, `no pair ${pair} on this host`)
    if (follow !== true) return {events: await member.events.read(sinceSeq)}
    let last = sinceSeq
    let early: RecordedEvent[] | undefined = []
    const send = (event: RecordedEvent): void => {
      if (event.seq <= last) return
      last = event.seq
      client.event(id, event)
    }
    const stop = member.events.follow((event) => {
      if (early === undefined) send(event)
      else early.push(event)
    })
    try {
      for (const event of await member.events.read(sinceSeq)) send(event)
      for (const event of early) send(event)
      early = undefined
      await ended(client.gone, this.#deps.ending)
      return {events: []}
    } finally {
      stop()
    }
  }
}

function ended(...signals: AbortSignal[]): Promise<void> {
  const signal = AbortSignal.any(signals)
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), {once: true})
  })
}

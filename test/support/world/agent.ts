import {setMaxListeners} from 'node:events'
import type {ActionContext, VmAccess} from '../../../src/agent/action-context.js'
import type {Client} from '../../../src/agent/client.js'
import {merging} from '../../../src/agent/commit-follower.js'
import {FenceLifter} from '../../../src/agent/fence-lifter.js'
import {IntentStore} from '../../../src/agent/intent-store.js'
import {Locks} from '../../../src/agent/locks.js'
import {defaultRoots} from '../../../src/agent/member-layout.js'
import type {Member} from '../../../src/agent/member.js'
import type {Members} from '../../../src/agent/members.js'
import {AgentMethods} from '../../../src/agent/methods.js'
import {PeerTalk} from '../../../src/agent/peer-talk.js'
import {protocolVersion, type Method, type Params, type Request, type Result} from '../../../src/agent/protocol.js'
import {RecordStore} from '../../../src/agent/record-store.js'
import {StepRunner, type StepRunnerDeps} from '../../../src/agent/step-runner.js'
import {UnreachableError} from '../../../src/errors.js'
import type {AgentClient, CallOptions} from '../../../src/host/agent-client.js'
import {ModelFiles} from './files.js'
import type {Host} from './host.js'
import {factsOfHost, observe} from './observe.js'
import {performModel} from './perform.js'
import type {World} from './world.js'

interface Connection {
  readonly client: Client
  readonly drop: () => void
}

/** One life of an agent: the real stores, locks, step runner and methods over a model host. It forgets everything when it dies. */
export class ModelAgent {
  readonly host: Host
  readonly world: World
  readonly files: ModelFiles
  readonly records: RecordStore
  readonly intents: IntentStore
  readonly locks: Locks
  readonly talk: PeerTalk
  /** the end of a commit is watched for */
  following = false
  readonly #methods: AgentMethods
  readonly #lifter: FenceLifter
  readonly #member: Member
  readonly #connections = new Set<Connection>()
  readonly #ending = new AbortController()
  #alive = true

  constructor(host: Host, world: World) {
    this.host = host
    this.world = world
    const {clock} = world
    const {name, pair} = host
    const directory = `/var/lib/colo/pairs/${pair}`
    const files = new ModelFiles(
      host.texts,
      {
        tap: (tap) => host.taps.get(tap),
        setTap: (tap, state) => host.taps.set(tap, state),
        hasImage: (path) => host.fileAt(path, world.images) !== undefined,
      },
      () => this.#alive,
    )
    this.files = files
    const onChange = (): void => {
      const record = this.records.current
      const {stale, incomplete} = record?.marks ?? {}
      if (record === undefined || record.alone || stale !== undefined || incomplete !== undefined)
        host.protection.active = false
    }
    this.records = new RecordStore({files, directory, pair, host: name, now: () => clock.now(), onChange})
    this.intents = new IntentStore({files, directory})
    this.locks = new Locks(() => clock.now())
    this.talk = new PeerTalk({
      clock,
      files,
      nonce: 'n',
      records: this.records,
      events: {record: async () => undefined},
      store: {now: {missedWrites: false}, set: async () => undefined},
      guard: {watch: {suspect: () => undefined}},
      layout: () => world.layout,
      domain: () => (host.qemu === undefined ? 'absent' : 'running'),
      peerStopped: () => undefined,
      announce: () => undefined,
      background: (work: Promise<unknown>) => void work.catch(() => undefined),
      problem: () => undefined,
    } as unknown as ConstructorParameters<typeof PeerTalk>[0])
    const perform = async (action: Parameters<typeof performModel>[1], context: ActionContext) => {
      const what = `${name} ${action.kind}${'ensure' in action ? ` ${action.ensure}` : ''}`
      await world.point(`${what}: before`)
      await this.#orNever()
      const outcome = world.sabotage(name, action) ? 'changed' : await performModel(this, action, context)
      await world.point(`${what}: after`)
      await this.#orNever()
      return outcome
    }
    const runner = new StepRunner({
      host: name,
      roots: defaultRoots,
      files,
      clock,
      run: noPrograms,
      forwarding: undefined as unknown as StepRunnerDeps['forwarding'],
      perform,
    })
    const ending = this.#ending.signal
    this.#lifter = new FenceLifter({host: name, files, locks: this.locks, runner, ending, problem: () => undefined})
    this.#member = {
      pair: host.pair,
      records: this.records,
      intents: this.intents,
      talk: this.talk,
      layout: world.layout,
      events: {record: async () => undefined},
      statistics: {requested: async () => undefined},
      vm: {} as VmAccess,
    } as unknown as Member
    this.#methods = new AgentMethods({
      hello: {protocol: protocolVersion, version: '0.1.0', host: name, startedAtMs: 0, bootId: 'b'},
      clock,
      locks: this.locks,
      members: this.#members(),
      observer: {filters: {invalidate: () => undefined}},
      runner,
      audit: {begin: () => undefined, end: () => undefined},
      facts: async () => factsOfHost(host, world),
      ending: this.#ending.signal,
    } as unknown as ConstructorParameters<typeof AgentMethods>[0])
  }

  get alive(): boolean {
    return this.#alive
  }

  /** What an agent does when it starts beside a QEMU that went on. */
  async begin(): Promise<void> {
    await this.intents.read()
    const record = await this.records.read()
    const {host, world} = this
    const {protection, qemu} = host
    if (record?.marks.stale !== undefined) await this.talk.silence()
    if (protection.active) {
      protection.blindSince = world.clock.now()
      if (qemu === undefined) protection.latched = ['qemu-gone']
      this.#look()
    }
    const granted = record?.role === 'primary' && record.marks.incomplete?.why === 'commit'
    if (granted && qemu?.mode === 'none') this.following = true
  }

  /** What happens by itself now and then: sight comes back, the end of a commit is noted, the peer is heard. */
  async tick(): Promise<void> {
    const {host, world} = this
    const {qemu} = host
    this.#look()
    if (this.following && qemu !== undefined && qemu.mode === 'none' && !qemu.overlays) {
      this.following = false
      if (this.records.current !== undefined) await this.records.update(merging([]))
    }
    const peer = world.hosts.find(({name}) => name === this.records.current?.peer)?.agent
    const word = this.talk.word()
    if (word !== undefined && peer?.records.current?.uuid === this.records.current?.uuid) peer?.talk.hear(word)
    this.#lifter.tick(this.#member)
  }

  /** The positive check of a blind agent. */
  #look(): void {
    const {host, world} = this
    const {protection, qemu} = host
    if (protection.blindSince === undefined || protection.latched.length > 0) return
    if (qemu?.lockStep === true && world.replicationConnected(host)) protection.blindSince = undefined
  }

  die(): void {
    this.#alive = false
    this.#ending.abort(new Error('the agent ends'))
    for (const {drop} of [...this.#connections]) drop()
  }

  /** A command connects. */
  connect(isDead: () => boolean): AgentClient {
    const gone = new AbortController()
    setMaxListeners(0, gone.signal)
    const lost = (): UnreachableError => new UnreachableError(this.host.name, 'connection closed by the agent')
    const client = {
      gone: gone.signal,
      silentMs: 0,
      drop: () => drop(),
      progress: (_id: number, progress: unknown) => {
        listeners.get(_id)?.onProgress?.(progress as never)
      },
      event: () => undefined,
    } as unknown as Client
    const listeners = new Map<number, CallOptions>()
    const drop = (): void => {
      if (gone.signal.aborted) return
      gone.abort(new Error('the command went away'))
      this.#connections.delete(connection)
      if (this.#alive) this.#methods.clientGone(client)
    }
    const connection = {client, drop}
    this.#connections.add(connection)
    let ids = 0
    const call = async <M extends Method>(method: M, params: Params<M>, options: CallOptions = {}) => {
      options.signal?.throwIfAborted()
      const id = ++ids
      listeners.set(id, options)
      const changes = method !== 'hello' && method !== 'pairs.observe' && method !== 'host.facts'
      if (changes) await this.world.point(`${this.host.name} ${method}: called`)
      if (isDead()) drop()
      if (gone.signal.aborted || !this.#alive) throw lost()
      const ended = new Promise<never>((_, reject) => {
        gone.signal.addEventListener('abort', () => reject(lost()), {once: true})
        options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error), {once: true})
      })
      ended.catch(() => undefined)
      const answer = await Promise.race([this.#answer({id, method, params}, client), ended])
      if (changes) await this.world.point(`${this.host.name} ${method}: answered`)
      if (isDead()) drop()
      if (gone.signal.aborted) throw lost()
      return answer as Result<M>
    }
    return {
      host: this.host.name,
      hello: {protocol: protocolVersion, version: '0.1.0', host: this.host.name, startedAtMs: 0, bootId: 'b'},
      call,
      close: drop,
    }
  }

  async #answer(request: Request, client: Client): Promise<unknown> {
    if (request.method === 'pairs.observe') {
      await this.records.read()
      return {members: [await observe(this)]}
    }
    return this.#methods.handle(request, client)
  }

  async #orNever(): Promise<void> {
    if (!this.#alive) await new Promise(() => undefined)
  }

  /** The one member of this model. */
  #members(): Members {
    const {host, intents, records} = this
    const member = this.#member
    const open = async (): Promise<Member> => {
      await records.read()
      await intents.read()
      return member
    }
    return {
      open,
      find: open,
      names: async () => [host.pair],
      forgetIfEmpty: async () => undefined,
    } as unknown as Members
  }
}

const noPrograms = async (): Promise<never> => {
  throw new Error('the model starts no programs')
}

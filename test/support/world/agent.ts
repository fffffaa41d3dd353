import {setMaxListeners} from 'node:events'
import type {ActionContext, VmAccess} from '../../../src/agent/action-context.js'
import type {BeaconWord} from '../../../src/agent/beacon.js'
import type {Client} from '../../../src/agent/client.js'
import {merging} from '../../../src/agent/commit-follower.js'
import type {EventRecorder} from '../../../src/agent/event-recorder.js'
import {FenceLifter} from '../../../src/agent/fence-lifter.js'
import {endsRecord, IntentStore} from '../../../src/agent/intent-store.js'
import {Locks} from '../../../src/agent/locks.js'
import {defaultRoots} from '../../../src/agent/member-layout.js'
import type {Member} from '../../../src/agent/member.js'
import type {Members} from '../../../src/agent/members.js'
import {AgentMethods} from '../../../src/agent/methods.js'
import {PeerTalk} from '../../../src/agent/peer-talk.js'
import {protocolVersion, type Method, type Params, type Request, type Result} from '../../../src/agent/protocol.js'
import type {Protection, ProtectionStore} from '../../../src/agent/protection-store.js'
import {readPlainDomain} from '../../../src/agent/read-domain.js'
import {RecordStore} from '../../../src/agent/record-store.js'
import {StepRunner, type StepRunnerDeps} from '../../../src/agent/step-runner.js'
import {StopFollower} from '../../../src/agent/stop-follower.js'
import {UnreachableError} from '../../../src/errors.js'
import type {CleanStop} from '../../../src/pair/clean-stop.js'
import type {AgentClient, CallOptions} from '../../../src/host/agent-client.js'
import {ModelFiles} from './files.js'
import type {Host} from './host.js'
import {factsOfHost, observe} from './observe.js'
import {performModel} from './perform.js'
import {virshOf} from './virsh.js'
import {turn, type World} from './world.js'

let lives = 0

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
  readonly stop: StopFollower
  /** the end of a commit is watched for */
  following = false
  readonly #methods: AgentMethods
  readonly #lifter: FenceLifter
  readonly #member: Member
  readonly #connections = new Set<Connection>()
  readonly #ending = new AbortController()
  #alive = true
  #missedWrites = false

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
        modifiedNs: (path) => {
          if (path === world.layout.agentSocket) return host.socket ? '1' : undefined
          if (host.fileAt(path, world.images) === undefined) return undefined
          return world.images.has(path) ? host.modifiedNs : '1'
        },
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
      nonce: `life ${++lives}`,
      records: this.records,
      events: {record: async () => undefined},
      store: {now: {missedWrites: false}, set: async () => undefined},
      guard: {watch: {suspect: () => undefined}},
      layout: () => world.layout,
      domain: () => (host.qemu === undefined ? 'absent' : 'running'),
      peerStopped: (how: CleanStop) => {
        this.stop.peerStopped(how)
      },
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
      run: virshOf(host, world),
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
      vm: this.#vm(ending),
    } as unknown as Member
    this.stop = new StopFollower({
      ...{pair, files, records: this.records, events: {record: async () => undefined} as unknown as EventRecorder},
      clock: {...clock, sleep: (ms, signal) => this.#wait(ms, signal)},
      store: this.#evidence(),
      layout: () => world.layout,
      announce: () => undefined,
      background: (work) => void work.catch(() => undefined),
      runAlone: (title, steps) => this.#methods.runAlone(this.#member, title, steps),
    })
    this.#methods = new AgentMethods({
      hello: {protocol: protocolVersion, version: '0.1.0', host: name, startedAtMs: 0, bootId: 'b'},
      clock,
      locks: this.locks,
      members: this.#members(),
      observer: {filters: {invalidate: () => undefined}},
      runner,
      audit: {begin: () => undefined, end: () => undefined},
      facts: async () => factsOfHost(host, world),
      readDomain: (name: string) => readPlainDomain(name, virshOf(host, world)),
      ending: this.#ending.signal,
    } as unknown as ConstructorParameters<typeof AgentMethods>[0])
  }

  get alive(): boolean {
    return this.#alive
  }

  /** What an agent does when it starts beside a QEMU that went on. */
  async begin(): Promise<void> {
    const intent = await this.intents.read()
    const record = await this.records.read()
    const {host, world} = this
    if (record === undefined && intent !== undefined && endsRecord(intent, host.name)) await this.intents.clear()
    const {protection, qemu} = host
    if (qemu !== undefined) this.stop.attached()
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
    const {world} = this
    this.#look()
    await this.lookAtCommit()
    this.#tell(this.records.current?.peer, this.talk.word())
    for (const {peer} of this.talk.formers) this.#tell(world.at(peer.address).name, this.talk.wordToFormer())
    this.#lifter.tick(this.#member)
  }

  /** The end of a commit is noted. */
  async lookAtCommit(): Promise<void> {
    const {qemu} = this.host
    if (!this.following || qemu === undefined || qemu.mode !== 'none' || qemu.overlays) return
    this.following = false
    if (this.records.current !== undefined) await this.records.update(merging([]))
  }

  #tell(name: string | undefined, word: BeaconWord | undefined): void {
    const hearer = this.world.hosts.find((host) => host.name === name)?.agent
    if (word !== undefined && hearer?.records.current?.uuid === this.records.current?.uuid) hearer?.talk.hear(word)
  }

  /** The positive check of a blind agent. */
  #look(): void {
    const {host, world} = this
    const {protection, qemu} = host
    if (protection.blindSince === undefined || protection.latched.length > 0) return
    if (qemu?.lockStep === true && world.replicationConnected(host)) protection.blindSince = undefined
  }

  /** What the agent may do with QEMU in actions that are the real ones. */
  #vm(ending: AbortSignal): VmAccess {
    const {host} = this
    return {
      stopped: (timeoutMs: number, signal: AbortSignal) =>
        this.stop.stopped(timeoutMs, AbortSignal.any([signal, ending])),
      peerStopped: (timeoutMs: number, signal: AbortSignal) =>
        this.stop.peerHow(timeoutMs, AbortSignal.any([signal, ending])),
      powerCut: () => {
        this.stop.cut()
      },
      release: async () => {
        host.protection.active = false
        this.following = false
      },
    } as unknown as VmAccess
  }

  /** What is known of the protection when QEMU ends. */
  #evidence(): ProtectionStore {
    const {host, world} = this
    const now = (): Protection => {
      const {active, latched, blindSince} = host.protection
      const missedWrites = this.#missedWrites
      const facts = latched.map((kind) => ({kind: kind as 'qemu-gone', atMs: world.clock.now(), detail: kind}))
      const blind = blindSince === undefined ? {} : {blindSince}
      return {format: 1, beganAtMs: 0, connections: [], active, latched: facts, missedWrites, ...blind}
    }
    return {
      get now() {
        return now()
      },
    } as unknown as ProtectionStore
  }

  /** A limit that passes only when nothing that it limits comes: moments go by, in which things happen and faults strike. */
  async #wait(ms: number, signal?: AbortSignal): Promise<void> {
    const {world, host} = this
    for (let i = 0; i < 60; i++) {
      await turn()
      signal?.throwIfAborted()
      await this.#orNever()
      if (i < 12) await world.point(`${host.name} waits`)
      else await world.background()
    }
    await world.clock.sleep(ms)
  }

  /** QEMU's own word that the guest is off, or that libvirt ends it. */
  shutdown(by: 'guest' | 'host'): void {
    const data = by === 'guest' ? {guest: true, reason: 'guest-shutdown'} : {guest: false, reason: 'host-signal'}
    this.stop.event({event: 'SHUTDOWN', data, atUs: this.world.clock.now() * 1000 + 457})
  }

  /** QEMU ended, and this agent did not end it. */
  qemuGone(missedWrites: boolean): void {
    this.#missedWrites = missedWrites
    this.stop.gone()
    this.following = false
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
      const changes = !['hello', 'pairs.observe', 'host.facts', 'domain.read'].includes(method)
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

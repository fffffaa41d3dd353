import {setMaxListeners} from 'node:events'
import {StateError, TimedOutError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import {kinship} from '../pair/generation.js'
import type {PairLayout} from '../pair/layout.js'
import type {LatchedFact, PeerWord} from '../pair/observation.js'
import type {Generation, PairRecord} from '../pair/record.js'
import {queryColoStatus} from '../qmp/commands/colo.js'
import type {QmpEvent, QmpSession} from '../qmp/session.js'
import type {VmAccess} from './action-context.js'
import type {BeaconWord} from './beacon.js'
import * as counter from './checkpoint-counter.js'
import {CommitFollower} from './commit-follower.js'
import {EventRecorder} from './event-recorder.js'
import {IntentStore} from './intent-store.js'
import {Keeper, type Attached, type ConnectQmp} from './keeper.js'
import {layoutAt, layoutOfName, type Roots} from './member-layout.js'
import type {VnetHdrCache} from './observe-vm.js'
import {PeerEar} from './peer-ear.js'
import {positivelyChecked} from './positive-check.js'
import {ProtectionStore} from './protection-store.js'
import {QemuProcess} from './qemu-process.js'
import {classify, type QemuFact} from './qemu-facts.js'
import {RecordStore} from './record-store.js'
import {ReplicationWatch} from './replication-watch.js'
import {setTap} from './tap.js'
import type {TcpTable} from './tcp-table.js'

/** What all members of a host share. */
export interface MemberDeps {
  readonly host: string
  readonly roots: Roots
  readonly files: Files
  readonly clock: Clock
  readonly connect: ConnectQmp
  readonly table: TcpTable
  /** random, new at each start of the agent */
  readonly nonce: string
  /** the peer should learn of this pair now */
  readonly announce: (member: Member) => void
  /** a line for the agent's own log */
  readonly problem: (text: string) => void
}

/**
 * One side of one pair: everything this agent knows and holds of it.
 *
 * It listens to the QEMU, makes what decides currency durable, tells the peer, and fences itself when the peer went on
 * in a newer generation.
 */
export class Member {
  readonly pair: string
  readonly records: RecordStore
  readonly intents: IntentStore
  readonly events: EventRecorder
  readonly protection: ProtectionStore
  readonly keeper: Keeper
  readonly watch: ReplicationWatch
  readonly process: QemuProcess
  readonly vnetHdr: VnetHdrCache = new Map()
  readonly vm: VmAccess
  readonly ear = new PeerEar()

  readonly #deps: MemberDeps
  readonly #commit: CommitFollower
  readonly #checkpointWaiters = new Set<() => void>()
  readonly #end = new AbortController()
  #checkpoints = counter.noCheckpoints
  #runState: string | undefined
  #wordSeq = 0
  #checkedAtMs = 0
  #started: Promise<void> | undefined

  constructor(pair: string, deps: MemberDeps) {
    this.pair = pair
    this.#deps = deps
    setMaxListeners(0, this.#end.signal)
    const {files, clock, host, roots, table, problem} = deps
    const {stateDir: directory, agentSocket, yankSocket, domain} = layoutOfName(pair, roots)
    const now = (): number => clock.now()
    const onProblem = (text: string): void => {
      problem(`${pair}: ${text}`)
    }
    this.events = new EventRecorder({files, directory, pair, now, onProblem})
    this.intents = new IntentStore({files, directory})
    this.protection = new ProtectionStore({files, directory})
    this.process = new QemuProcess(files, domain)
    this.records = new RecordStore({
      files,
      directory,
      pair,
      host,
      now,
      onChange: (record, before) => {
        this.#recordChanged(record, before)
      },
    })
    this.watch = new ReplicationWatch({
      table,
      clock,
      protection: this.protection,
      record: () => this.records.current,
      onLost: (state) => {
        this.#nbdLost(`the NBD connection made at protection is ${state}`)
      },
      onMissed: (why) => {
        this.#background(this.#markNotPromotable(why))
      },
    })
    this.keeper = new Keeper({
      agentSocket,
      yankSocket,
      clock,
      connect: deps.connect,
      process: this.process,
      onEvent: (event) => {
        this.#onEvent(event)
      },
      onAttached: (how, session) => {
        this.#background(this.#attached(how, session))
      },
      onGone: (why) => {
        this.#gone(why)
      },
      onHang: (hung) => {
        this.#note(hung ? 'QEMU_HUNG' : 'QEMU_ANSWERS', {})
        deps.announce(this)
      },
    })
    this.#commit = new CommitFollower({
      clock,
      qmp: (signal) => this.keeper.qmp(signal),
      disks: () => this.layout.disks,
      onDone: () => this.#commitDone(),
      onProblem,
    })
    this.vm = this.#vmAccess()
  }

  get layout(): PairLayout {
    const record = this.records.current
    return record === undefined ? layoutOfName(this.pair, this.#deps.roots) : layoutAt(record.spec, this.#deps.roots)
  }

  get checkpoints(): counter.CheckpointState {
    return this.#checkpoints
  }

  /** as QMP said last; undefined without a session */
  get runState(): string | undefined {
    return this.keeper.session === undefined ? undefined : this.#runState
  }

  /**
   * Reads what is durable and looks for the domain; once. Settles when that is known.
   *
   * @throws what makes a file unreadable; the next call tries again
   */
  start(): Promise<void> {
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = undefined
      throw error
    })
    return this.#started
  }

  async #start(): Promise<void> {
    await this.events.load()
    await this.protection.load()
    await this.intents.read()
    const record = await this.records.read()
    if (record === undefined) return
    const {active, beganAtMs, blindSince} = this.protection.now
    if (active) await this.protection.set({blindSince: blindSince ?? this.events.lastAtMs ?? beganAtMs})
    await this.keeper.find()
    if (active && this.keeper.status === 'absent' && !(await this.process.alive())) {
      this.#gone('it was not there when the agent started')
    }
  }

  /** Called about once a second. */
  tick(): void {
    this.keeper.tick()
    const {active, blindSince} = this.protection.now
    if (!active) return
    this.#background(this.watch.look())
    const session = this.keeper.session
    if (blindSince !== undefined && session !== undefined && this.#deps.clock.monotonic() - this.#checkedAtMs > 5000) {
      this.#background(this.#check(session))
    }
  }

  /** The agent ends; guests go on. */
  async close(): Promise<void> {
    this.#end.abort(new Error('the agent ends'))
    this.#commit.stop()
    this.keeper.close()
    await this.events.flush(true)
  }

  // --- the peer ---------------------------------------------------------------------------------------------------

  get key(): string | undefined {
    return this.records.current?.beaconKey
  }

  get route() {
    const record = this.records.current
    if (record === undefined) return undefined
    const at = (host: string) => {
      const address = record.addresses[host]
      const port = record.beaconPorts[host]
      return address === undefined || port === undefined ? undefined : {address, port}
    }
    const local = at(record.host)
    const peer = at(record.peer)
    return local === undefined || peer === undefined ? undefined : {local, peer}
  }

  word(): BeaconWord | undefined {
    const record = this.records.current
    if (record === undefined) return undefined
    const {ancestors} = record.generation
    const shown = this.ear.knowsGeneration(record.generation) ? ancestors.slice(0, 4) : ancestors
    const domain = this.#domainWord()
    return {
      format: 1,
      pair: record.spec.name,
      from: record.host,
      role: record.role,
      generation: {...record.generation, ancestors: [...shown]},
      complete: shown.length === ancestors.length,
      alone: record.alone && record.marks.stale === undefined,
      stale: record.marks.stale !== undefined,
      domain,
      qemuAlive: domain !== 'absent',
      missedWrites: this.protection.now.missedWrites,
      atMs: this.#deps.clock.now(),
      nonce: this.#deps.nonce,
      seq: ++this.#wordSeq,
    }
  }

  /** A word whose seal fits. */
  hear(word: BeaconWord): void {
    const record = this.records.current
    if (record === undefined || word.from !== record.peer) return
    const fresh = this.ear.hear(word, this.#deps.clock.now())
    this.#background(this.learn(word))
    const ours = word.generation.id === record.generation.id && record.role === 'secondary'
    if (fresh && word.missedWrites && ours) this.watch.suspect('the primary reported writes that did not arrive')
  }

  get peer(): PeerWord | undefined {
    return this.ear.last
  }

  /**
   * Learns of the peer's generation (S1, S4): a newer one that is alone makes this side fall silent at once, before anything
   * is written; then its record is `stale`. An unrelated one is split-brain: noted, nothing is fenced.
   */
  async learn(word: {generation: Generation; alone: boolean; complete?: boolean}): Promise<{fenced: boolean}> {
    const record = this.records.current
    if (record === undefined) return {fenced: false}
    switch (kinship(record.generation, word.generation)) {
      case 'older':
        return word.alone ? this.#fence(word.generation) : {fenced: false}
      case 'unrelated':
        if (word.complete !== false && word.generation.epoch > 0) await this.#splitBrain(word.generation)
        return {fenced: false}
      case 'equal':
      case 'newer':
        return {fenced: false}
    }
  }

  async #fence(newer: Generation): Promise<{fenced: boolean}> {
    const known = this.records.current?.marks.stale !== undefined
    const states = await this.#silence()
    if (known) return {fenced: true}
    const detail = `the other side went on alone in generation ${newer.epoch} (${newer.id})`
    await this.records.update((record) =>
      record.marks.stale === undefined ? {alone: false, marks: {...record.marks, stale: detail}} : undefined,
    )
    await this.events.record({type: 'FENCED', data: {epoch: newer.epoch, generation: newer.id, ...states}, decisive: true})
    return {fenced: true}
  }

  /** All taps down; each is tried, whatever became of the others. */
  async #silence(): Promise<{taps: string[]; failures: string[]}> {
    const taps = this.layout.nics.map(({tap}) => tap)
    const results = await Promise.allSettled(taps.map((tap) => setTap(this.#deps.files, tap, 'down')))
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as Error).message] : []))
    for (const failure of failures) this.#deps.problem(`${this.pair}: fence: ${failure}`)
    return {taps, failures}
  }

  async #splitBrain(other: Generation): Promise<void> {
    if (this.protection.now.splitBrain === other.id) return
    await this.protection.set({splitBrain: other.id})
    await this.events.record({type: 'SPLIT_BRAIN', data: {epoch: other.epoch, generation: other.id}, decisive: true})
  }

  // --- QEMU -------------------------------------------------------------------------------------------------------

  #onEvent(event: QmpEvent): void {
    const atMs = Math.round(event.atUs / 1000)
    const before = this.#checkpoints.count
    const fact = classify(event, this.layout)
    if (fact !== 'noise') {
      const decisive = typeof fact === 'object'
      this.#background(this.events.record({type: event.event, data: event.data, atMs, decisive}))
    }
    switch (event.event) {
      case 'STOP':
        this.#checkpoints = counter.stopped(this.#checkpoints, atMs)
        if (this.#checkpoints.openSinceMs !== undefined) this.#background(this.watch.look())
        break
      case 'RESUME':
        this.#checkpoints = counter.resumed(this.#checkpoints, atMs)
        this.#runState = 'running'
        if (this.#checkpoints.count > before) this.#checkpointDone()
        break
      case 'MIGRATION':
        if (event.data['status'] === 'colo') {
          this.#checkpoints = counter.begin()
          this.watch.reset()
        }
        break
      case 'COLO_EXIT':
        this.#checkpoints = counter.end(this.#checkpoints)
        this.watch.coloExited()
        break
    }
    if (typeof fact === 'object') this.#act(fact, atMs)
  }

  #checkpointDone(): void {
    this.#background(this.watch.checkpointCompleted())
    for (const wake of [...this.#checkpointWaiters]) wake()
  }

  #act(fact: QemuFact, atMs: number): void {
    const role = this.records.current?.role
    if (fact.kind === 'export-deleted' && role === 'secondary') this.watch.suspect('the NBD export was deleted')
    if (fact.missedWrites && role === 'primary' && this.protection.now.active) {
      this.#background(this.protection.set({missedWrites: true}))
    }
    this.#latch({kind: fact.kind, atMs, detail: fact.detail})
    this.#deps.announce(this)
  }

  #nbdLost(detail: string): void {
    const record = this.records.current
    this.#background(this.events.record({type: 'NBD_LOST', data: {detail}, decisive: true}))
    if (record?.role === 'primary') this.#background(this.protection.set({missedWrites: true}))
    this.#latch({kind: 'nbd-lost', atMs: this.#deps.clock.now(), detail})
    this.#deps.announce(this)
  }

  #latch(fact: LatchedFact): void {
    if (this.protection.now.active) this.#background(this.protection.latch(fact))
  }

  async #markNotPromotable(why: string): Promise<void> {
    let marked = false
    await this.records.update((record) => {
      const applies = record.role === 'secondary' && !record.alone && record.marks.notPromotable === undefined
      if (!applies || !this.protection.now.active) return undefined
      marked = true
      return {marks: {...record.marks, notPromotable: `a checkpoint completed after ${why}`}}
    })
    if (marked) await this.events.record({type: 'NOT_PROMOTABLE', data: {why}, decisive: true})
  }

  async #attached(how: Attached, session: QmpSession): Promise<void> {
    this.vnetHdr.clear()
    this.#deps.announce(this)
    const record = this.records.current
    if (record?.marks.stale !== undefined) await this.#silence()
    if (how === 'created') {
      this.#checkpoints = counter.noCheckpoints
      this.watch.reset()
      return
    }
    const {active, beganAtMs, blindSince} = this.protection.now
    if (active) await this.protection.set({blindSince: blindSince ?? this.events.lastAtMs ?? beganAtMs})
    this.#note('ATTACHED', {how})
    const {mode} = await queryColoStatus(session, {timeoutMs: 2000})
    if (mode !== 'none' && !this.#checkpoints.colo) this.#checkpoints = counter.begin()
    if (active) await this.#check(session)
    if (record?.marks.incomplete?.why === 'commit' && mode === 'none') this.#commit.start()
  }

  /** After blind time: what could be missed is looked at; only if all of it is well, sight is restored. */
  async #check(session: QmpSession): Promise<void> {
    this.#checkedAtMs = this.#deps.clock.monotonic()
    const record = this.records.current
    if (record === undefined) return
    const {nbd, connections} = await this.watch.state()
    const ok = await positivelyChecked(session, {
      role: record.role,
      layout: this.layout,
      nbd,
      migrationAlive: connections.migration,
      latched: this.protection.now.latched,
    })
    if (!ok || this.keeper.session !== session) return
    await this.protection.seeing()
    this.#note('SEEING', {})
  }

  #gone(why: string): void {
    this.#checkpoints = counter.end(this.#checkpoints)
    this.#runState = undefined
    this.#commit.stop()
    this.#background(this.events.record({type: 'QEMU_GONE', data: {why}, decisive: true}))
    this.#latch({kind: 'qemu-gone', atMs: this.#deps.clock.now(), detail: why})
    this.#deps.announce(this)
  }

  #domainWord(): BeaconWord['domain'] {
    switch (this.keeper.status) {
      case 'absent':
        return 'absent'
      case 'hung':
        return 'hung'
      case 'connected':
        return 'running'
    }
  }

  // --- the record -------------------------------------------------------------------------------------------------

  #recordChanged(record: PairRecord | undefined, before: PairRecord | undefined): void {
    if (record === undefined) {
      this.#background(this.protection.remove())
      this.#background(this.events.remove())
      return
    }
    const lonely = record.alone && before?.alone !== true
    const lost = record.marks.stale !== undefined || (before !== undefined && record.role !== before.role)
    if ((lonely || lost) && this.protection.now.active) this.#background(this.endProtection())
    this.#deps.announce(this)
  }

  async #commitDone(): Promise<void> {
    await this.records.update((record) => {
      const {incomplete, ...marks} = record.marks
      return incomplete?.why === 'commit' ? {marks} : undefined
    })
    await this.events.record({type: 'COMMIT_FINISHED', decisive: true})
  }

  // --- for the actions --------------------------------------------------------------------------------------------

  async endProtection(): Promise<void> {
    if (!this.protection.now.active) return
    const {blindSince: _, ...rest} = this.protection.now
    await this.protection.replace({...rest, active: false, missedWrites: false})
    this.#note('PROTECTION_ENDED', {})
  }

  async #beginProtection(): Promise<void> {
    const {nbd} = await this.watch.connections()
    const wanted = this.layout.disks.length
    if (nbd.length < wanted) {
      throw new StateError(`${this.pair}: ${nbd.length} of ${wanted} NBD connections are there`, {
        actual: String(nbd.length),
        required: [String(wanted)],
      })
    }
    const beganAtMs = this.#deps.clock.now()
    this.watch.reset()
    await this.protection.replace({format: 1, active: true, beganAtMs, connections: nbd, latched: [], missedWrites: false})
    await this.events.record({type: 'PROTECTION_BEGAN', data: {connections: nbd.length}, decisive: true})
  }

  async #awaitCheckpoint(after: number, timeoutMs: number): Promise<void> {
    const endMs = this.#deps.clock.monotonic() + timeoutMs
    while (this.#checkpoints.count <= after) {
      const leftMs = endMs - this.#deps.clock.monotonic()
      if (leftMs <= 0) {
        throw new TimedOutError(`${this.pair}: no checkpoint was completed within ${timeoutMs} ms`, timeoutMs, {
          hint: 'a peer that hangs or cannot be reached makes checkpoints stand still',
        })
      }
      await this.#nextCheckpoint(leftMs)
    }
  }

  async #nextCheckpoint(limitMs: number): Promise<void> {
    let wake = (): void => undefined
    const done = new Promise<void>((resolve) => {
      wake = resolve
    })
    this.#checkpointWaiters.add(wake)
    const limit = new AbortController()
    try {
      const late = this.#deps.clock.sleep(limitMs, AbortSignal.any([limit.signal, this.#end.signal]))
      await Promise.race([done, late.catch(() => undefined)])
      this.#end.signal.throwIfAborted()
    } finally {
      limit.abort()
      this.#checkpointWaiters.delete(wake)
    }
  }

  #vmAccess(): VmAccess {
    return {
      qmp: () => this.keeper.qmp(this.#end.signal),
      withYank: (body) => this.keeper.withYank(body),
      attach: (timeoutMs) => this.keeper.attach(timeoutMs, this.#end.signal),
      release: async () => {
        this.#commit.stop()
        this.keeper.release()
        this.#checkpoints = counter.end(this.#checkpoints)
        await this.endProtection()
        this.#note('RELEASED', {})
        this.#deps.announce(this)
      },
      checkpoints: () => this.#checkpoints.count,
      awaitCheckpoint: (after, timeoutMs) => this.#awaitCheckpoint(after, timeoutMs),
      beginProtection: () => this.#beginProtection(),
      endProtection: () => this.endProtection(),
      followCommit: () => {
        this.#commit.start()
      },
    }
  }

  #note(type: string, data: Readonly<Record<string, unknown>>): void {
    this.#background(this.events.record({type, data}))
  }

  /** Work nobody waits for: its failure is told, not lost. */
  #background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!this.#end.signal.aborted) this.#deps.problem(`${this.pair}: ${(error as Error).message}`)
    })
  }
}

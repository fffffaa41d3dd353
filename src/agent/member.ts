import {setMaxListeners} from 'node:events'
import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {CleanStop} from '../pair/clean-stop.js'
import type {PairLayout} from '../pair/layout.js'
import type {PairRecord} from '../pair/record.js'
import type {Step} from '../plan/plan.js'
import {queryColoStatus} from '../qmp/commands/colo.js'
import type {QmpEvent, QmpSession} from '../qmp/session.js'
import type {VmAccess} from './action-context.js'
import {inputOf} from '../stats/recorded.js'
import type {BeaconWord} from './beacon.js'
import {Checkpoints} from './checkpoints.js'
import {CommitFollower, merging} from './commit-follower.js'
import {CrashFollower, crashEvents} from './crash-follower.js'
import {Devices} from './devices.js'
import {EventRecorder} from './event-recorder.js'
import {endsRecord, IntentStore} from './intent-store.js'
import {Keeper, type Attached, type ConnectQmp} from './keeper.js'
import {layoutAt, layoutOfName, type Roots} from './member-layout.js'
import {takingSockets} from './own-socket.js'
import {PeerTalk} from './peer-talk.js'
import {ProtectionGuard} from './protection-guard.js'
import {ProtectionStore} from './protection-store.js'
import {classify} from './qemu-facts.js'
import {QemuProcess} from './qemu-process.js'
import {endRareCheckpoints} from './rare-checkpoints.js'
import {RecordStore} from './record-store.js'
import {Statistics} from './statistics.js'
import {StopFollower} from './stop-follower.js'
import type {TcpTable} from './tcp-table.js'
import {Tracer} from './tracer.js'
import {vmAccess} from './vm-access.js'

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
  /** runs steps of this host under the pair's lock, with no command about; false when somebody else holds it */
  readonly runAlone: (member: Member, title: string, steps: readonly Step[]) => Promise<boolean>
  /** a line for the agent's own log */
  readonly problem: (text: string) => void
}

/**
 * One side of one pair: everything this agent knows and holds of it. It ties together what listens to QEMU, what makes
 * deciding facts durable, and what talks to the peer.
 */
export class Member {
  readonly pair: string
  readonly records: RecordStore
  readonly intents: IntentStore
  readonly events: EventRecorder
  readonly guard: ProtectionGuard
  readonly keeper: Keeper
  readonly process: QemuProcess
  readonly checkpoints: Checkpoints
  readonly statistics: Statistics
  readonly tracer: Tracer
  readonly talk: PeerTalk
  readonly devices: Devices
  readonly crash: CrashFollower
  readonly vm: VmAccess

  readonly #deps: MemberDeps
  readonly #protection: ProtectionStore
  readonly #commit: CommitFollower
  readonly #stop: StopFollower
  readonly #end = new AbortController()
  #started: Promise<void> | undefined

  constructor(pair: string, deps: MemberDeps) {
    this.pair = pair
    this.#deps = deps
    setMaxListeners(0, this.#end.signal)
    const {files, clock, host, roots, table, nonce} = deps
    const {stateDir: directory, runDir, agentSocket, yankSocket, domain} = layoutOfName(pair, roots)
    const now = (): number => clock.now()
    const layout = (): PairLayout => this.layout
    const announce = (): void => {
      deps.announce(this)
    }
    const background = (work: Promise<unknown>): void => {
      this.#background(work)
    }
    const problem = (text: string): void => {
      deps.problem(`${pair}: ${text}`)
    }
    this.events = new EventRecorder({files, directory, pair, now, onProblem: problem})
    this.intents = new IntentStore({files, directory})
    this.process = new QemuProcess(files, domain)
    this.checkpoints = new Checkpoints(pair, clock)
    const delayMs = (): number => this.delayMs
    this.statistics = new Statistics({files, directory, clock, events: this.events, delayMs, problem})
    this.devices = new Devices({files, runDir})
    this.tracer = new Tracer({files, runDir, problem})
    const onChange = (record: PairRecord | undefined, before: PairRecord | undefined): void => {
      this.#recordChanged(record, before)
    }
    this.records = new RecordStore({files, directory, pair, host, now, onChange})
    const store = new ProtectionStore({files, directory})
    this.#protection = store
    const {records, events} = this
    this.guard = new ProtectionGuard({pair, clock, table, store, records, events, layout, announce, background})
    const shared = {clock, files, records, events, store, guard: this.guard, layout, announce, background, problem}
    const ofStop = {...shared, pair, peerAbsent: () => this.talk.last?.domain === 'absent'}
    this.#stop = new StopFollower({...ofStop, runAlone: (title, steps) => deps.runAlone(this, title, steps)})
    const session = (): QmpSession | undefined => this.keeper.session
    this.crash = new CrashFollower({...shared, session, stop: this.#stop, ending: this.#end.signal})
    const peerStopped = (how: CleanStop): void => {
      this.#stop.peerStopped(how)
    }
    this.talk = new PeerTalk({...shared, nonce, domain: () => wordOf(this.keeper.status), peerStopped})
    this.keeper = new Keeper({
      agentSocket,
      yankSocket,
      clock,
      connect: takingSockets(deps.connect, files, problem),
      process: this.process,
      onEvent: (event) => {
        this.#onEvent(event)
      },
      onAttached: (how, session) => {
        background(this.#attached(how, session))
      },
      onGone: (why) => {
        this.#gone(why)
      },
      onHang: (hung) => {
        background(events.record({type: hung ? 'QEMU_HUNG' : 'QEMU_ANSWERS'}))
        announce()
      },
      onProblem: problem,
    })
    this.#commit = new CommitFollower({
      clock,
      qmp: (signal) => this.keeper.qmp(signal),
      disks: () => this.layout.disks,
      onProgress: (disks) => this.records.update(merging(disks)),
      onDone: () => this.#commitDone(),
      onProblem: problem,
    })
    this.vm = vmAccess({
      keeper: this.keeper,
      checkpoints: this.checkpoints,
      guard: this.guard,
      stop: this.#stop,
      commit: this.#commit,
      release: () => this.#release(),
      ending: this.#end.signal,
    })
  }

  get layout(): PairLayout {
    const record = this.records.current
    return record === undefined ? layoutOfName(this.pair, this.#deps.roots) : layoutAt(record.spec, this.#deps.roots)
  }

  /** x-checkpoint-delay, milliseconds; QEMU's own default when the spec is not known here */
  get delayMs(): number {
    return this.records.current?.spec.checkpoint.intervalMs ?? 20_000
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
    this.crash.remember(await this.events.read())
    await this.#protection.load()
    const intent = await this.intents.read()
    if ((await this.records.read()) === undefined) {
      if (intent !== undefined && endsRecord(intent, this.#deps.host)) await this.intents.clear()
      return
    }
    await this.statistics.load()
    await this.guard.blind()
    await this.keeper.find()
    const {active, latched} = this.guard.now
    const known = latched.some(({kind}) => kind === 'qemu-gone')
    if (active && !known && this.keeper.status === 'absent') this.#gone('it was not there when the agent started')
  }

  /** Called about once a second. */
  tick(): void {
    this.keeper.tick()
    const session = this.keeper.status === 'connected' ? this.keeper.session : undefined
    this.guard.tick(session)
    this.#stop.tick(session)
    this.statistics.tick()
    this.tracer.tick(session)
  }

  /** The agent ends; guests go on. */
  async close(): Promise<void> {
    this.#end.abort(new Error('the agent ends'))
    this.#commit.stop()
    this.keeper.close()
    await this.events.flush(true)
    await this.statistics.save()
  }

  #onEvent(event: QmpEvent): void {
    const [exactMs, atMs] = [event.atUs / 1000, Math.round(event.atUs / 1000)]
    this.#stop.event(event)
    const fact = classify(event, this.layout)
    if (fact !== 'noise') {
      const decisive = typeof fact === 'object' || crashEvents.has(event.event)
      this.#background(this.events.record({type: event.event, data: event.data, atMs: exactMs, decisive}))
    }
    const input = inputOf({type: event.event, atMs: exactMs, data: event.data})
    if (input?.kind === 'begin') this.statistics.feed({...input, side: this.records.current?.role})
    else if (input !== undefined) this.statistics.feed(input)
    switch (event.event) {
      case 'STOP':
        if (this.checkpoints.stopped(atMs)) this.#background(this.guard.watch.look())
        break
      case 'RESUME':
        if (this.checkpoints.resumed(atMs)) this.#background(this.guard.watch.checkpointCompleted())
        break
      case 'MIGRATION':
        if (event.data['status'] !== 'colo') break
        this.checkpoints.begin()
        this.guard.watch.reset()
        break
      case 'JOB_STATUS_CHANGE':
        this.guard.job(event.data)
        break
      case 'COLO_EXIT':
        this.checkpoints.end()
        this.guard.watch.coloExited()
        break
    }
    if (typeof fact === 'object') this.guard.fact(fact, atMs)
    this.crash.event(event)
  }

  async #attached(how: Attached, session: QmpSession): Promise<void> {
    this.#stop.attached()
    this.#deps.announce(this)
    const marks = this.records.current?.marks
    if (marks?.stale !== undefined) await this.talk.silence()
    if (how === 'created') {
      this.checkpoints.forget()
      this.crash.forget()
      this.statistics.feed({kind: 'end'})
      this.guard.created()
      await this.devices.created(session)
      return
    }
    await this.guard.blind()
    await this.devices.found()
    await this.events.record({type: 'ATTACHED', data: {how}})
    const {mode} = await queryColoStatus(session, {timeoutMs: 2000})
    if (mode !== 'none' && !this.checkpoints.colo) this.checkpoints.begin()
    if (mode === 'primary') this.#background(endRareCheckpoints(session, this.delayMs))
    this.statistics.feed({kind: 'blind', colo: mode !== 'none'})
    // an agent that ended left QEMU's traces on, and nobody to read them
    if (this.statistics.tracing !== this.tracer.tracing) await this.tracer.set(this.statistics.tracing, session)
    await this.guard.check(session)
    // one that was promoted on trial only has no grant: its mark stays until somebody decides
    const granted = this.records.current?.role === 'primary'
    if (granted && marks?.incomplete?.why === 'commit' && mode === 'none') void this.#commit.start()
  }

  #gone(why: string): void {
    this.#stop.gone()
    this.crash.forget()
    this.checkpoints.end()
    this.statistics.feed({kind: 'end'})
    this.tracer.forget()
    this.#commit.stop()
    this.#background(this.events.record({type: 'QEMU_GONE', data: {why}, decisive: true}))
    this.guard.latch({kind: 'qemu-gone', atMs: this.#deps.clock.now(), detail: why})
    this.#deps.announce(this)
  }

  #recordChanged(record: PairRecord | undefined, before: PairRecord | undefined): void {
    if (record === undefined) {
      this.#background(this.#protection.remove())
      this.#background(this.events.remove())
      this.#background(this.statistics.remove())
      return
    }
    const {stale, incomplete} = record.marks
    const lonely = record.alone && before?.alone !== true
    const lost =
      stale !== undefined || incomplete !== undefined || (before !== undefined && record.role !== before.role)
    if (lonely || lost || record.clean) this.#background(this.guard.end())
    this.#deps.announce(this)
  }

  async #commitDone(): Promise<void> {
    await this.records.update(merging([]))
    await this.events.record({type: 'COMMIT_FINISHED', decisive: true})
  }

  async #release(): Promise<void> {
    this.#commit.stop()
    this.keeper.release()
    this.crash.forget()
    this.checkpoints.end()
    this.statistics.feed({kind: 'end'})
    this.tracer.forget()
    await this.guard.end()
    await this.events.record({type: 'RELEASED'})
    this.#deps.announce(this)
  }

  /** Work nobody waits for: its failure is told, not lost. */
  #background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!this.#end.signal.aborted) this.#deps.problem(`${this.pair}: ${(error as Error).message}`)
    })
  }
}

/** Of a domain, to the peer. */
function wordOf(status: Keeper['status']): BeaconWord['domain'] {
  return status === 'connected' ? 'running' : status
}

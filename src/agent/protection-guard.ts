import {StateError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {LatchedFact} from '../pair/observation.js'
import type {PairLayout} from '../pair/layout.js'
import type {QmpSession} from '../qmp/session.js'
import type {EventRecorder} from './event-recorder.js'
import {positivelyChecked} from './positive-check.js'
import type {Protection, ProtectionStore} from './protection-store.js'
import type {QemuFact} from './qemu-facts.js'
import type {RecordStore} from './record-store.js'
import {ReplicationWatch} from './replication-watch.js'
import type {TcpTable} from './tcp-table.js'

/** How often a blind agent looks again. */
const RECHECK_MS = 5000

export interface ProtectionGuardOptions {
  readonly pair: string
  readonly clock: Clock
  readonly table: TcpTable
  readonly store: ProtectionStore
  readonly records: RecordStore
  readonly events: EventRecorder
  readonly layout: () => PairLayout
  /** the peer should learn of it now */
  readonly announce: () => void
  /** work nobody waits for */
  readonly background: (work: Promise<unknown>) => void
}

/**
 * Holds what speaks against a protection, from its beginning until the peer's loss is expected: latched facts, missed
 * writes, blind time (S7). Everything is durable before it may be forgotten by a restart.
 */
export class ProtectionGuard {
  readonly watch: ReplicationWatch
  readonly #options: ProtectionGuardOptions
  #checkedAtMs = Number.NEGATIVE_INFINITY
  /** primary: why the copy of the disks may not be equal any more, though protection has not begun */
  #spoiled: string | undefined

  constructor(options: ProtectionGuardOptions) {
    this.#options = options
    const {table, clock, store, records, background} = options
    this.watch = new ReplicationWatch({
      table,
      clock,
      protection: store,
      record: () => records.current,
      onLost: (state) => {
        this.#nbdLost(`the NBD connection made at protection is ${state}`)
      },
      onMissed: (why) => {
        background(this.#markNotPromotable(why))
      },
    })
  }

  get now(): Protection {
    return this.#options.store.now
  }

  /** A new QEMU: nothing was copied from it yet, so that nothing was missed. */
  created(): void {
    this.#spoiled = undefined
    this.watch.reset()
  }

  /** A job of QEMU changed. When the disks are copied anew, what the last copy missed does not matter any more. */
  job({id, status}: Readonly<Record<string, unknown>>): void {
    const isCopy = this.#options.layout().disks.some(({mirrorJob}) => mirrorJob === id)
    if (isCopy && status === 'created') this.#spoiled = undefined
  }

  /** @throws {StateError} when an NBD connection is missing, or a write did not arrive since the disks were copied */
  async begin(): Promise<void> {
    const {pair, clock, store, events, layout, records} = this.#options
    if (this.#spoiled !== undefined && records.current?.role === 'primary') {
      throw new StateError(
        `${pair}: the secondary's disks may have missed something since they were copied: ${this.#spoiled}`,
        {
          actual: 'unequal',
          required: ['equal'],
        },
      )
    }
    const {nbd} = await this.watch.connections()
    const wanted = layout().disks.length
    if (nbd.length < wanted) {
      throw new StateError(`${pair}: ${nbd.length} of ${wanted} NBD connections are there`, {
        actual: String(nbd.length),
        required: [String(wanted)],
      })
    }
    this.watch.reset()
    const beganAtMs = clock.now()
    await store.replace({format: 1, active: true, beganAtMs, connections: nbd, latched: [], missedWrites: false})
    await events.record({type: 'PROTECTION_BEGAN', data: {connections: nbd.length}, decisive: true})
  }

  /** The peer's loss is expected from now on. */
  async end(): Promise<void> {
    if (!this.now.active) return
    const {blindSince: _, ...rest} = this.now
    await this.#options.store.replace({...rest, active: false, missedWrites: false})
    await this.#options.events.record({type: 'PROTECTION_ENDED'})
  }

  /** Something QEMU said. */
  fact(fact: QemuFact, atMs: number): void {
    const role = this.#options.records.current?.role
    if (fact.kind === 'export-deleted' && role === 'secondary') this.watch.suspect('the NBD export was deleted')
    if (fact.missedWrites && role === 'primary') {
      if (this.now.active) this.#set({missedWrites: true})
      else this.#spoiled = fact.detail
    }
    this.latch({kind: fact.kind, atMs, detail: fact.detail})
    this.#options.announce()
  }

  latch(fact: LatchedFact): void {
    if (this.now.active) this.#options.background(this.#options.store.latch(fact))
  }

  /** The session was not there for a while: what was missed is unknown until it is checked. */
  async blind(): Promise<void> {
    const {active, beganAtMs, blindSince} = this.now
    if (!active || blindSince !== undefined) return
    await this.#options.store.set({blindSince: this.#options.events.lastAtMs ?? beganAtMs})
  }

  /** Looks at all that could have been missed; only if it is well, sight is restored. */
  async check(session: QmpSession): Promise<void> {
    const {clock, records, events, layout, store} = this.#options
    this.#checkedAtMs = clock.monotonic()
    const record = records.current
    if (record === undefined || this.now.blindSince === undefined) return
    const {nbd, connections} = await this.watch.state()
    const known = {
      role: record.role,
      layout: layout(),
      nbd,
      migrationAlive: connections.migration,
      latched: this.now.latched,
    }
    if (!(await positivelyChecked(session, known))) return
    await store.seeing()
    await events.record({type: 'SEEING'})
  }

  /** Called about once a second; `session` when QEMU answers. */
  tick(session: QmpSession | undefined): void {
    const {clock, background} = this.#options
    if (!this.now.active) return
    background(this.watch.look())
    const due = clock.monotonic() - this.#checkedAtMs > RECHECK_MS
    if (this.now.blindSince !== undefined && session !== undefined && due) background(this.check(session))
  }

  #nbdLost(detail: string): void {
    const {clock, events, records, background, announce} = this.#options
    background(events.record({type: 'NBD_LOST', data: {detail}, decisive: true}))
    if (records.current?.role === 'primary') this.#set({missedWrites: true})
    this.latch({kind: 'nbd-lost', atMs: clock.now(), detail})
    announce()
  }

  async #markNotPromotable(why: string): Promise<void> {
    const {records, events} = this.#options
    let marked = false
    await records.update((record) => {
      const applies = record.role === 'secondary' && !record.alone && record.marks.notPromotable === undefined
      if (!applies || !this.now.active) return undefined
      marked = true
      return {marks: {...record.marks, notPromotable: `a checkpoint completed after ${why}`}}
    })
    if (marked) await events.record({type: 'NOT_PROMOTABLE', data: {why}, decisive: true})
  }

  #set(change: Partial<Protection>): void {
    this.#options.background(this.#options.store.set(change))
  }
}

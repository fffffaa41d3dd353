import type {Clock} from '../os/clock.js'
import type {CrashAction} from '../pair/spec.js'
import {queryStatus, reset} from '../qmp/commands/status.js'
import type {QmpEvent, QmpSession} from '../qmp/session.js'
import type {EventRecorder} from './event-recorder.js'
import {cutPower} from './cut-power.js'
import type {RecordStore} from './record-store.js'
import type {RecordedEvent} from './protocol.js'

/** After these a guest has not panicked: it was reset, or its QEMU is another one. */
const forgets = new Set(['RESET', 'QEMU_GONE', 'RELEASED'])
/** Events of QEMU that must outlive this agent: whether a guest has panicked is read from the history. */
export const crashEvents: ReadonlySet<string> = new Set(['GUEST_PANICKED', 'RESET'])
/** A reset inside a checkpoint would give the copies halves of it: the end of one is waited for. */
const RESET_ATTEMPTS = 100
const RESET_PAUSE_MS = 50

export interface CrashFollowerOptions {
  readonly clock: Clock
  readonly records: RecordStore
  readonly events: EventRecorder
  readonly session: () => QmpSession | undefined
  readonly background: (work: Promise<unknown>) => void
  /** is told when the guest stands still, and QEMU is about to be told to end */
  readonly stop: {cut(): void}
  /** aborted when the agent ends */
  readonly ending: AbortSignal
}

/**
 * Follows a guest whose kernel panics, which its panic device tells QEMU. The copies are made not to stop for it (`-action panic=none`), so the pair
 * stays what it was; what the spec wants is done to the primary, and reaches the secondary as every reset and power-off does. A panic that
 * only the secondary saw is a divergence: the next checkpoint takes it back. One after each checkpoint is a copy that would not live.
 *
 * @see qemu/qemu system/runstate.c, qemu_system_guest_panicked; docs/specs/pvpanic.rst
 */
export class CrashFollower {
  readonly #options: CrashFollowerOptions
  #panickedAtMs: number | undefined
  /** of a secondary: checkpoints in a row after each of which its guest panicked */
  #streak = 0

  constructor(options: CrashFollowerOptions) {
    this.#options = options
  }

  /** when the guest that stands still now has panicked, by QEMU's clock, milliseconds; of the primary only */
  get panickedAtMs(): number | undefined {
    return this.#options.records.current?.role === 'primary' ? this.#panickedAtMs : undefined
  }

  /** of a secondary: after so many checkpoints in a row its guest panicked */
  get panicsInARow(): number {
    return this.#options.records.current?.role === 'secondary' ? this.#streak : 0
  }

  /** What an agent before this one has seen. */
  remember(history: readonly RecordedEvent[]): void {
    const last = history.filter(({type}) => type === 'GUEST_PANICKED' || forgets.has(type)).at(-1)
    this.#panickedAtMs = last?.type === 'GUEST_PANICKED' ? Math.round(last.atMs) : undefined
  }

  event({event, atUs}: QmpEvent): void {
    const {records, background} = this.#options
    const record = records.current
    if (forgets.has(event)) this.forget()
    if (event === 'RESUME' && record?.role === 'secondary') this.#level()
    if (event !== 'GUEST_PANICKED') return
    this.#panickedAtMs = Math.round(atUs / 1000)
    const action = record?.spec.vm.onCrash ?? 'report'
    // a secondary is reset as it would reset itself, so that both boot in step; it never ends by itself
    if (record?.role === 'primary' || action === 'restart') background(this.#follow(action))
  }

  /** Another QEMU, or none. */
  forget(): void {
    this.#panickedAtMs = undefined
    this.#streak = 0
  }

  /** A checkpoint has made it the same as the primary's. */
  #level(): void {
    this.#streak = this.#panickedAtMs === undefined ? 0 : this.#streak + 1
    this.#panickedAtMs = undefined
  }

  async #follow(action: CrashAction): Promise<void> {
    const {events, session, clock, ending: signal, stop} = this.#options
    const qmp = session()
    if (action === 'report' || qmp === undefined) return
    await events.record({type: 'CRASH_FOLLOWED', data: {action}, decisive: true})
    switch (action) {
      case 'restart':
        return this.#reset(qmp)
      case 'stop':
        return cutPower(qmp, {clock, signal, cut: () => stop.cut()})
    }
  }

  async #reset(qmp: QmpSession): Promise<void> {
    const {clock, ending} = this.#options
    for (let attempt = 1; attempt <= RESET_ATTEMPTS; attempt++) {
      const {status} = await queryStatus(qmp)
      if (this.#panickedAtMs === undefined) return // it has reset itself
      if (status !== 'colo') return reset(qmp)
      await clock.sleep(RESET_PAUSE_MS, ending)
    }
    throw new Error('the guest that panicked is not reset: a checkpoint does not end, the peer may hang')
  }
}

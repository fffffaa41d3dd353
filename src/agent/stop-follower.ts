import {StateError, TimedOutError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import {cleanStopOf, judgeStop, type CleanStop} from '../pair/clean-stop.js'
import {identityOf} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import type {PairRecord} from '../pair/record.js'
import {imagesOf} from '../plan/parts/storage.js'
import type {Step} from '../plan/plan.js'
import {primaryTidied, secondaryFollows} from '../plan/stop.js'
import {queryStatus, quit} from '../qmp/commands/status.js'
import type {QmpEvent, QmpSession} from '../qmp/session.js'
import {imagesNow} from './actions/records.js'
import type {EventRecorder} from './event-recorder.js'
import {PowerOff} from './power-off.js'
import type {Protection, ProtectionStore} from './protection-store.js'
import type {RecordStore} from './record-store.js'

/** libvirt ends a QEMU whose guest is off within milliseconds; one it has forgotten is ended after this. */
const FORGOTTEN_MS = 5000
/** a secondary that has ended, while the guest was not off yet, is not waited with for longer */
const LEFT_MS = 3000
/** a peer that says again and again that it is stopped is followed, or tried to be, so often */
const REPEAT_MS = 400

export interface StopFollowerOptions {
  readonly pair: string
  readonly clock: Clock
  readonly files: Files
  readonly records: RecordStore
  readonly events: EventRecorder
  readonly store: ProtectionStore
  readonly layout: () => PairLayout
  /** the peer's last word: its QEMU is not there */
  readonly peerAbsent?: () => boolean
  /** the peer should learn of it now */
  readonly announce: () => void
  readonly background: (work: Promise<unknown>) => void
  /** runs steps of this host under the pair's lock; false when somebody else holds it */
  readonly runAlone: (title: string, steps: readonly Step[]) => Promise<boolean>
}

/**
 * Follows a guest that powers off, with no command about. The agent of the primary is the actor: when its QEMU has ended after the guest was
 * off and the disks were flushed, it notes that, and says so in every word to the peer. The agent of the secondary hears it, ends its
 * own copy, which has run on until then, and notes that it is equal, or that it is stale.
 */
export class StopFollower {
  readonly #options: StopFollowerOptions
  readonly #power = new PowerOff()
  readonly #waiters = new Set<() => void>()
  #outcome: CleanStop | {readonly unclean: string} | undefined
  #peer: {readonly generation: string; readonly how: CleanStop} | undefined
  #following = false
  #followedAtMs = Number.NEGATIVE_INFINITY
  #offSinceMs = 0
  /** since when the secondary of this primary has been absent, and its guest frozen in a checkpoint */
  #leftSinceMs: number | undefined

  constructor(options: StopFollowerOptions) {
    this.#options = options
  }

  /** A session on a QEMU began; what an older one did does not matter. */
  attached(): void {
    this.#power.forget()
    this.#outcome = undefined
    this.#peer = undefined
  }

  event(event: QmpEvent): void {
    if (this.#power.event(event) && this.#power.state === 'off') this.#offSinceMs = this.#options.clock.monotonic()
  }

  /** The operator cuts the guest's power: `stop` was answered, `quit` follows. */
  cut(): void {
    this.#power.cut(this.#options.clock.now())
    this.#offSinceMs = this.#options.clock.monotonic()
  }

  /** Called about once a second; `session` when QEMU answers. */
  tick(session: QmpSession | undefined): void {
    const {clock, records, background} = this.#options
    if (this.#waiters.size > 0) background(this.#lookForLeft(session))
    const isForgotten = this.#power.state === 'off' && clock.monotonic() - this.#offSinceMs > FORGOTTEN_MS
    if (!isForgotten || session === undefined || records.current?.role !== 'primary') return
    this.#offSinceMs = clock.monotonic()
    background(quit(session, {timeoutMs: FORGOTTEN_MS}))
  }

  /** QEMU is gone; called before anything of its protection is forgotten. */
  gone(): void {
    const {records, store, background} = this.#options
    const record = records.current
    const {state, atMs} = this.#power
    this.#power.forget()
    if (record === undefined) return
    if (state === 'running') this.#settle({unclean: 'its guest had not powered off'})
    else background(this.#judge(record, store.now, {state, atMs}))
  }

  /** The peer, primary of our generation, says that it was stopped cleanly. */
  peerStopped(how: CleanStop): void {
    const {clock, records, background, runAlone} = this.#options
    const record = records.current
    if (record === undefined) return
    this.#peer = {generation: record.generation.id, how}
    this.#wake()
    const {stale, incomplete} = record.marks
    if (record.clean || stale !== undefined || incomplete !== undefined || this.#following) return
    if (clock.monotonic() - this.#followedAtMs < REPEAT_MS) return
    this.#following = true
    const identity = identityOf(record)
    const done = runAlone(`follow the stop of ${record.peer}`, secondaryFollows(identity, record.host)).finally(() => {
      this.#following = false
      this.#followedAtMs = clock.monotonic()
    })
    background(done)
  }

  /**
   * Settles when this side has noted a clean stop of its own.
   *
   * @throws {StateError} when QEMU ended otherwise, or the secondary's did before the guest was off; {TimedOutError}, or the signal's reason
   */
  async stopped(timeoutMs: number, signal: AbortSignal): Promise<CleanStop> {
    const {pair, records, clock} = this.#options
    this.#leftSinceMs = undefined // nobody has looked since the last stop
    const outcome = await this.#until(`the guest of ${pair} to power off`, timeoutMs, signal, () => {
      const {current} = records
      const isOver = this.#leftSinceMs !== undefined && clock.monotonic() - this.#leftSinceMs > LEFT_MS
      return (
        this.#outcome ?? (current === undefined ? undefined : cleanStopOf(current)) ?? (isOver ? 'left' : undefined)
      )
    })
    if (outcome === 'left') throw this.#secondaryLeft()
    if (typeof outcome !== 'object') return outcome
    throw new StateError(
      `the copy of ${pair} on ${records.current?.host ?? 'this host'} ended, but not cleanly: ${outcome.unclean}`,
      {actual: 'failed', required: ['stopped']},
      {hint: `colo pair status ${pair}`},
    )
  }

  /** A secondary that ends in the middle of a checkpoint leaves the guest frozen until somebody decides; at any other time it goes on. */
  async #lookForLeft(session: QmpSession | undefined): Promise<void> {
    const {clock, records, peerAbsent} = this.#options
    const record = records.current
    const isAlone = record?.role !== 'primary' || record.alone || peerAbsent?.() !== true
    const isFrozen = !isAlone && session !== undefined && (await queryStatus(session)).status === 'colo'
    this.#leftSinceMs = isFrozen ? (this.#leftSinceMs ?? clock.monotonic()) : undefined
    if (isFrozen) this.#wake()
  }

  #secondaryLeft(): StateError {
    const {pair, records} = this.#options
    const {host = 'HOST', peer = 'the peer'} = records.current ?? {}
    return new StateError(
      `the copy of ${pair} on ${peer} ended in a checkpoint before the guest was off, and the guest waits for it`,
      {actual: 'suspect', required: ['protected']},
      {hint: `let it go on alone, then stop it: colo pair failover ${pair} --to ${host} && colo pair stop ${pair}`},
    )
  }

  /** Settles when the peer has said that it was stopped cleanly in our generation. */
  peerHow(timeoutMs: number, signal: AbortSignal): Promise<CleanStop> {
    const {records} = this.#options
    const what = `the word of ${records.current?.peer ?? 'the peer'}'s agent that the guest is off`
    return this.#until(what, timeoutMs, signal, () =>
      this.#peer?.generation === records.current?.generation.id ? this.#peer?.how : undefined,
    )
  }

  async #judge(
    record: PairRecord,
    {active, missedWrites, latched, blindSince}: Protection,
    power: {readonly state: 'off' | 'flushed'; readonly atMs: number},
  ): Promise<void> {
    const {layout} = this.#options
    const peerNodes = layout().disks.map(({nbd}) => nbd)
    const watched = active && blindSince === undefined
    const isFlushed = power.state === 'flushed' || (await this.#endedInOrder())
    const verdict = isFlushed
      ? judgeStop(record, {watched, missedWrites, latched, offAtMs: power.atMs, peerNodes})
      : {unclean: 'QEMU was killed before its disks were known to be flushed'}
    if (typeof verdict === 'object') this.#settle(verdict)
    else await this.#note(record, verdict)
  }

  /**
   * QEMU removes its sockets as one of the last things it does, after it has stopped the guest and flushed and closed every disk; one that
   * is killed leaves them. libvirt's signal may come so early that QEMU never sends a second SHUTDOWN.
   *
   * @see qemu/qemu system/runstate.c, qemu_cleanup; util/qemu-sockets.c, socket_listen_cleanup
   */
  async #endedInOrder(): Promise<boolean> {
    const {files, layout} = this.#options
    return (await files.stat(layout().agentSocket)) === undefined
  }

  async #note(before: PairRecord, how: CleanStop): Promise<void> {
    const {files, layout, records, events, announce, runAlone} = this.#options
    let noted = false
    const images = await imagesNow({files}, imagesOf(layout(), before.host))
    await records.update((record) => {
      // a start may have been faster than this note
      if (record.generation.id !== before.generation.id || record.role !== 'primary') return undefined
      noted = true
      return {clean: true, wasProtected: how === 'equal', images}
    })
    if (noted) await events.record({type: 'STOPPED', data: {copies: how}, decisive: true})
    this.#settle(how)
    announce()
    await runAlone(`tidy up after the stop`, primaryTidied(identityOf(before), before.host))
  }

  #settle(outcome: CleanStop | {readonly unclean: string}): void {
    this.#outcome = outcome
    this.#wake()
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake()
  }

  async #until<R>(what: string, timeoutMs: number, signal: AbortSignal, probe: () => R | undefined): Promise<R> {
    const {clock} = this.#options
    const endMs = clock.monotonic() + timeoutMs
    for (;;) {
      signal.throwIfAborted()
      const found = probe()
      if (found !== undefined) return found
      const leftMs = endMs - clock.monotonic()
      if (leftMs <= 0) throw new TimedOutError(`waited ${timeoutMs / 1000} s for ${what}`, timeoutMs)
      await this.#next(leftMs, signal)
    }
  }

  async #next(limitMs: number, signal: AbortSignal): Promise<void> {
    const stop = new AbortController()
    let wake = (): void => undefined
    const news = new Promise<void>((resolve) => {
      wake = resolve
    })
    this.#waiters.add(wake)
    const late = this.#options.clock.sleep(limitMs, AbortSignal.any([stop.signal, signal])).catch(() => undefined)
    try {
      await Promise.race([news, late])
    } finally {
      stop.abort()
      this.#waiters.delete(wake)
    }
  }
}

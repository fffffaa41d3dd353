import {TimedOutError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {CheckpointObservation} from '../pair/observation.js'
import * as counter from './checkpoint-counter.js'

/** The checkpoints of one member as its QEMU's events tell them, and those who wait for the next. */
export class Checkpoints {
  readonly #pair: string
  readonly #clock: Clock
  readonly #waiters = new Set<() => void>()
  #state = counter.noCheckpoints
  /** monotonic time of the last completed one: a clock that is set back must not make an old beat young (S7) */
  #completedAtMs = 0

  constructor(pair: string, clock: Clock) {
    this.#pair = pair
    this.#clock = clock
  }

  get count(): number {
    return this.#state.count
  }

  /** COLO is on, as far as is known */
  get colo(): boolean {
    return this.#state.colo
  }

  observation(): CheckpointObservation {
    const seen = counter.observationOf(this.#state, this.#clock.now())
    if (seen.lastAtMs === undefined) return seen
    const ageMs = this.#clock.monotonic() - this.#completedAtMs
    return {...seen, lastAtMs: Math.round(this.#clock.now() - ageMs)}
  }

  begin(): void {
    this.#state = counter.begin()
  }

  end(): void {
    this.#state = counter.end(this.#state)
  }

  forget(): void {
    this.#state = counter.noCheckpoints
  }

  /** @returns whether a checkpoint is open now */
  stopped(atMs: number): boolean {
    this.#state = counter.stopped(this.#state, atMs)
    return this.#state.openSinceMs !== undefined
  }

  /** @returns whether a checkpoint was completed by it */
  resumed(atMs: number): boolean {
    const before = this.#state.count
    this.#state = counter.resumed(this.#state, atMs)
    if (this.#state.count === before) return false
    this.#completedAtMs = this.#clock.monotonic()
    for (const wake of [...this.#waiters]) wake()
    return true
  }

  /** Settles when more than `after` were completed. @throws {TimedOutError}, or the signal's reason */
  async awaitMore(after: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const endMs = this.#clock.monotonic() + timeoutMs
    while (this.#state.count <= after) {
      signal.throwIfAborted()
      const leftMs = endMs - this.#clock.monotonic()
      if (leftMs <= 0) {
        throw new TimedOutError(`${this.#pair}: no checkpoint was completed within ${timeoutMs} ms`, timeoutMs, {
          hint: 'a peer that hangs or cannot be reached makes checkpoints stand still',
        })
      }
      await this.#next(leftMs, signal)
    }
  }

  async #next(limitMs: number, signal: AbortSignal): Promise<void> {
    let wake = (): void => undefined
    const done = new Promise<void>((resolve) => {
      wake = resolve
    })
    this.#waiters.add(wake)
    const limit = new AbortController()
    const late = this.#clock.sleep(limitMs, AbortSignal.any([limit.signal, signal])).catch(() => undefined)
    try {
      await Promise.race([done, late])
    } finally {
      limit.abort()
      this.#waiters.delete(wake)
    }
  }
}

import type {Clock} from '../os/clock.js'
import type {ProbeOnce, ProbeTarget} from './probe-target.js'

/** How a service looked from here, from `start` to `stop`. */
export interface ProbeReport {
  readonly url: string
  readonly tries: number
  readonly failed: number
  /** longest time from one answer to the next, milliseconds; with answers all the time about the pause between two tries */
  readonly longestSilenceMs: number
  /** the last try was answered */
  readonly answers: boolean
  /** why the last failed try failed */
  readonly problem?: string
}

const everyMs = 50
const tryMs = 1000

/** Asks each target again and again, one try after the other, until it is stopped. */
export class Prober {
  readonly #targets: readonly Probing[]
  readonly #stop = new AbortController()
  readonly #loops: ReadonlyArray<Promise<void>>

  constructor(clock: Clock, targets: readonly ProbeTarget[], once: ProbeOnce) {
    this.#targets = targets.map((target) => new Probing(clock, target, once))
    this.#loops = this.#targets.map((probing) => probing.run(this.#stop.signal))
  }

  /** Settles when each target has answered a try that began after this call, or the limit passed. */
  async allAnswer(timeoutMs: number): Promise<void> {
    await Promise.all(this.#targets.map((probing) => probing.nextAnswer(timeoutMs)))
  }

  async stop(): Promise<readonly ProbeReport[]> {
    this.#stop.abort()
    await Promise.all(this.#loops)
    return this.#targets.map((probing) => probing.report())
  }
}

class Probing {
  readonly #clock: Clock
  readonly #target: ProbeTarget
  readonly #once: ProbeOnce
  #tries = 0
  #failed = 0
  #answers = false
  #problem: string | undefined
  #answeredAtMs: number
  #longestMs = 0
  #began = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, target: ProbeTarget, once: ProbeOnce) {
    this.#clock = clock
    this.#target = target
    this.#once = once
    this.#answeredAtMs = clock.monotonic()
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const beganMs = this.#clock.monotonic()
      this.#tries++
      try {
        await this.#once(this.#target, tryMs)
        this.#answered(beganMs)
      } catch (error) {
        this.#failed++
        this.#answers = false
        this.#problem = (error as Error).message
      }
      await this.#clock.sleep(everyMs, signal).catch(() => undefined)
    }
    if (!this.#answers) this.#longestMs = Math.max(this.#longestMs, this.#clock.monotonic() - this.#answeredAtMs)
  }

  async nextAnswer(timeoutMs: number): Promise<void> {
    const askedMs = this.#clock.monotonic()
    while (this.#began < askedMs && this.#clock.monotonic() - askedMs < timeoutMs) await this.#clock.sleep(everyMs)
  }

  report(): ProbeReport {
    return {
      url: this.#target.url,
      tries: this.#tries,
      failed: this.#failed,
      longestSilenceMs: Math.round(this.#longestMs),
      answers: this.#answers,
      ...(this.#problem === undefined ? {} : {problem: this.#problem}),
    }
  }

  #answered(beganMs: number): void {
    const nowMs = this.#clock.monotonic()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#answeredAtMs)
    this.#answeredAtMs = nowMs
    this.#answers = true
    this.#began = beganMs
  }
}

import type {Clock} from '../os/clock.js'
import {QmpCommandError, QmpTimeoutError} from '../qmp/errors.js'
import type {ExecuteOptions, QmpEvent, QmpSession} from '../qmp/session.js'

/** Nothing heard for this long: ask. STOP and RESUME of COLO are signs of life, so that a protected VM is rarely asked. */
const QUIET_MS = 2000
/** A reply that takes longer means hung. */
const REPLY_MS = 1000
const FOR_EVER_MS = 2 ** 31 - 1

/**
 * One session that knows whether its QEMU still answers.
 *
 * At most one question is out: a hung QEMU is not buried in commands, and its first sign of life ends the hang.
 */
export class HeldSession {
  readonly session: QmpSession
  readonly #inner: QmpSession
  readonly #clock: Clock
  readonly #onHang: (hung: boolean) => void
  #heardAtMs: number
  #asking: Promise<void> | undefined
  #hung = false

  constructor(inner: QmpSession, clock: Clock, onHang: (hung: boolean) => void) {
    this.#inner = inner
    this.#clock = clock
    this.#onHang = onHang
    this.#heardAtMs = clock.monotonic()
    this.session = {
      ...inner,
      closed: inner.closed,
      execute: async (command: string, args?: Readonly<Record<string, unknown>>, options?: ExecuteOptions) => {
        try {
          const value = await inner.execute(command, args, options)
          this.heard()
          return value
        } catch (error) {
          if (error instanceof QmpCommandError) this.heard()
          if (error instanceof QmpTimeoutError) this.#late(error.waitedMs)
          throw error
        }
      },
    }
    inner.onEvent((_event: QmpEvent) => {
      this.heard()
    })
  }

  get hung(): boolean {
    return this.#hung
  }

  heard(): void {
    this.#heardAtMs = this.#clock.monotonic()
    this.#set(false)
  }

  /** Called about once a second. */
  tick(): void {
    if (this.#clock.monotonic() - this.#heardAtMs > QUIET_MS) this.ask()
  }

  /** Asks for a sign of life, unless a question is out already. */
  ask(): void {
    if (this.#asking !== undefined) return
    const late = setTimeout(() => {
      this.#set(true)
    }, REPLY_MS)
    late.unref()
    this.#asking = this.#inner.execute('query-status', undefined, {timeoutMs: FOR_EVER_MS}).then(
      () => {
        this.heard()
      },
      (error: unknown) => {
        if (error instanceof QmpCommandError) this.heard()
      },
    )
    void this.#asking.finally(() => {
      clearTimeout(late)
      this.#asking = undefined
    })
  }

  /** A command had no reply in time: QMP answers in order, so that whatever comes next waits behind it. */
  #late(waitedMs: number): void {
    if (waitedMs >= REPLY_MS) this.#set(true)
    this.ask()
  }

  /** Settles when it answers, or after `timeoutMs`. */
  async answering(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#hung) return true
    this.ask()
    const stop = new AbortController()
    const limit = this.#clock.sleep(
      timeoutMs,
      signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    )
    await Promise.race([this.#asking, limit.catch(() => undefined)])
    stop.abort()
    return !this.#hung
  }

  #set(hung: boolean): void {
    if (this.#hung === hung) return
    this.#hung = hung
    this.#onHang(hung)
  }
}

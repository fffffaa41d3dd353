import {TimedOutError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import {QmpConnectError, QmpTimeoutError} from '../qmp/errors.js'
import type {QmpEvent, QmpOptions, QmpSession} from '../qmp/session.js'
import {HeldSession} from './held-session.js'
import type {QemuProcess} from './qemu-process.js'

export type ConnectQmp = (options: QmpOptions & {readonly path: string}) => Promise<QmpSession>

/** How a session came about: at the domain's creation, or later, when events may have been missed. */
export type Attached = 'created' | 'found' | 'again'

export interface KeeperOptions {
  readonly agentSocket: string
  readonly yankSocket: string
  readonly clock: Clock
  readonly connect: ConnectQmp
  readonly process: QemuProcess
  /** registered before the first event can come */
  readonly onEvent: (event: QmpEvent) => void
  readonly onAttached: (how: Attached, session: QmpSession) => void
  /** QEMU died, not by `release` */
  readonly onGone: (why: string) => void
  readonly onHang: (hung: boolean) => void
  readonly onProblem: (text: string) => void
}

/**
 * ```
 * idle ──attach/find──> connecting ──> held ──session ends──> connecting ──refused──> idle (gone)
 *   ^                       |no greeting
 *   └──────release──────────┴─(hung: tried again, slower and slower)
 * ```
 */
type State =
  | {readonly id: 'idle'}
  /** something listens but does not answer: hung, or another client holds the socket */
  | {readonly id: 'silent'; readonly sinceMs: number}
  | {readonly id: 'held'; readonly held: HeldSession}

const CONNECT_MS = 2000
const LONGEST_PAUSE_MS = 5000

/** Holds the session on `agent.qmp` of one domain for as long as the domain lives. */
export class Keeper {
  readonly #options: KeeperOptions
  #state: State = {id: 'idle'}
  #connecting: Promise<QmpSession> | undefined
  #yank: QmpSession | undefined
  #searching = false
  /** changes when the domain is let go of, so that what still runs for the old one stops */
  #era = new AbortController()
  #closed = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  get status(): 'connected' | 'absent' | 'hung' {
    switch (this.#state.id) {
      case 'idle':
        return 'absent'
      case 'silent':
        return 'hung'
      case 'held':
        return this.#state.held.hung ? 'hung' : 'connected'
    }
  }

  /** The session as it is now, without waiting. */
  get session(): QmpSession | undefined {
    return this.#state.id === 'held' ? this.#state.held.session : undefined
  }

  /** Starts holding a domain that was just created. @throws {TimedOutError | QmpConnectError} after `timeoutMs` */
  async attach(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const {clock, agentSocket} = this.#options
    const endMs = clock.monotonic() + timeoutMs
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 200)) {
      const leftMs = endMs - clock.monotonic()
      try {
        await this.#open('created', Math.max(1, leftMs), signal)
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (clock.monotonic() + pauseMs >= endMs) {
          throw new TimedOutError(`${agentSocket}: no QEMU answered within ${timeoutMs} ms`, timeoutMs, {cause: error})
        }
      }
      await clock.sleep(pauseMs, signal)
    }
  }

  /** Looks whether the domain lives, as at the agent's start. Settles after the first try; a silent one is tried again. */
  async find(): Promise<void> {
    await this.#search('found')
  }

  /** Lets go: the domain is about to be ended on purpose, or handed over. */
  release(): void {
    this.#era.abort(new Error('released'))
    this.#era = new AbortController()
    const session = this.session
    this.#state = {id: 'idle'}
    session?.close()
    const yank = this.#yank
    this.#yank = undefined
    yank?.close()
  }

  /** The agent ends; the guest goes on. */
  close(): void {
    this.#closed = true
    this.release()
  }

  /** @throws {QmpConnectError} when the domain is absent, {QmpTimeoutError} when it hangs */
  async qmp(signal?: AbortSignal): Promise<QmpSession> {
    if (this.#state.id !== 'held') return this.#open('again', CONNECT_MS, signal)
    const {held} = this.#state
    if (await held.answering(CONNECT_MS, signal)) return held.session
    throw new QmpTimeoutError(this.#options.agentSocket, 'query-status', CONNECT_MS)
  }

  /**
   * Runs `body` on the out-of-band session. It is negotiated while QEMU is well and held, because `qmp_capabilities` itself needs the
   * main loop: a session opened after the loop is stuck could not free it (decision 15).
   */
  async withYank<R>(body: (session: QmpSession) => Promise<R>): Promise<R> {
    const held = this.#yank
    if (held !== undefined) return await body(held)
    const session = await this.#connectYank()
    try {
      return await body(session)
    } finally {
      if (this.#yank !== session) session.close()
    }
  }

  tick(): void {
    if (this.#state.id === 'held') this.#state.held.tick()
  }

  #open(how: Attached, timeoutMs: number, signal?: AbortSignal): Promise<QmpSession> {
    const session = this.session
    if (session !== undefined) return Promise.resolve(session)
    this.#connecting ??= this.#connect(how, timeoutMs).finally(() => {
      this.#connecting = undefined
    })
    return unlessAborted(this.#connecting, signal)
  }

  /** For all who ask meanwhile: the domain being let go of ends it, a caller who gives up does not. */
  async #connect(how: Attached, timeoutMs: number): Promise<QmpSession> {
    const {agentSocket: path, clock, connect, onEvent, onAttached, onHang} = this.#options
    const era = this.#era.signal
    const inner = await connect({path, timeoutMs, signal: era, onEvent, report: () => undefined})
    if (era.aborted) {
      inner.close() // let go of while it was being opened
      throw era.reason as Error
    }
    const held = new HeldSession(inner, clock, onHang)
    this.#state = {id: 'held', held}
    void inner.closed.then(() => {
      if (this.#state.id !== 'held' || this.#state.held !== held) return // let go of
      this.#state = {id: 'silent', sinceMs: clock.monotonic()}
      this.#searchOn()
    })
    void this.#holdYank(era)
    onAttached(how, held.session)
    return held.session
  }

  #searchOn(): void {
    this.#search('again').catch((error: unknown) => {
      this.#options.onProblem(`looking for QEMU: ${(error as Error).message}`)
    })
  }

  #connectYank(): Promise<QmpSession> {
    const {connect, yankSocket: path} = this.#options
    return connect({path, oob: true, timeoutMs: CONNECT_MS, report: () => undefined})
  }

  /** Holds the out-of-band session for as long as the other one; without it `withYank` connects when it is needed. */
  async #holdYank(era: AbortSignal): Promise<void> {
    if (this.#yank !== undefined) return
    try {
      const session = await this.#connectYank()
      if (era.aborted || this.#yank !== undefined) {
        session.close()
        return
      }
      this.#yank = session
      void session.closed.then(() => {
        if (this.#yank === session) this.#yank = undefined
      })
    } catch {
      // tried again with the next attachment, or when it is needed
    }
  }

  /** Tries until there is a session, or it is certain that no QEMU is there. */
  async #search(how: 'found' | 'again'): Promise<void> {
    if (this.#searching) return
    this.#searching = true
    const era = this.#era.signal
    try {
      for (let pauseMs = 10; !era.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        const outcome = await this.#try(how)
        if (outcome === 'held' || era.aborted) return
        if (outcome === 'absent') {
          this.#state = {id: 'idle'}
          if (how === 'again') this.#options.onGone('its QMP socket ended and nobody listens there')
          return
        }
        const wait = this.#options.clock.sleep(pauseMs, era).catch(() => undefined)
        if (how === 'found' && outcome === 'silent') {
          void wait.then(() => (era.aborted ? undefined : this.#searchOn())) // the first try is over: `find` settles
          return
        }
        await wait
      }
    } finally {
      this.#searching = false
    }
  }

  async #try(how: 'found' | 'again'): Promise<'held' | 'absent' | 'silent'> {
    if (this.#closed) return 'absent'
    try {
      await this.#open(how, CONNECT_MS)
      return 'held'
    } catch (error) {
      const nobody = error instanceof QmpConnectError && ['missing', 'refused', 'denied'].includes(error.failure)
      if (nobody && !(await this.#options.process.alive())) return 'absent'
      if (this.#state.id === 'idle') this.#state = {id: 'silent', sinceMs: this.#options.clock.monotonic()}
      return 'silent'
    }
  }
}

/** What the promise settles with, unless this caller gives up first; the work goes on for the others. */
async function unlessAborted<R>(work: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (signal === undefined) return work
  work.catch(() => undefined) // it may fail when nobody waits any more
  signal.throwIfAborted()
  let giveUp: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', giveUp, {once: true})
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    if (giveUp !== undefined) signal.removeEventListener('abort', giveUp)
  }
}

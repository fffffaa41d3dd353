import {armDeadline, type Limit} from './deadline.js'
import {QmpOverflowError, QmpTimeoutError, type QmpClosedError, type QmpError} from './errors.js'
import type {QmpEvent} from './messages.js'

export type {QmpEvent} from './messages.js'

/** A subscription with its own queue; make it *before* the command that causes the event. */
export interface QmpListener extends AsyncDisposable {
  /**
   * The next event, oldest first. Events that came before the connection ended are still delivered.
   *
   * @throws {QmpTimeoutError} when none came in time
   * @throws {QmpClosedError} when the connection has ended and the queue is empty
   * @throws {QmpOverflowError} when events were lost because nobody read them
   * @throws the signal's reason when it aborts
   */
  next(limit: Limit): Promise<QmpEvent>
  /** Ends the subscription; a waiting `next` is never settled by events again and keeps its limit. */
  [Symbol.asyncDispose](): Promise<void>
}

/** How many unread events a listener holds: hours of checkpoints for a forgotten one, no leak. */
const QUEUE_BOUND = 10_000

/** Hands every event of one connection to callbacks and queues, in order. */
export class EventHub {
  readonly #socket: string
  readonly #callbacks = new Set<(event: QmpEvent) => void>()
  readonly #queues = new Set<EventQueue>()
  readonly #report: (text: string) => void
  #ended: QmpClosedError | undefined

  /** @param report gets a line when a callback throws; the other subscribers still get the event */
  constructor(socket: string, report: (text: string) => void) {
    this.#socket = socket
    this.#report = report
  }

  onEvent(callback: (event: QmpEvent) => void): () => void {
    const own = (event: QmpEvent): void => callback(event) // the same function may subscribe twice
    this.#callbacks.add(own)
    return () => {
      this.#callbacks.delete(own)
    }
  }

  listen(names: readonly string[], filter: (event: QmpEvent) => boolean = () => true): QmpListener {
    const queue = new EventQueue(this.#socket, names, filter, () => this.#queues.delete(queue))
    if (this.#ended === undefined) this.#queues.add(queue)
    else queue.fail(this.#ended)
    return queue
  }

  deliver(event: QmpEvent): void {
    for (const subscriber of [...this.#callbacks, ...[...this.#queues].map((queue) => queue.offer)]) {
      try {
        subscriber(event)
      } catch (error) {
        this.#report(`a subscriber to ${event.event} of ${this.#socket} threw: ${String(error)}`)
      }
    }
  }

  end(error: QmpClosedError): void {
    this.#ended = error
    this.#callbacks.clear()
    for (const queue of this.#queues) queue.fail(error)
    this.#queues.clear()
  }
}

interface Waiter {
  readonly resolve: (event: QmpEvent) => void
  readonly reject: (error: Error) => void
}

class EventQueue implements QmpListener {
  readonly #socket: string
  readonly #names: readonly string[]
  readonly #filter: (event: QmpEvent) => boolean
  readonly #leave: () => void
  readonly #events: QmpEvent[] = []
  readonly #waiters = new Set<Waiter>()
  #failure: QmpError | undefined

  constructor(socket: string, names: readonly string[], filter: (event: QmpEvent) => boolean, leave: () => void) {
    this.#socket = socket
    this.#names = names
    this.#filter = filter
    this.#leave = leave
  }

  readonly offer = (event: QmpEvent): void => {
    if (this.#failure !== undefined || !this.#names.includes(event.event) || !this.#filter(event)) return
    const [waiter] = this.#waiters
    if (waiter !== undefined) waiter.resolve(event)
    else if (this.#events.length < QUEUE_BOUND) this.#events.push(event)
    else this.fail(new QmpOverflowError(this.#socket, this.#names, QUEUE_BOUND))
  }

  fail(error: QmpError): void {
    this.#failure ??= error
    for (const waiter of this.#waiters) waiter.reject(this.#failure)
  }

  async next(limit: Limit): Promise<QmpEvent> {
    limit.signal?.throwIfAborted()
    const ready = this.#events.shift()
    if (ready !== undefined) return ready
    if (this.#failure !== undefined) throw this.#failure
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        disarm()
        this.#waiters.delete(waiter)
      }
      const waiter: Waiter = {
        resolve: (event) => {
          leave()
          resolve(event)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      const disarm = armDeadline(limit, (reason) => {
        waiter.reject(reason ?? new QmpTimeoutError(this.#socket, `event ${this.#names.join(' or ')}`, limit.timeoutMs))
      })
      this.#waiters.add(waiter)
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#leave()
    return Promise.resolve()
  }
}

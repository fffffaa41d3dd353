import {ConflictError, StateError} from '../errors.js'
import {bootHostOf} from '../pair/boot-owner.js'
import type {LockHolder} from '../pair/observation.js'

/** Who holds a lock: one connection. Compared by identity. */
export type LockOwner = object

interface Lock {
  readonly holder: LockHolder
  readonly by: LockOwner
}

/** One changing operation per pair. A lock lives as long as the connection that took it. */
export class Locks {
  readonly #locks = new Map<string, Lock>()
  readonly #waiters = new Set<() => void>()
  readonly #now: () => number

  /** @param now wall clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * Takes the lock of a pair; taking it again on the same connection changes nothing.
   *
   * @throws {ConflictError} that names the holder's owner, purpose and start
   */
  acquire(pair: string, by: LockOwner, {owner, purpose}: {owner: string; purpose: string}): LockHolder {
    const held = this.#locks.get(pair)
    if (held !== undefined && held.by !== by) throw conflictOf(pair, held.holder)
    const lock = held ?? {by, holder: {owner, purpose, sinceMs: this.#now()}}
    this.#locks.set(pair, lock)
    return lock.holder
  }

  /** Lets go; not holding it is fine. */
  release(pair: string, by: LockOwner): void {
    if (this.#locks.get(pair)?.by !== by) return
    this.#locks.delete(pair)
    for (const wake of [...this.#waiters]) wake()
  }

  holder(pair: string): LockHolder | undefined {
    return this.#locks.get(pair)?.holder
  }

  /** pairs this connection holds */
  heldBy(by: LockOwner): string[] {
    return [...this.#locks].filter(([, lock]) => lock.by === by).map(([pair]) => pair)
  }

  /** the connection that holds it */
  ownerOf(pair: string): LockOwner | undefined {
    return this.#locks.get(pair)?.by
  }

  /** @throws {StateError} unless this connection holds the lock */
  require(pair: string, by: LockOwner, what: string): void {
    if (this.#locks.get(pair)?.by === by) return
    throw new StateError(`${what} on ${pair} needs the pair's lock`, {actual: 'not locked', required: ['locked']})
  }

  /** Settles at the next release of any lock. */
  released(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake)
        resolve()
      }
      this.#waiters.add(wake)
    })
  }
}

function conflictOf(pair: string, {owner, purpose, sinceMs}: LockHolder): ConflictError {
  const host = bootHostOf(owner)
  const since = new Date(sinceMs).toISOString()
  return new ConflictError(`${pair} is being changed by ${owner}: ${purpose}, since ${since}`, {
    hint:
      host === undefined
        ? 'wait until it has ended; a lock ends with the command that took it'
        : `wait until it has ended, or end it, and what it did is taken back: systemctl restart colo-agent on ${host}`,
  })
}

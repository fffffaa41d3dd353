import type {Clock} from '../os/clock.js'
import type {Run} from '../os/process.js'

/** How long a list is used; a step that ran makes it void at once. */
const FRESH_MS = 10_000
/** Older than this it is not shown at all, but waited for. */
const STALE_MS = 60_000

/**
 * Which nftables tables of family `netdev` exist, that is, at which taps uncompared frames are dropped.
 *
 * The kernel tells it over netlink only, so `nft` is run, in the background and rarely.
 */
export class TapFilters {
  readonly #run: Run
  readonly #clock: Clock
  #tables: ReadonlySet<string> = new Set()
  #readAtMs = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(run: Run, clock: Clock) {
    this.#run = run
    this.#clock = clock
  }

  /** Names of the tables; empty when nft is missing. */
  async tables(): Promise<ReadonlySet<string>> {
    const ageMs = this.#clock.monotonic() - this.#readAtMs
    if (ageMs > FRESH_MS) this.#reading ??= this.#read()
    if (ageMs > STALE_MS) await this.#reading
    return this.#tables
  }

  /** A step may have changed them. */
  invalidate(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY
  }

  async #read(): Promise<void> {
    const startedMs = this.#clock.monotonic()
    try {
      const {stdout} = await this.#run(['nft', 'list', 'tables', 'netdev'], {timeoutMs: 2000})
      this.#tables = new Set([...stdout.matchAll(/^table netdev (\S+)/gm)].map((match) => match[1] ?? ''))
    } catch {
      this.#tables = new Set()
    }
    this.#readAtMs = startedMs
    this.#reading = undefined
  }
}

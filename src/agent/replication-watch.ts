import type {Clock} from '../os/clock.js'
import {compareConnections, connectionsOf, type NbdState, type PairConnections} from './nbd-connections.js'
import type {PairRecord} from '../pair/record.js'
import type {ProtectionStore} from './protection-store.js'
import type {TcpTable} from './tcp-table.js'

/** A dying QEMU closes its sockets one after the other: a loss counts when the migration stream outlives it by this. */
const CONFIRM_MS = 25

export interface ReplicationWatchOptions {
  readonly table: TcpTable
  readonly clock: Clock
  readonly protection: ProtectionStore
  readonly record: () => PairRecord | undefined
  /** the NBD connection of the protection is gone while its peer lives */
  readonly onLost: (state: NbdState) => void
  /** a checkpoint completed on this side (the secondary) without every write before it */
  readonly onMissed: (why: string) => void
}

/**
 * Watches over the very NBD connection made at protection (S7).
 *
 * On the secondary a copy is bad once a checkpoint *completes* after writes were missed: then its memory knows of writes
 * its disk has not. Losing NBD because the primary died is no fault: no checkpoint completes after it. The order is told by
 * looking at the connections at each RESUME; the migration stream, which dies with the primary, tells its death from
 * the loss of NBD alone.
 */
export class ReplicationWatch {
  readonly #options: ReplicationWatchOptions
  /** why a checkpoint that completes from now on makes this copy bad */
  #doubt: string | undefined
  #coloOver = false
  #reported: NbdState = 'none'

  constructor(options: ReplicationWatchOptions) {
    this.#options = options
  }

  /** COLO began, or protection: nothing is held against this copy. */
  reset(): void {
    this.#doubt = undefined
    this.#coloOver = false
    this.#reported = 'none'
  }

  /** COLO_EXIT: no checkpoint completes any more, whatever RESUME follows. */
  coloExited(): void {
    this.#coloOver = true
  }

  /** Something says that writes did not arrive: the export was deleted, or the peer's quorum reported its NBD node. */
  suspect(why: string): void {
    if (this.#watching) this.#doubt ??= why
  }

  /** At STOP, and once a second: was the connection lost before the next checkpoint completes? */
  async look(): Promise<void> {
    if (this.#watching) await this.#examine()
  }

  /** At each RESUME that completes a checkpoint. */
  async checkpointCompleted(): Promise<void> {
    if (!this.#watching) return
    if (this.#doubt === undefined) await this.#examine()
    if (this.#doubt !== undefined) this.#options.onMissed(this.#doubt)
  }

  /** How it stands; `recent`: as it stood a moment ago, for showing. */
  async state(how: 'now' | 'recent' = 'now'): Promise<{nbd: NbdState; connections: PairConnections}> {
    const connections = await this.connections(how)
    const {active, connections: noted} = this.#options.protection.now
    return {nbd: compareConnections(active ? noted : [], connections.nbd), connections}
  }

  async connections(how: 'now' | 'recent' = 'now'): Promise<PairConnections> {
    const {table, record: known} = this.#options
    const record = known()
    const address = record?.addresses[record.host]
    if (record === undefined || address === undefined) return {nbd: [], migration: false}
    return connectionsOf(record, await (how === 'now' ? table.read(address) : table.recent(address)))
  }

  get #watching(): boolean {
    const {active, connections} = this.#options.protection.now
    return active && connections.length > 0 && !this.#coloOver
  }

  /** Looks twice, so that the peer's death is not taken for the loss of NBD alone. */
  async #examine(): Promise<void> {
    const first = await this.state()
    if (first.nbd === 'connected' || !first.connections.migration) return
    await this.#options.clock.sleep(CONFIRM_MS)
    const second = await this.state()
    if (second.nbd === 'connected' || !second.connections.migration || !this.#watching) return
    this.#doubt ??= `the NBD connection was ${second.nbd}`
    if (this.#reported === second.nbd) return
    this.#reported = second.nbd
    this.#options.onLost(second.nbd)
  }
}

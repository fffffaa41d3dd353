import type {DiskObservation} from '../pair/observation.js'
import type {PairRecord} from '../pair/record.js'
import {hasPort, hexEndpoint, identityOf, type TcpConnection} from './tcp-table.js'

/** The pair's established connections on the replication link, from this host's view. */
export interface PairConnections {
  /** identities of the NBD connections, sorted */
  readonly nbd: readonly string[]
  /** the migration stream is there: QEMU on both sides was alive a moment ago, or fell silent */
  readonly migration: boolean
}

/** What became of the connections noted at the beginning of protection. */
export type NbdState = DiskObservation['replication']

/** Picks the connections of one pair: the secondary listens on both ports, the primary connects to the peer's. */
export function connectionsOf(record: PairRecord, table: readonly TcpConnection[]): PairConnections {
  const {nbd, migration} = record.ports
  const peer = record.addresses[record.peer]
  const on = (port: number) => {
    if (record.role === 'secondary') return table.filter(({local}) => hasPort(local, port))
    const remote = peer === undefined ? undefined : hexEndpoint(peer, port)
    return table.filter((connection) => connection.remote === remote)
  }
  return {nbd: on(nbd).map(identityOf).sort(), migration: on(migration).length > 0}
}

/**
 * @param noted identities at the beginning of protection; empty: none is under way
 * @returns `changed` when others took the place of lost ones: the same picture, but writes were missed in between
 */
export function compareConnections(noted: readonly string[], now: readonly string[]): NbdState {
  if (noted.length === 0) return now.length === 0 ? 'none' : 'connected'
  if (noted.every((identity) => now.includes(identity))) return 'connected'
  return now.some((identity) => !noted.includes(identity)) ? 'changed' : 'lost'
}

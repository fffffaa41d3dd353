import type {HostName} from './spec.js'

/** How a host's agent is reached. */
export type ConnectionSpec =
  | {readonly kind: 'local'}
  | {readonly kind: 'ssh'; readonly user?: string; readonly address: string; readonly port?: number}

/** One host of the inventory (`hosts.yaml`), checked. */
export interface HostEntry {
  readonly name: HostName
  readonly connection: ConnectionSpec
  /** IPv4 or IPv6 address of the replication link on this host */
  readonly replication: string
  /** the first port is the agents' beacon (UDP); pairs get theirs from the rest */
  readonly ports: {readonly from: number; readonly to: number}
  readonly scratch: string
  readonly images: string
  readonly bridges: readonly string[]
  readonly forward: readonly string[]
  readonly limits: {readonly pairs?: number; readonly memoryBytes?: number}
  /** a slow or far host: no question to its agent is given up before, milliseconds */
  readonly answerTimeoutMs?: number
}

export interface Inventory {
  /** where it was read from, for messages */
  readonly file: string
  readonly hosts: readonly HostEntry[]
}

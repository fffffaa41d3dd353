import type {CopyFault} from './copy-faults.js'
import type {Generation, PairRecord, Role} from './record.js'

/**
 * What one agent sees of its member of a pair at one moment; everything `colo pair status` knows.
 * The agent never waits for a hung QEMU: what could not be read in time is absent and `qmp` says why.
 */
export interface MemberObservation {
  readonly host: string
  /** wall clock of that host, milliseconds */
  readonly atMs: number
  readonly agent: {readonly version: string; readonly startedAtMs: number}
  readonly record: PairRecord | undefined
  readonly lock: LockHolder | undefined
  readonly intent: IntentSummary | undefined
  /** what libvirt says */
  readonly domain: 'absent' | 'running' | 'paused' | 'other'
  /** while no domain is there: how the copy's files differ from its record */
  readonly copyFaults?: readonly CopyFault[]
  /** ids of devices that were attached since the domain was made: the pair's definition does not have them */
  readonly attached?: readonly string[]
  /** of a running primary: when the kernel of its guest, which stands still since, has panicked */
  readonly panickedAtMs?: number
  /** of a running secondary: after so many checkpoints in a row its guest panicked */
  readonly panicsInARow?: number
  /** stopped cleanly, and no image was written to since */
  readonly atRest?: boolean
  /** of a running secondary: the file systems that the primary's writes need room in */
  readonly room?: readonly RoomObservation[]
  /** the host has booted, and this is why its agent has not started the copy */
  readonly boot?: {readonly kind: 'wait' | 'leave'; readonly why: string}
  /** `hung`: connected or connectable, but no reply in time; `busy`: somebody else holds the socket */
  readonly qmp: 'connected' | 'absent' | 'hung'
  readonly vm: VmObservation | undefined
  readonly nics: readonly NicObservation[]
  readonly disks: readonly DiskObservation[]
  readonly checkpoints: CheckpointObservation
  /** latched since protection began; the newest of each kind */
  readonly latched: readonly LatchedFact[]
  /** the agent was not watching for some time since protection began (restart, lost QMP connection): what it may have missed */
  readonly blindSince: number | undefined
  /** last word of the peer's agent over the replication link; undefined before the first */
  readonly peer: PeerWord | undefined
  readonly jobs: ReadonlyArray<{
    readonly id: string
    readonly status: string
    readonly current: number
    readonly total: number
  }>
  /** engine xen */
  readonly xen?: XenObservation
}

/** What an agent sees of a Xen pair's member: its domain, and the two sides of the stream that may run here. */
export interface XenObservation {
  /** why xl does not answer */
  readonly problem?: string
  /** number and name of the pair's own domain */
  readonly domain: {readonly domid: number; readonly name: string; readonly state: string} | undefined
  /** `xl remus` and the sending side of the relay */
  readonly sender: XenStreamEnd | undefined
  /** the receiving side of the relay */
  readonly receiver: XenStreamEnd | undefined
}

/** `held`: the stream broke, and this side waits for the grant. `lost`: the relay died; what it held stays as it is. */
export interface XenStreamEnd {
  readonly phase: 'starting' | 'streaming' | 'held' | 'ended' | 'lost'
  readonly reason?: string
}

/** What is left in one directory of a host. */
export interface RoomObservation {
  readonly what: 'scratch' | 'images'
  readonly path: string
  readonly availableBytes: number
}

export interface VmObservation {
  /** QMP query-status: running, colo, inmigrate, prelaunch, paused, postmigrate, shutdown, ... */
  readonly status: string
  /** query-colo-status; keeps its old value after the peer died: use with `latched` */
  readonly coloMode: 'primary' | 'secondary' | 'none'
  /** query-migrate status, or `none` */
  readonly migration: string
  readonly qemuVersion: string
}

export interface NicObservation {
  readonly index: number
  readonly tap: string
  readonly tapState: 'up' | 'down' | 'absent'
  readonly bridge: string | undefined
  /** drop of uncompared frames is installed at the tap */
  readonly tapFilter: boolean
  readonly objects: readonly ObjectObservation[]
  readonly chardevs: readonly ChardevObservation[]
  /** with `via: tc`, while the pair is in lock-step */
  readonly forward?: ForwardObservation
}

/** Kernel forwarding of one NIC on one host. */
export interface ForwardObservation {
  /** the dedicated NIC, or the VLAN on it */
  readonly device: string
  readonly carrier: boolean
  /** the link was cut, or the NIC replaced, since it was last proven; whole again or not */
  readonly touched: boolean
  /** devices and rules that should be there and are not */
  readonly missing: readonly string[]
  /** what is there and should not be: an address, a bridge, a filter of somebody else */
  readonly foreign: readonly string[]
  /** the way of a frame through this host, with the counters of the kernel's rules */
  readonly hops: readonly ForwardHop[]
  /** frames sent to the peer between three seconds and one second ago; undefined while not watched that long */
  readonly sent: number | undefined
  /** frames received from the peer in the last three seconds */
  readonly received: number | undefined
}

export interface ForwardHop {
  /** to the secondary, or back from it */
  readonly direction: 'to-secondary' | 'to-comparer'
  readonly device: string
  readonly hook: 'ingress' | 'egress'
  readonly verb: 'mirror' | 'redirect'
  readonly to: string
  /** undefined when the rule is not there */
  readonly packets: number | undefined
  readonly drops: number | undefined
}

export interface ObjectObservation {
  readonly id: string
  readonly type: string
  /** `status` property of a filter */
  readonly on: boolean | undefined
  readonly vnetHdr: boolean | undefined
}

export interface ChardevObservation {
  readonly id: string
  readonly connected: boolean
  readonly frontendOpen: boolean
}

export interface DiskObservation {
  readonly index: number
  readonly quorum: boolean
  /** node names of the quorum's children, in order */
  readonly children: readonly string[]
  /** active and hidden are still part of the chain (secondary, or a commit that goes on) */
  readonly overlays: boolean
  /** primary: connection of the NBD client; secondary: of the export. `changed`: not the one of the beginning of protection */
  readonly replication: 'none' | 'connected' | 'lost' | 'changed'
  readonly exported: boolean
}

export interface CheckpointObservation {
  /** completed (STOP and RESUME seen) since COLO began on this side */
  readonly count: number
  readonly lastAtMs: number | undefined
  readonly lastPauseMs: number | undefined
  /** a STOP without RESUME yet: milliseconds since then */
  readonly openForMs: number | undefined
}

/** One-shot evidence the agent fsynced. */
export interface LatchedFact {
  readonly kind:
    | 'colo-exit'
    | 'quorum-report-bad'
    | 'nbd-lost'
    | 'export-deleted'
    | 'block-io-error'
    | 'shutdown'
    | 'qemu-gone'
    | 'chardev-lost'
  readonly atMs: number
  readonly detail: string
}

export interface LockHolder {
  readonly owner: string
  readonly purpose: string
  readonly sinceMs: number
}

export interface IntentSummary {
  readonly plan: string
  readonly kind: string
  readonly title: string
  readonly startedAtMs: number
  readonly owner: string
  /** ids of the steps this host has finished */
  readonly done: readonly string[]
  /** the point of no return was passed */
  readonly committed: boolean
  readonly finish: string
}

export interface PeerWord {
  /** when it came, by this host's clock */
  readonly atMs: number
  readonly generationId: string
  readonly epoch: number
  readonly alone: boolean
  readonly domain: string
  readonly role: Role
  /** its ancestors may be cut short while it is the generation of this side */
  readonly generation: Generation
}

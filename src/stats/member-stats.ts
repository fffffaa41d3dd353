import type {PhaseSeries} from './phases.js'
import type {Series} from './checkpoints.js'

/** Everything one agent counted of its member of a pair; crosses the wire as it is. */
export interface MemberStats {
  readonly pair: string
  readonly host: string
  /** wall clock of that host at reading, milliseconds */
  readonly atMs: number
  readonly role: 'primary' | 'secondary' | undefined
  /** x-checkpoint-delay of the spec, milliseconds */
  readonly delayMs: number
  readonly series: Series
  /** undefined until traces were switched on once */
  readonly phases: PhaseSeries | undefined
  readonly tracing: Tracing
  readonly disks: readonly DiskTraffic[]
  readonly nics: readonly NicTraffic[]
  /** differs when something else than checkpoints changed: then a new observation is worth its price */
  readonly change: string
}

export type Tracing = 'off' | 'checkpoints' | 'packets'

/** Counters since QEMU was started. */
export interface DiskTraffic {
  readonly index: number
  readonly name: string
  /** bytes the guest wrote; on a primary in lock-step each of them was sent to the secondary, blocks of zeroes excepted */
  readonly writtenBytes: number
  readonly readBytes: number
  readonly writes: number
}

/** Counters of the tap since it was made, from the host's side: `in` leaves the guest, `out` enters it. */
export interface NicTraffic {
  readonly index: number
  readonly tap: string
  readonly fromGuestPackets: number
  readonly fromGuestBytes: number
  readonly toGuestPackets: number
  readonly toGuestBytes: number
}

/** One line of a live stream: what changed of a member since the last one. The first one of each member has `whole`. */
export interface StatsUpdate {
  readonly pair: string
  readonly atMs: number
  readonly change: string
  readonly whole?: MemberStats
  /** completed since the last update, oldest first */
  readonly fresh?: ReadonlyArray<Series['recent'][number]>
  readonly colo?: boolean
  /** the STOP of a checkpoint under way; undefined when there is none */
  readonly openSinceMs?: number
}

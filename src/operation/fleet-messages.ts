import type {RecordedEvent} from '../agent/protocol.js'
import type {MemberObservation} from '../pair/observation.js'
import type {PairStatus} from '../pair/status.js'
import type {StatsUpdate} from '../stats/member-stats.js'

/** What the live view of all hosts reports. */
export type FleetMessage =
  | {
      readonly kind: 'host'
      readonly host: string
      readonly state: 'connecting' | 'up' | 'lost'
      readonly problem?: string
      readonly version?: string
      readonly startedAtMs?: number
    }
  | {
      readonly kind: 'observed'
      readonly pairs: ReadonlyArray<{readonly status: PairStatus; readonly members: readonly MemberObservation[]}>
    }
  /** pairs that no host knows any more; every host answered */
  | {readonly kind: 'gone'; readonly pairs: readonly string[]}
  /** `offsetMs`: that host's clock minus ours */
  | {readonly kind: 'stats'; readonly host: string; readonly offsetMs: number; readonly updates: readonly StatsUpdate[]}
  | {readonly kind: 'event'; readonly host: string; readonly event: RecordedEvent}

import type {PairLayout} from '../pair/layout.js'
import type {LatchedFact} from '../pair/observation.js'
import type {QmpEvent} from '../qmp/session.js'

/** What an event means for currency and protection. */
export interface QemuFact {
  readonly kind: LatchedFact['kind']
  readonly detail: string
  /** the peer's disks did not get everything */
  readonly missedWrites: boolean
}

/** Events of no use to anybody, which come often. */
const noise = new Set(['RTC_CHANGE', 'NIC_RX_FILTER_CHANGED', 'MIGRATION_PASS'])

/** Sorts an event: one that decides something is a fact, `noise` is not even recorded. Unknown events are `other`. */
export function classify({event, data}: QmpEvent, layout: PairLayout): QemuFact | 'other' | 'noise' {
  if (noise.has(event)) return 'noise'
  const text = (key: string): string => (typeof data[key] === 'string' ? data[key] : '?')
  switch (event) {
    case 'COLO_EXIT':
      // 'request' is a failover that was asked for
      return text('reason') === 'request'
        ? 'other'
        : {kind: 'colo-exit', detail: `${text('mode')}: ${text('reason')}`, missedWrites: false}
    case 'QUORUM_REPORT_BAD': {
      const node = text('node-name')
      const isPeer = layout.disks.some(({nbd}) => nbd === node)
      const error = 'error' in data ? `: ${text('error')}` : ''
      const detail = `${text('type')} on ${node}${error}`
      return {kind: 'quorum-report-bad', detail, missedWrites: isPeer && text('type') !== 'read'}
    }
    case 'BLOCK_EXPORT_DELETED':
      return {kind: 'export-deleted', detail: text('id'), missedWrites: false}
    case 'BLOCK_IO_ERROR':
      return {
        kind: 'block-io-error',
        detail: `${text('operation')} on ${text('device')}: ${text('reason')}`,
        missedWrites: false,
      }
    case 'SHUTDOWN':
      // a guest that powers off or resets itself is no fault: see stop-follower.ts; of a secondary it is a divergence
      if (data['guest'] === true) return 'other'
      return {kind: 'shutdown', detail: text('reason'), missedWrites: false}
    default:
      return 'other'
  }
}

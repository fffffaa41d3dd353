import {field, integer, maybe, oneOf, record, text, flag, type Decoder} from './decode.js'
import type {QmpEvent} from './messages.js'

/**
 * Decoders of the events `colo` decides on. Each throws a {@link DecodeError} when a required member is missing.
 * Events come in the order QEMU queued them, not always in the order of `atUs`: QUORUM_REPORT_BAD is held back by its
 * rate limit of one per second.
 */
function decoder<T>(name: string, decode: Decoder<T>): (event: QmpEvent) => T {
  return (event) => decode(event.data, {source: name, path: 'data'})
}

/** The peer is gone (`error`), or a failover was asked for. Comes once, and never when the peer hangs. */
export interface ColoExit {
  readonly mode: 'primary' | 'secondary'
  readonly reason: 'request' | 'error'
}

export const coloExit = decoder(
  'COLO_EXIT',
  record<ColoExit>({
    mode: field('mode', oneOf('primary', 'secondary')),
    reason: field('reason', oneOf('request', 'error')),
  }),
)

/** A quorum child failed: the NBD node means the peer's side, any other one the local disk. */
export interface QuorumReportBad {
  readonly nodeName: string
  readonly type: 'read' | 'write' | 'flush'
  readonly error: string | undefined
  readonly sector: number
  readonly sectors: number
}

export const quorumReportBad = decoder(
  'QUORUM_REPORT_BAD',
  record<QuorumReportBad>({
    nodeName: field('node-name', text),
    type: field('type', oneOf('read', 'write', 'flush')),
    error: maybe('error', text),
    sector: field('sector-num', integer),
    sectors: field('sectors-count', integer),
  }),
)

/** Needs the migration capability `events`. */
export const migrationEvent = decoder('MIGRATION', record<{status: string}>({status: field('status', text)}))

export const jobStatusChange = decoder(
  'JOB_STATUS_CHANGE',
  record<{id: string; status: string}>({id: field('id', text), status: field('status', text)}),
)

export const blockExportDeleted = decoder('BLOCK_EXPORT_DELETED', record<{id: string}>({id: field('id', text)}))

/** `guest` tells a guest's own power-off from `quit` or a signal. */
export interface Shutdown {
  readonly guest: boolean
  /** such as `guest-shutdown`, `guest-reset`, `host-qmp-quit`, `host-signal` */
  readonly reason: string
}

const shutdownData = record<Shutdown>({guest: field('guest', flag), reason: field('reason', text)})
export const shutdownEvent = decoder('SHUTDOWN', shutdownData)
export const resetEvent = decoder('RESET', shutdownData)

export interface BlockIoError {
  readonly device: string
  readonly nodeName: string | undefined
  readonly operation: 'read' | 'write'
  readonly action: 'ignore' | 'report' | 'stop'
  readonly reason: string
}

export const blockIoError = decoder(
  'BLOCK_IO_ERROR',
  record<BlockIoError>({
    device: field('device', text),
    nodeName: maybe('node-name', text),
    operation: field('operation', oneOf('read', 'write')),
    action: field('action', oneOf('ignore', 'report', 'stop')),
    reason: field('reason', text),
  }),
)

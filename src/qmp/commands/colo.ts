import {field, flag, maybe, nothing, oneOf, record, text} from '../decode.js'
import {call, type CallOptions, type QmpExecutor} from './call.js'

export type ColoMode = 'none' | 'primary' | 'secondary'

export interface ColoStatus {
  readonly mode: ColoMode
  readonly lastMode: ColoMode
  /** why COLO ended; `processing` while a failover is under way */
  readonly reason: 'none' | 'request' | 'error' | 'processing'
}

const mode = oneOf('none', 'primary', 'secondary')
const coloStatus = record<ColoStatus>({
  mode: field('mode', mode),
  lastMode: field('last-mode', mode),
  reason: field('reason', oneOf('none', 'request', 'error', 'processing')),
})

/**
 * What QEMU says about its role. `mode` keeps its old value after the peer has died: use it together with COLO_EXIT.
 *
 * @see qemu/qemu qapi/migration.json, query-colo-status
 */
export function queryColoStatus(qmp: QmpExecutor, options?: CallOptions): Promise<ColoStatus> {
  return call(qmp, {name: 'query-colo-status', returns: coloStatus}, options)
}

/**
 * Promotes this side, or lets the primary go on alone. A second call is refused with GenericError: check `mode` first.
 *
 * @see qemu/qemu docs/system/qemu-colo.rst, failover
 */
export function coloLostHeartbeat(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'x-colo-lost-heartbeat', returns: nothing}, options)
}

export interface ReplicationStatus {
  readonly error: boolean
  readonly desc: string | undefined
}

const replicationStatus = record<ReplicationStatus>({error: field('error', flag), desc: maybe('desc', text)})

/** The latched write error of `replication` nodes; works on KVM too. Says nothing about an NBD node that is a direct child. */
export function queryReplicationStatus(qmp: QmpExecutor, options?: CallOptions): Promise<ReplicationStatus> {
  return call(qmp, {name: 'query-xen-replication-status', returns: replicationStatus}, options)
}

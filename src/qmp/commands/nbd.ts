import {field, flag, listOf, nothing, record, text} from '../decode.js'
import {call, present, type CallOptions, type QmpExecutor} from './call.js'

/** Listens for NBD clients; refused when a server runs already. @param maxConnections 0 means no limit */
export function nbdServerStart(
  qmp: QmpExecutor,
  server: {readonly host: string; readonly port: number; readonly maxConnections?: number | undefined},
  options?: CallOptions,
): Promise<void> {
  const addr = {type: 'inet', data: {host: server.host, port: String(server.port)}}
  const args = present({addr, 'max-connections': server.maxConnections})
  return call(qmp, {name: 'nbd-server-start', args, returns: nothing}, options)
}

/** Stops the server and removes its exports; refused when none runs. */
export function nbdServerStop(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'nbd-server-stop', returns: nothing}, options)
}

/** Exports a node over NBD, writable. */
export function blockExportAdd(
  qmp: QmpExecutor,
  disk: {readonly id: string; readonly nodeName: string; readonly name: string},
  options?: CallOptions,
): Promise<void> {
  const args = {type: 'nbd', id: disk.id, 'node-name': disk.nodeName, name: disk.name, writable: true}
  return call(qmp, {name: 'block-export-add', args, returns: nothing}, options)
}

/** Removes an export; `safe` refuses while a client is connected. It is gone at BLOCK_EXPORT_DELETED. */
export function blockExportDel(
  qmp: QmpExecutor,
  id: string,
  mode: 'safe' | 'hard',
  options?: CallOptions,
): Promise<void> {
  return call(qmp, {name: 'block-export-del', args: {id, mode}, returns: nothing}, options)
}

export interface BlockExport {
  readonly id: string
  readonly type: string
  /**
   * the node that is exported *now*: while COLO runs the filter above the disk, with a name such as `#block070`.
   * Know an export by its id.
   */
  readonly nodeName: string
  readonly shuttingDown: boolean
}

const blockExport = record<BlockExport>({
  id: field('id', text),
  type: field('type', text),
  nodeName: field('node-name', text),
  shuttingDown: field('shutting-down', flag),
})

/** All exports. */
export function queryBlockExports(qmp: QmpExecutor, options?: CallOptions): Promise<readonly BlockExport[]> {
  return call(qmp, {name: 'query-block-exports', returns: listOf(blockExport)}, options)
}

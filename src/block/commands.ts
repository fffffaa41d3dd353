import {checkAddress, checkCount, checkId, checkPort} from '../net/check.js'
import type {MirrorSpec} from '../plan/action.js'
import type {SentCommand} from '../qmp/errors.js'

/**
 * Listens for NBD clients on one address.
 *
 * @throws {UsageError} for an address or port that is none
 * @see qemu/qemu qapi/block-export.json, nbd-server-start
 */
export function nbdServerStart(server: {
  readonly address: string
  readonly port: number
  readonly maxConnections: number
}): SentCommand {
  const data = {host: checkAddress('NBD address', server.address), port: String(checkPort('NBD port', server.port))}
  const maxConnections = checkCount('NBD connections', server.maxConnections, 1)
  return {command: 'nbd-server-start', arguments: {addr: {type: 'inet', data}, 'max-connections': maxConnections}}
}

export const nbdServerStop: SentCommand = {command: 'nbd-server-stop'}

/** Exports a node, writable: the primary writes into it. */
export function exportAdd(disk: {readonly id: string; readonly node: string; readonly name: string}): SentCommand {
  const args = {
    type: 'nbd',
    id: checkId('export', disk.id),
    'node-name': checkId('node', disk.node),
    name: checkId('export name', disk.name),
    writable: true,
  }
  return {command: 'block-export-add', arguments: args}
}

/** Client of the secondary's export. It connects before the reply comes. */
export function nbdNodeAdd(node: {
  readonly node: string
  readonly address: string
  readonly port: number
  readonly exportName: string
}): SentCommand {
  const host = checkAddress('NBD address', node.address)
  const args = {
    driver: 'nbd',
    'node-name': checkId('node', node.node),
    server: {type: 'inet', host, port: String(checkPort('NBD port', node.port))},
    export: checkId('export name', node.exportName),
    'detect-zeroes': 'on',
  }
  return {command: 'blockdev-add', arguments: args}
}

export const nodeDel = (node: string): SentCommand => ({
  command: 'blockdev-del',
  arguments: {'node-name': checkId('node', node)},
})

export const quorumAdd = (quorum: string, node: string): SentCommand => ({
  command: 'x-blockdev-change',
  arguments: {parent: checkId('quorum', quorum), node: checkId('node', node)},
})

/** @param child role in the quorum, such as `children.1` */
export const quorumRemove = (quorum: string, child: string): SentCommand => ({
  command: 'x-blockdev-change',
  arguments: {parent: checkId('quorum', quorum), child: checkId('child', child)},
})

/** Copies the whole disk while the guest runs. The concluded job stays until dismissed, so that its outcome can be read. */
export const mirrorStart = ({job, quorum, target}: MirrorSpec): SentCommand => ({
  command: 'blockdev-mirror',
  arguments: {
    'job-id': checkId('job', job),
    device: checkId('quorum', quorum),
    target: checkId('node', target),
    sync: 'full',
    'auto-dismiss': false,
  },
})

/** Ends a mirror. Without `force` one that is ready concludes with a target equal to its source. */
export const mirrorCancel = (job: string, force: boolean): SentCommand => ({
  command: 'block-job-cancel',
  arguments: {device: checkId('job', job), force},
})

export const jobDismiss = (job: string): SentCommand => ({command: 'job-dismiss', arguments: {id: checkId('job', job)}})

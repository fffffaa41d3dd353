import {unreachable} from '../errors.js'
import type {ChardevBackend} from '../plan/action.js'
import {socketBackend, type Reconnect} from '../qmp/commands/chardevs.js'
import type {SentCommand} from '../qmp/errors.js'
import {checkAddress, checkId, checkPath, checkPort} from './check.js'

/** The numbers of a QEMU version, as in its greeting. */
export interface VersionNumbers {
  readonly major: number
  readonly minor: number
  readonly micro: number
}

/** A client of the replication link tries again this often until its server is there. */
export const reconnectEveryMs = 1000

/** `reconnect-ms` came with 9.2; `reconnect` went with 10.2. */
export function reconnectOption({major, minor}: Pick<VersionNumbers, 'major' | 'minor'>): Reconnect['option'] {
  return major > 9 || (major === 9 && minor >= 2) ? 'reconnect-ms' : 'reconnect'
}

/**
 * `chardev-add` of one end of a connection. A server does not wait; a TCP client reconnects and so need not find its server,
 * a client of a local pair must.
 *
 * @throws {UsageError} for an id, address, port or path that is none
 * @see qemu/qemu qapi/char.json, ChardevSocket
 */
export function chardevAdd(id: string, backend: ChardevBackend, version: VersionNumbers): SentCommand {
  return {command: 'chardev-add', arguments: {id: checkId('chardev', id), backend: backendOf(backend, version)}}
}

export function chardevRemove(id: string): SentCommand {
  return {command: 'chardev-remove', arguments: {id: checkId('chardev', id)}}
}

function backendOf(backend: ChardevBackend, version: VersionNumbers): unknown {
  switch (backend.type) {
    case 'tcp-server':
    case 'tcp-client': {
      const address = {
        host: checkAddress('chardev address', backend.address),
        port: checkPort('chardev port', backend.port),
      }
      const reconnect = {option: reconnectOption(version), everyMs: reconnectEveryMs}
      const {type, data} = socketBackend({address, role: backend.type === 'tcp-server' ? 'server' : {reconnect}})
      return {type, data: {...data, nodelay: true}}
    }
    case 'unix-server':
    case 'unix-client': {
      const address = {path: checkPath('chardev path', backend.path)}
      return socketBackend({address, role: backend.type === 'unix-server' ? 'server' : {reconnect: undefined}})
    }
    default:
      return unreachable(backend)
  }
}

/**
 * Whether a chardev that exists, by the file name `query-chardev` gives it, can be the wished-for one. The kind (TCP or UNIX, server
 * or client) is always told, the port and path not always.
 */
export function fitsBackend(filename: string, backend: ChardevBackend): boolean {
  const name = filename.replace(/^disconnected:/, '')
  const isServer = name.includes(',server')
  switch (backend.type) {
    case 'tcp-server':
      return name.startsWith('tcp:') && isServer && name.split(',server')[0]?.endsWith(`:${backend.port}`) === true
    case 'tcp-client':
      return name.startsWith('tcp:') && !isServer && name.endsWith(`:${backend.port}`)
    case 'unix-server':
      return name.startsWith('unix:') && isServer && name.includes(backend.path)
    case 'unix-client':
      return name.startsWith('unix:') && !isServer
    default:
      return unreachable(backend)
  }
}

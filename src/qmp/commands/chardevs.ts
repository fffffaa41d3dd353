import {field, flag, listOf, nothing, record, text} from '../decode.js'
import {call, type CallOptions, type QmpExecutor} from './call.js'

/** A backend as QEMU spells it; {@link socketBackend} makes the usual ones. */
export interface ChardevBackendOptions {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** How a client reconnects: the option this QEMU knows (`reconnect` up to 9.1, `reconnect-ms` from 9.2). */
export interface Reconnect {
  readonly option: 'reconnect' | 'reconnect-ms'
  readonly everyMs: number
}

/** The backend of a socket chardev. A server does not wait for its client: QEMU would block. */
export function socketBackend(socket: {
  readonly address: {readonly host: string; readonly port: number} | {readonly path: string}
  readonly role: 'server' | {readonly reconnect: Reconnect | undefined}
}): ChardevBackendOptions {
  const {address, role} = socket
  const addr =
    'path' in address
      ? {type: 'unix', data: {path: address.path}}
      : {type: 'inet', data: {host: address.host, port: String(address.port)}}
  if (role === 'server') return {type: 'socket', data: {addr, server: true, wait: false}}
  return {type: 'socket', data: {addr, server: false, ...reconnectArgs(role.reconnect)}}
}

function reconnectArgs(reconnect: Reconnect | undefined): Record<string, number> {
  if (reconnect === undefined) return {}
  const {option, everyMs} = reconnect
  return {[option]: option === 'reconnect-ms' ? everyMs : Math.max(1, Math.round(everyMs / 1000))}
}

/** Adds a chardev; a client without `reconnect` must find its server. */
export function chardevAdd(
  qmp: QmpExecutor,
  id: string,
  backend: ChardevBackendOptions,
  options?: CallOptions,
): Promise<void> {
  return call(qmp, {name: 'chardev-add', args: {id, backend}, returns: nothing}, options)
}

/** Removes a chardev nobody uses. */
export function chardevRemove(qmp: QmpExecutor, id: string, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'chardev-remove', args: {id}, returns: nothing}, options)
}

export interface Chardev {
  readonly label: string
  /** addresses, with `disconnected:` in front while there is no peer */
  readonly filename: string
  /** a peer is there */
  readonly connected: boolean
  /** whether somebody *reads* from it: false on chardevs that are only written, such as `mirror0` and `red1` */
  readonly frontendOpen: boolean
}

const chardev = record<Chardev>({
  label: field('label', text),
  filename: field('filename', text),
  connected: (from, at) => !field('filename', text)(from, at).startsWith('disconnected:'),
  frontendOpen: field('frontend-open', flag),
})

/** All chardevs, the monitors' own (`compat_monitor0`, ...) too. */
export function queryChardev(qmp: QmpExecutor, options?: CallOptions): Promise<readonly Chardev[]> {
  return call(qmp, {name: 'query-chardev', returns: listOf(chardev)}, options)
}

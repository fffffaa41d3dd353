import {connectUnix, SocketError, type Port} from '../os/sockets.js'
import {Connection, type ExecuteOptions} from './connection.js'
import {QmpClosedError, QmpCommandError, QmpConnectError, QmpError, QmpTimeoutError} from './errors.js'
import type {QmpListener} from './events.js'
import type {QmpEvent, QmpGreeting} from './messages.js'

export type {ExecuteOptions} from './connection.js'
export type {QmpListener} from './events.js'
export type {QmpEvent, QmpGreeting} from './messages.js'

/** A negotiated QMP connection. Commands are answered in order, those sent with `oob` as soon as possible. */
export interface QmpSession {
  readonly greeting: QmpGreeting
  /**
   * Sends one command and returns its undecoded `return`; callers use the typed functions in `commands/`.
   *
   * After a time-out or an abort QEMU may still carry the command out; its late reply is dropped.
   *
   * @throws {QmpCommandError} when QEMU refuses it
   * @throws {QmpTimeoutError} when there is no reply in time
   * @throws {QmpClosedError} when the connection has ended, or ends first
   * @throws {QmpOobError} when `oob` was not negotiated
   * @throws the signal's reason when it aborts
   */
  execute(command: string, args?: Readonly<Record<string, unknown>>, options?: ExecuteOptions): Promise<unknown>
  /** Subscribes to events by name, with a queue of its own. */
  listen(names: readonly string[], filter?: (event: QmpEvent) => boolean): QmpListener
  /** Calls back for every event, in order and synchronously; returns a function that unsubscribes. */
  onEvent(callback: (event: QmpEvent) => void): () => void
  /** resolves when the connection has ended, never rejects */
  readonly closed: Promise<QmpClosedError>
  /** Ends the connection; QEMU and its guest go on. */
  close(): void
}

export interface QmpOptions {
  /** limit in milliseconds for connecting and negotiating together; 5 000 unless told */
  readonly timeoutMs?: number | undefined
  /** negotiate `exec-oob` if QEMU offers it. Keep at most 8 ordinary commands in flight then: QEMU stops reading. */
  readonly oob?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** a subscriber that is there before the first event can come */
  readonly onEvent?: ((event: QmpEvent) => void) | undefined
  /** gets a line about replies nobody waits for and the like; a Node warning unless told */
  readonly report?: ((text: string) => void) | undefined
}

/**
 * Opens a QMP socket and negotiates.
 *
 * QEMU serves one client per socket: while another one is connected there is no greeting, and this times out.
 *
 * @throws {QmpConnectError} when nobody listens, no greeting comes, or the peer does not speak QMP
 * @throws the signal's reason when it aborts
 * @see qemu/qemu docs/interop/qmp-spec.rst, section 4: capabilities negotiation
 */
export async function connectQmp(options: QmpOptions & {readonly path: string}): Promise<QmpSession> {
  const {path, signal} = options
  const timeoutMs = options.timeoutMs ?? 5000
  const startedMs = performance.now()
  let port: Port
  try {
    port = await connectUnix({path, timeoutMs, signal})
  } catch (error) {
    throw error instanceof SocketError ? connectErrorOf(error) : error
  }
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
  return openSession(port, path, {...options, timeoutMs: leftMs})
}

/**
 * Negotiates over a connection that is open already; otherwise as {@link connectQmp}.
 *
 * @param socket the name errors give it
 */
export async function openSession(port: Port, socket: string, options: QmpOptions = {}): Promise<QmpSession> {
  const {signal, timeoutMs = 5000, oob = false} = options
  const connection = new Connection(port, socket, options.report ?? ((text) => process.emitWarning(text, 'QmpWarning')))
  if (options.onEvent !== undefined) connection.events.onEvent(options.onEvent)
  try {
    const greeting = await connection.greeting({timeoutMs, signal})
    const enable = oob && greeting.capabilities.includes('oob') ? ['oob'] : []
    await connection.execute('qmp_capabilities', enable.length > 0 ? {enable} : undefined, {timeoutMs, signal})
    connection.oob = enable.length > 0
    return sessionOf(connection, greeting)
  } catch (error) {
    connection.close()
    throw error instanceof QmpError ? negotiationErrorOf(socket, error) : error
  }
}

function sessionOf(connection: Connection, greeting: QmpGreeting): QmpSession {
  return {
    greeting,
    execute: (command, args, options = {}) => connection.execute(command, args, options),
    listen: (names, filter) => connection.events.listen(names, filter),
    onEvent: (callback) => connection.events.onEvent(callback),
    closed: connection.closed,
    close: () => {
      connection.close()
    },
  }
}

const busyHint = 'QEMU serves one client per socket: another one may hold it, or QEMU hangs'

function connectErrorOf(error: SocketError): QmpConnectError {
  const why = error.message.slice(error.path.length + 2)
  switch (error.failure) {
    case 'missing':
    case 'refused':
    case 'denied':
      return new QmpConnectError(error.path, error.failure, why, {cause: error})
    case 'timed-out':
      return new QmpConnectError(error.path, 'no-greeting', why, {cause: error, hint: busyHint})
    default:
      return new QmpConnectError(error.path, 'other', why, {cause: error})
  }
}

function negotiationErrorOf(socket: string, cause: QmpError): QmpConnectError {
  if (cause instanceof QmpTimeoutError) {
    return new QmpConnectError(socket, 'no-greeting', `no greeting after ${Math.round(cause.waitedMs)} ms`, {
      cause,
      hint: busyHint,
    })
  }
  if (cause instanceof QmpCommandError) return new QmpConnectError(socket, 'not-qmp', cause.desc, {cause})
  if (cause instanceof QmpClosedError && cause.end === 'protocol') {
    return new QmpConnectError(socket, 'not-qmp', cause.message, {cause})
  }
  return new QmpConnectError(socket, 'ended', 'the connection ended before the greeting', {cause})
}

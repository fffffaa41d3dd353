import {chmodSync, lstatSync, unlinkSync} from 'node:fs'
import net from 'node:net'
import {ColoError, ConflictError, type ErrorDetails} from '../errors.js'
import {exitCodes} from '../exit-codes.js'

/** Longest path `sockaddr_un` holds; longer ones would be cut off silently. @see unix(7) */
const MAX_PATH_BYTES = 107

/**
 * One connection as the rest of the code sees it: bytes in, bytes out, an end.
 *
 * Nothing is read before `onData` is called, so no byte is lost between connecting and listening.
 */
export interface Port {
  /** Sets the one reader; chunks have any size and may cut a character in two. */
  onData(callback: (chunk: Uint8Array) => void): void
  /**
   * Called once, after the last chunk, or at once if it has ended already. `cause` is set when the connection broke; a
   * reset by the peer is an end like any other: a process that exits with unread input resets.
   */
  onClose(callback: (cause: Error | undefined) => void): void
  /** Queues bytes (a string is sent as UTF-8); after the end it does nothing. What the peer said before its end is read all the same. */
  write(bytes: string | Uint8Array): void
  /** Sends what is queued, then closes. */
  end(): void
  /** Closes now; what is queued may be lost. */
  destroy(): void
  /** bytes that are queued because the peer does not read */
  readonly queuedBytes: number
}

/** Why a UNIX socket could not be used. */
export type SocketFailure = 'missing' | 'refused' | 'denied' | 'timed-out' | 'bad-path' | 'other'

/** A UNIX socket could not be opened. Exit 20, or 21 when time ran out. */
export class SocketError extends ColoError {
  readonly path: string
  readonly failure: SocketFailure

  constructor(path: string, failure: SocketFailure, why: string, details: ErrorDetails = {}) {
    super('socket', failure === 'timed-out' ? exitCodes.timedOut : exitCodes.unreachable, `${path}: ${why}`, details)
    this.path = path
    this.failure = failure
  }
}

export interface ConnectOptions {
  readonly path: string
  /** limit in milliseconds for connecting; a full backlog makes it wait */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Connects to a UNIX stream socket.
 *
 * @throws {SocketError} when nobody listens there, access is denied, or `timeoutMs` passes
 * @throws the signal's reason when it aborts first
 */
export async function connectUnix({path, timeoutMs, signal}: ConnectOptions): Promise<Port> {
  signal?.throwIfAborted()
  assertPathFits(path)
  const socket = new HeardToTheEnd().connect({path})
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.removeListener('error', onError)
      finish()
    }
    const fail = (error: Error): void => {
      settle(() => {
        socket.on('error', () => undefined)
        socket.destroy()
        reject(error)
      })
    }
    const onAbort = (): void => {
      fail(signal?.reason as Error)
    }
    const onError = (error: NodeJS.ErrnoException): void => {
      fail(socketErrorOf(path, error))
    }
    const timer = setTimeout(() => {
      fail(new SocketError(path, 'timed-out', `not accepted after ${timeoutMs} ms`))
    }, timeoutMs)
    signal?.addEventListener('abort', onAbort, {once: true})
    socket.once('error', onError)
    socket.once('connect', () => {
      settle(() => {
        resolve(portOf(socket))
      })
    })
  })
}

export interface ListenOptions {
  readonly path: string
  /** permissions of the socket file, such as `0o600`; they hold from the first moment */
  readonly mode: number
}

/** A socket file somebody listens on. */
export interface Listener {
  readonly path: string
  /** Stops accepting and removes the file, at once; connections that are open stay open. */
  close(): void
}

/**
 * Listens on a UNIX stream socket; a file left behind by a dead process is replaced.
 *
 * @param onConnection called for every client, with nothing read yet
 * @throws {ConflictError} when another process is listening there
 * @throws {SocketError} when the file cannot be made
 */
export async function listenUnix({path, mode}: ListenOptions, onConnection: (port: Port) => void): Promise<Listener> {
  assertPathFits(path)
  await removeStale(path)
  const server = net.createServer({pauseOnConnect: true}, (socket) => {
    onConnection(portOf(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(socketErrorOf(path, error))
    })
    const umask = process.umask(0o777 & ~mode) // listen() makes the file before it returns
    try {
      server.listen({path}, resolve)
    } finally {
      process.umask(umask)
    }
  })
  chmodSync(path, mode)
  server.on('error', () => undefined)
  return {
    path,
    close() {
      server.close()
    },
  }
}

async function removeStale(path: string): Promise<void> {
  try {
    const port = await connectUnix({path, timeoutMs: 1000})
    port.destroy()
  } catch (error) {
    if (error instanceof SocketError && error.failure === 'missing') return
    if (error instanceof SocketError && error.failure === 'refused') {
      if (!lstatSync(path).isSocket()) throw new ConflictError(`${path}: exists and is not a socket`)
      unlinkSync(path)
      return
    }
    throw error
  }
  throw new ConflictError(`${path}: another process is listening there`)
}

function assertPathFits(path: string): void {
  const bytes = Buffer.byteLength(path)
  if (bytes <= MAX_PATH_BYTES) return
  throw new SocketError(path, 'bad-path', `a socket path has at most ${MAX_PATH_BYTES} bytes, this one ${bytes}`)
}

function socketErrorOf(path: string, error: NodeJS.ErrnoException): SocketError {
  switch (error.code) {
    case 'ENOENT':
      return new SocketError(path, 'missing', 'no such socket', {cause: error})
    case 'ECONNREFUSED':
      return new SocketError(path, 'refused', 'nobody is listening', {cause: error})
    case 'EACCES':
    case 'EPERM':
      return new SocketError(path, 'denied', 'access denied', {cause: error})
    default:
      return new SocketError(path, 'other', error.code ?? error.message, {cause: error})
  }
}

/**
 * Node closes a socket whose write fails, and what the peer had sent before its end is never read: the last events of a QEMU, for one that
 * is asked something in the milliseconds after it died. Here a write to a peer that is gone is dropped; reading ends the connection.
 */
class HeardToTheEnd extends net.Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteDone): void {
    super._write(chunk, encoding, unlessPeerGone(done))
  }

  override _writev(chunks: Array<{chunk: unknown; encoding: BufferEncoding}>, done: WriteDone): void {
    super._writev?.(chunks, unlessPeerGone(done))
  }
}

type WriteDone = (error?: Error | null) => void

function unlessPeerGone(done: WriteDone): WriteDone {
  return (error) => {
    done(isPeerGone(error) ? null : error)
  }
}

function isPeerGone(error: NodeJS.ErrnoException | null | undefined): boolean {
  return error?.code === 'ECONNRESET' || error?.code === 'EPIPE'
}

function portOf(socket: net.Socket): Port {
  let broken: Error | undefined
  let closed = false
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (!isPeerGone(error)) broken = error
  })
  socket.on('close', () => {
    closed = true
  })
  return {
    onData(callback) {
      socket.on('data', callback)
      socket.resume()
    },
    onClose(callback) {
      if (closed) queueMicrotask(() => callback(broken))
      else socket.on('close', () => callback(broken))
    },
    write(bytes) {
      if (socket.writable) socket.write(bytes)
    },
    end() {
      socket.end()
    },
    destroy() {
      socket.destroy()
    },
    get queuedBytes() {
      return socket.writableLength
    },
  }
}

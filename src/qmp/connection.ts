import {unreachable} from '../errors.js'
import type {Port} from '../os/sockets.js'
import {armDeadline, type Limit} from './deadline.js'
import {QmpClosedError, QmpCommandError, QmpOobError, QmpTimeoutError, type QmpEnd} from './errors.js'
import {EventHub} from './events.js'
import {LineFramer} from './line-framer.js'
import {formatCommand, parseMessage, type QmpGreeting, type QmpMessage} from './messages.js'

const DEFAULT_TIMEOUT_MS = 10_000

/** Limits and manner of one command. */
export interface ExecuteOptions {
  /** limit for the reply in milliseconds; 10 000 unless told */
  readonly timeoutMs?: number | undefined
  /** run it outside QEMU's main loop (`exec-oob`); only yank, query-yank and a few more allow it */
  readonly oob?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

interface Pending {
  readonly command: string
  readonly args: Readonly<Record<string, unknown>> | undefined
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * The protocol over one open port: ids, pending commands, events, the end. Negotiation is in session.ts.
 *
 * Invalid JSON and an error without an id (QEMU could not parse us) end the connection; nothing is skipped.
 */
export class Connection {
  readonly events: EventHub
  readonly closed: Promise<QmpClosedError>
  /** set once `exec-oob` is negotiated */
  oob = false

  readonly #port: Port
  readonly #socket: string
  readonly #report: (text: string) => void
  readonly #framer = new LineFramer()
  readonly #pending = new Map<string, Pending>()
  #lastId = 0
  #greeting: QmpGreeting | undefined
  #ended: QmpClosedError | undefined
  #settleClosed: (error: QmpClosedError) => void = () => undefined

  constructor(port: Port, socket: string, report: (text: string) => void) {
    this.#port = port
    this.#socket = socket
    this.#report = report
    this.events = new EventHub(socket, report)
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    port.onClose((cause) => {
      if (cause === undefined) this.#end('peer', 'QEMU closed it')
      else this.#end('broken', cause.message, cause)
    })
    port.onData((chunk) => {
      this.#receive(chunk)
    })
  }

  /** Waits for the greeting; it is kept in the pending map under an id that is never sent. */
  async greeting(limit: Limit): Promise<QmpGreeting> {
    if (this.#greeting !== undefined) return this.#greeting
    return (await this.#wait('greeting', 'greeting', undefined, limit)) as QmpGreeting
  }

  async execute(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    {timeoutMs = DEFAULT_TIMEOUT_MS, oob = false, signal}: ExecuteOptions,
  ): Promise<unknown> {
    if (oob && !this.oob) throw new QmpOobError(this.#socket, command)
    const id = `colo-${++this.#lastId}`
    const reply = this.#wait(id, command, args, {timeoutMs, signal})
    if (this.#pending.has(id)) this.#port.write(formatCommand({name: command, args, id, oob}))
    return reply
  }

  close(): void {
    this.#end('local', 'closed by colo')
  }

  async #wait(id: string, command: string, args: Pending['args'], limit: Limit): Promise<unknown> {
    limit.signal?.throwIfAborted()
    if (this.#ended !== undefined) throw this.#ended
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        disarm()
        this.#pending.delete(id)
      }
      const pending: Pending = {
        command,
        args,
        resolve: (value) => {
          settle()
          resolve(value)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      const disarm = armDeadline(limit, (reason) => {
        pending.reject(reason ?? new QmpTimeoutError(this.#socket, command, limit.timeoutMs))
      })
      this.#pending.set(id, pending)
    })
  }

  #receive(chunk: Uint8Array): void {
    let lines: string[]
    try {
      lines = this.#framer.push(chunk)
    } catch (error) {
      this.#end('protocol', (error as Error).message, error)
      return
    }
    for (const line of lines) {
      if (this.#ended !== undefined) return
      this.#handle(parseMessage(line))
    }
  }

  #handle(message: QmpMessage): void {
    switch (message.kind) {
      case 'greeting':
        this.#greeting = message.greeting
        this.#pending.get('greeting')?.resolve(message.greeting)
        return
      case 'event':
        this.events.deliver(message.event)
        return
      case 'return':
        this.#take(message.id)?.resolve(message.value)
        return
      case 'error': {
        if (message.id === undefined) {
          this.#end('protocol', `QEMU could not parse a command: ${message.desc}`)
          return
        }
        const pending = this.#take(message.id)
        if (pending === undefined) return
        const sent = {command: pending.command, arguments: pending.args}
        pending.reject(new QmpCommandError(this.#socket, sent, message))
        return
      }
      case 'invalid':
        this.#end('protocol', message.why)
        return
      default:
        unreachable(message)
    }
  }

  #take(id: unknown): Pending | undefined {
    const pending = typeof id === 'string' && id !== 'greeting' ? this.#pending.get(id) : undefined
    if (pending === undefined)
      this.#report(`${this.#socket}: dropped a reply nobody waits for, id ${JSON.stringify(id)}`)
    return pending
  }

  #end(end: QmpEnd, why: string, cause?: unknown): void {
    if (this.#ended !== undefined) return
    const error = new QmpClosedError(this.#socket, end, why, {cause})
    this.#ended = error
    this.#port.destroy() // not end(): a hung QEMU would never answer it
    for (const pending of [...this.#pending.values()]) pending.reject(error)
    this.events.end(error)
    this.#settleClosed(error)
  }
}

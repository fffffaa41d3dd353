import {DecodeError, TimedOutError, UnreachableError, unreachable} from '../errors.js'
import type {Port} from '../os/sockets.js'
import {armDeadline} from '../qmp/deadline.js'
import {LineFramer} from '../qmp/line-framer.js'
import {protocolVersion, type Method, type Params, type Result} from '../agent/protocol.js'
import type {AgentClient, CallOptions} from './agent-client.js'
import {AgentError, decodeHello, parseAgentLine, type AgentLine} from './agent-wire.js'

const DEFAULT_CALL_MS = 5000

/** Why the first exchange with an agent failed. `closed`: before a word was said, `silent`: no answer in time. */
export type HelloFailure = 'closed' | 'silent' | 'protocol'

/** A socket was open, but no usable agent spoke at its other end. Exit 20. */
export class HelloError extends UnreachableError {
  readonly reason: HelloFailure

  constructor(host: string, reason: HelloFailure, message: string, details: {hint?: string; cause?: unknown} = {}) {
    super(host, message, details)
    this.reason = reason
  }
}

interface Pending {
  readonly method: Method
  readonly options: CallOptions
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * Says hello over an open socket and gives the client.
 *
 * @param host the name errors give it
 * @param timeoutMs limit for the hello
 * @param answerTimeoutMs least limit of every later call
 * @throws {HelloError} when the socket ends, nothing comes in time, or the other side is not an agent of this protocol
 * @throws the signal's reason when it aborts first
 */
export async function openAgent(
  port: Port,
  options: {
    readonly host: string
    readonly timeoutMs: number
    readonly signal?: AbortSignal | undefined
    readonly answerTimeoutMs?: number | undefined
  },
): Promise<AgentClient> {
  const {host, timeoutMs, signal, answerTimeoutMs} = options
  const connection = new AgentConnection(port, host)
  try {
    const reply = await connection.call('hello', {}, {timeoutMs, ...(signal && {signal})})
    const hello = decodeHello(reply, `agent of ${host}`)
    assertProtocol(host, hello)
    return {
      host,
      hello,
      ...(answerTimeoutMs === undefined ? {} : {answerTimeoutMs}),
      call: (method, params, {timeoutMs: limitMs = DEFAULT_CALL_MS, ...others} = {}) =>
        connection.call(method, params, {...others, timeoutMs: Math.max(limitMs, answerTimeoutMs ?? 0)}),
      close: () => {
        connection.close()
      },
    }
  } catch (error) {
    connection.close()
    throw helloErrorOf(host, error)
  }
}

function assertProtocol(host: string, hello: {readonly protocol: number; readonly version: string}): void {
  if (hello.protocol === protocolVersion) return
  const older = hello.protocol < protocolVersion ? `the agent on ${host}` : 'this command'
  throw new HelloError(
    host,
    'protocol',
    `agent of ${host} is colo ${hello.version} and speaks protocol ${hello.protocol}, this command ${protocolVersion}`,
    {
      hint: `${older} is the older one: install the same colo on both, then \`systemctl restart colo-agent\`; guests run on`,
    },
  )
}

function helloErrorOf(host: string, error: unknown): unknown {
  if (error instanceof TimedOutError) {
    return new HelloError(
      host,
      'silent',
      `agent of ${host} accepted the connection, but did not say hello within ${error.waitedMs} ms`,
      {
        cause: error,
      },
    )
  }
  if (error instanceof DecodeError || (error instanceof UnreachableError && error.cause instanceof DecodeError)) {
    return new HelloError(host, 'protocol', `what answers on ${host} is not a colo agent: ${error.message}`, {
      cause: error,
    })
  }
  if (error instanceof HelloError || !(error instanceof UnreachableError)) return error
  return new HelloError(host, 'closed', `agent of ${host}: connection closed before hello`, {cause: error})
}

/** The protocol over one open port: ids, pending calls, the end. Late replies of calls given up are dropped. */
class AgentConnection {
  readonly #port: Port
  readonly #host: string
  readonly #framer = new LineFramer()
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #ended: UnreachableError | undefined

  constructor(port: Port, host: string) {
    this.#port = port
    this.#host = host
    port.onClose((cause) => {
      this.#end(cause === undefined ? 'connection closed by the agent' : `connection broke: ${cause.message}`, cause)
    })
    port.onData((chunk) => {
      this.#receive(chunk)
    })
  }

  call<M extends Method>(method: M, params: Params<M>, options: CallOptions = {}): Promise<Result<M>> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_CALL_MS
    return new Promise<unknown>((resolve, reject) => {
      options.signal?.throwIfAborted()
      if (this.#ended !== undefined) throw this.#ended
      const id = ++this.#lastId
      const settled = (): void => {
        disarm()
        this.#pending.delete(id)
      }
      const disarm = armDeadline({timeoutMs, signal: options.signal}, (reason) => {
        settled()
        reject(reason ?? this.#lateError(method, timeoutMs))
      })
      this.#pending.set(id, {
        method,
        options,
        resolve: (result) => {
          settled()
          resolve(result)
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      })
      this.#port.write(`${JSON.stringify({id, method, params})}\n`)
    }) as Promise<Result<M>>
  }

  close(): void {
    this.#end('connection closed by this command')
  }

  #lateError(method: string, timeoutMs: number): TimedOutError {
    return new TimedOutError(`agent of ${this.#host} gave no answer to ${method} within ${timeoutMs} ms`, timeoutMs, {
      hint: `it may still be at work, or hang: look at \`journalctl -u colo-agent\` on ${this.#host}`,
    })
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const line of this.#framer.push(chunk)) {
        if (this.#ended !== undefined) return
        if (line !== '') this.#handle(parseAgentLine(line, `agent of ${this.#host}`))
      }
    } catch (error) {
      this.#end(`it does not keep to the protocol: ${(error as Error).message}`, error)
    }
  }

  #handle(line: AgentLine): void {
    const pending = this.#pending.get(line.id)
    if (pending === undefined) return
    switch (line.kind) {
      case 'result':
        pending.resolve(line.result)
        return
      case 'error':
        pending.reject(new AgentError({host: this.#host, method: pending.method}, line.error))
        return
      case 'progress':
        notify(pending, () => pending.options.onProgress?.(line.progress))
        return
      case 'event':
        notify(pending, () => pending.options.onEvent?.(line.event))
        return
      default:
        unreachable(line)
    }
  }

  #end(why: string, cause?: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = new UnreachableError(this.#host, `agent of ${this.#host}: ${why}`, {
      cause,
      hint: `see \`systemctl status colo-agent\` on ${this.#host}; guests do not depend on the agent`,
    })
    this.#port.destroy()
    for (const pending of [...this.#pending.values()]) pending.reject(this.#ended)
  }
}

/** A fault in a caller's callback fails that call, not the connection. */
function notify(pending: Pending, callback: () => void): void {
  try {
    callback()
  } catch (error) {
    pending.reject(error as Error)
  }
}

import {join} from 'node:path'
import {listenUnix, type Listener, type Port} from '../../src/os/sockets.js'
import {LineFramer} from '../../src/qmp/line-framer.js'
import type {T} from './suite.js'
import {temporaryDirectory} from './temporary-directory.js'

export type Args = Readonly<Record<string, unknown>>

/** What a handler makes of a command: its `return`, or QEMU's error. */
export type FakeReply = {readonly return: unknown} | {readonly error: {readonly class: string; readonly desc: string}}

/** Answers one command; a promise delays the reply, and QMP answers in order, so it delays all that follow. */
export type Handler = (args: Args) => FakeReply | Promise<FakeReply>

/** One command as it came in. */
export interface Received {
  readonly command: string
  readonly args: Args
  readonly oob: boolean
}

export interface FakeQmpOptions {
  readonly handlers?: Readonly<Record<string, Handler>>
  readonly version?: {readonly major: number; readonly minor: number; readonly micro: number}
  readonly package?: string
  /** offered in the greeting; `['oob']` unless told */
  readonly capabilities?: readonly string[]
  /** cuts what is sent into chunks that leave one by one; without it a message leaves in one piece */
  readonly chop?: (bytes: Uint8Array) => readonly Uint8Array[]
}

/**
 * A QMP server on a real UNIX socket that behaves as QEMU's does: greeting, negotiation, one client at a time (the
 * next one waits for its greeting), replies in order, out-of-band ones as soon as they are ready.
 */
export class FakeQmp {
  readonly path: string
  /** every command since the start, in order, `qmp_capabilities` too */
  readonly received: Received[] = []
  readonly #options: FakeQmpOptions
  readonly #handlers = new Map<string, Handler>()
  readonly #waiting: Port[] = []
  readonly #watchers = new Set<() => void>()
  #listener: Listener | undefined
  #client: Client | undefined
  #frozen = false

  private constructor(path: string, options: FakeQmpOptions) {
    this.path = path
    this.#options = options
    for (const [command, handler] of Object.entries(options.handlers ?? {})) this.on(command, handler)
  }

  /** Starts one in a directory of its own; it dies with the test. */
  static async start(t: T, options: FakeQmpOptions = {}): Promise<FakeQmp> {
    const fake = await FakeQmp.listen(join(temporaryDirectory(t, 'fake-qmp'), 'qmp.sock'), options)
    t.defer(() => {
      fake.die()
    })
    return fake
  }

  /** Starts one at a given path; the caller calls `die`. */
  static async listen(path: string, options: FakeQmpOptions = {}): Promise<FakeQmp> {
    const fake = new FakeQmp(path, options)
    fake.#listener = await listenUnix({path, mode: 0o600}, (port) => {
      fake.#admit(port)
    })
    return fake
  }

  /** Sets or replaces the answer to a command. */
  on(command: string, handler: Handler): void {
    this.#handlers.set(command, handler)
  }

  /** Answers a command with a fixed value. */
  answer(command: string, value: unknown): void {
    this.on(command, () => ({return: value}))
  }

  /** Refuses a command. */
  refuse(command: string, desc: string, errorClass = 'GenericError'): void {
    this.on(command, () => ({error: {class: errorClass, desc}}))
  }

  /** Never answers a command, nor, as QEMU with a blocked main loop, any later one that is not out-of-band. */
  hang(command: string): void {
    this.on(command, () => new Promise<never>(() => undefined))
  }

  /** Sends an event to the client; without one it is lost, as in QEMU. `atUs` is now unless told, and never a whole millisecond: QEMU's are not. */
  emit(event: string, data?: Args, atUs = Date.now() * 1000 + 457): void {
    const timestamp = {seconds: Math.floor(atUs / 1_000_000), microseconds: atUs % 1_000_000}
    this.#client?.send({timestamp, event, ...(data && {data})})
  }

  /** Sends bytes as they are, also outside the protocol. */
  sendRaw(bytes: string | Uint8Array): void {
    this.#client?.sendRaw(bytes)
  }

  /** Settles when `count` commands of this name have come in. The test's own time-out is the limit. */
  async seen(command: string, count = 1): Promise<void> {
    const enough = (): boolean => this.received.filter((one) => one.command === command).length >= count
    while (!enough()) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#watchers.delete(wake)
          resolve()
        }
        this.#watchers.add(wake)
      })
    }
  }

  /** As `quit`: sends what is queued, then every connection ends and nobody listens any more. */
  close(): void {
    this.#listener?.close()
    this.#listener = undefined
    for (const port of this.#waiting.splice(0)) port.destroy()
    this.#client?.port.end()
  }

  /** As SIGSTOP: nothing is read, answered or emitted, and a new client gets no greeting, until `thaw`. */
  freeze(): void {
    this.#frozen = true
    if (this.#client !== undefined) this.#client.frozen = true
  }

  /** As SIGCONT: everything that came in meanwhile is answered. */
  thaw(): void {
    this.#frozen = false
    const client = this.#client ?? this.#admitNext()
    client?.thaw()
  }

  get connected(): boolean {
    return this.#client !== undefined
  }

  /** Closes the client's connection and keeps listening. */
  disconnect(): void {
    this.#client?.port.destroy()
  }

  /** As SIGKILL: every connection ends, nobody listens any more. */
  die(): void {
    this.#listener?.close()
    this.#listener = undefined
    for (const port of this.#waiting.splice(0)) port.destroy()
    this.disconnect()
  }

  #admit(port: Port): void {
    if (this.#listener === undefined) {
      port.destroy()
      return
    }
    this.#waiting.push(port)
    if (this.#client === undefined && !this.#frozen) this.#admitNext()
  }

  #admitNext(): Client | undefined {
    const port = this.#waiting.shift()
    if (port !== undefined) this.#serve(port)
    return this.#client
  }

  #serve(port: Port): void {
    this.#client = new Client(port, this.#options, (received, negotiated) => {
      this.received.push(received)
      for (const wake of [...this.#watchers]) wake()
      return this.#answer(received, negotiated)
    })
    port.onClose(() => {
      this.#client = undefined
      if (!this.#frozen) this.#admitNext()
    })
  }

  #answer({command, args}: Received, negotiated: boolean): FakeReply | Promise<FakeReply> {
    if (!negotiated && command !== 'qmp_capabilities') {
      return refusal('CommandNotFound', `Expecting capabilities negotiation with 'qmp_capabilities'`)
    }
    const handler = this.#handlers.get(command)
    if (handler !== undefined) return handler(args)
    if (command === 'qmp_capabilities') return {return: {}}
    return refusal('CommandNotFound', `The command ${command} has not been found`)
  }
}

/** An error reply. */
export function refusal(errorClass: string, desc: string): FakeReply {
  return {error: {class: errorClass, desc}}
}

type Handle = (received: Received, negotiated: boolean) => FakeReply | Promise<FakeReply>

/** One connected client: framing, order of replies, chopping. */
class Client {
  readonly port: Port
  readonly #framer = new LineFramer()
  readonly #chop: FakeQmpOptions['chop']
  readonly #handle: Handle
  /** lines that came in, and messages that go out, wait for `thaw` */
  frozen = false
  readonly #held: Array<() => void> = []
  #negotiated = false
  #inBand: Promise<void> = Promise.resolve()
  #outgoing: Promise<void> = Promise.resolve()

  constructor(port: Port, options: FakeQmpOptions, handle: Handle) {
    this.port = port
    this.#chop = options.chop
    this.#handle = handle
    const {version: qemu = {major: 11, minor: 1, micro: 3}, package: distribution = 'fake'} = options
    this.send({QMP: {version: {qemu, package: distribution}, capabilities: options.capabilities ?? ['oob']}})
    port.onData((chunk) => {
      for (const line of this.#framer.push(chunk)) {
        this.#unlessFrozen(() => {
          this.#receive(line)
        })
      }
    })
  }

  thaw(): void {
    this.frozen = false
    for (const act of this.#held.splice(0)) act()
  }

  #unlessFrozen(act: () => void): void {
    if (this.frozen) this.#held.push(act)
    else act()
  }

  send(message: object): void {
    this.sendRaw(`${JSON.stringify(message)}\r\n`)
  }

  sendRaw(bytes: string | Uint8Array): void {
    this.#unlessFrozen(() => {
      this.#transmit(bytes)
    })
  }

  #transmit(bytes: string | Uint8Array): void {
    if (this.#chop === undefined) {
      this.port.write(bytes)
      return
    }
    const chunks = this.#chop(Buffer.from(bytes as string))
    this.#outgoing = this.#outgoing.then(async () => {
      for (const chunk of chunks) {
        this.port.write(chunk)
        await new Promise(setImmediate)
      }
    })
  }

  #receive(line: string): void {
    let message: Record<string, unknown>
    try {
      message = JSON.parse(line) as Record<string, unknown>
    } catch {
      this.send(refusal('GenericError', 'JSON parse error, expecting value')) // without an id, as QEMU
      return
    }
    const oob = 'exec-oob' in message
    const command = message[oob ? 'exec-oob' : 'execute'] as string
    const id = 'id' in message ? {id: message['id']} : {}
    const args = (message['arguments'] ?? {}) as Args
    const perform = async (): Promise<void> => {
      const reply = await this.#handle({command, args, oob}, this.#negotiated)
      if (command === 'qmp_capabilities' && 'return' in reply) this.#negotiated = true
      this.send({...reply, ...id})
    }
    if (oob) void perform()
    else this.#inBand = this.#inBand.then(perform)
  }
}

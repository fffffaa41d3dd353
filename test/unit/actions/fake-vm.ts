import type {Clock} from '../../../src/os/clock.js'
import {QmpCommandError, QmpTimeoutError} from '../../../src/qmp/errors.js'
import type {QmpEvent, QmpListener, QmpSession} from '../../../src/qmp/session.js'

export type Args = Readonly<Record<string, unknown>>
type Handler = (args: Args) => unknown

/** QEMU refuses; thrown by a handler. */
export class Refusal extends Error {
  constructor(
    readonly desc: string,
    readonly errorClass = 'GenericError',
  ) {
    super(desc)
  }
}

/** Time that only passes when somebody waits. */
export class FakeClock implements Clock {
  atMs = 0
  /** called whenever time passes, so that a test can let something happen meanwhile */
  onPass: () => void = () => undefined

  now(): number {
    return 1_000_000 + this.atMs
  }

  monotonic(): number {
    return this.atMs
  }

  sleep(ms: number): Promise<void> {
    this.atMs += ms
    this.onPass()
    return Promise.resolve()
  }
}

/** A session answered by functions, with a log of what was sent. */
export class FakeSession implements QmpSession {
  readonly greeting
  readonly closed = new Promise<never>(() => undefined)
  /** commands that may change something, in order */
  readonly changes: string[] = []
  readonly sent: Array<{readonly command: string; readonly args: Args; readonly oob: boolean}> = []
  readonly #clock: FakeClock
  readonly #handlers = new Map<string, Handler>()

  constructor(clock: FakeClock, version = {major: 11, minor: 1, micro: 3}) {
    this.#clock = clock
    this.greeting = {version: {...version, package: 'fake'}, capabilities: ['oob']}
  }

  on(handlers: Readonly<Record<string, Handler>>): this {
    for (const [command, handler] of Object.entries(handlers)) this.#handlers.set(command, handler)
    return this
  }

  async execute(
    command: string,
    args: Args = {},
    options: {readonly oob?: boolean | undefined} = {},
  ): Promise<unknown> {
    this.sent.push({command, args, oob: options.oob === true})
    if (!/^(query-|qom-get|qom-list|x-debug-)/.test(command)) this.changes.push(command)
    const handler = this.#handlers.get(command)
    try {
      if (handler === undefined) throw new Refusal(`The command ${command} has not been found`, 'CommandNotFound')
      return await Promise.resolve(handler(args) ?? {})
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const reply = {class: error.errorClass, desc: error.desc}
      throw new QmpCommandError('agent.qmp', {command, arguments: args}, reply)
    }
  }

  /** No event ever comes: whoever waits must look by himself. */
  listen(names: readonly string[]): QmpListener {
    return {
      next: ({timeoutMs, signal}): Promise<QmpEvent> => {
        signal?.throwIfAborted()
        this.#clock.atMs += timeoutMs
        this.#clock.onPass()
        return Promise.reject(new QmpTimeoutError('agent.qmp', `event ${names.join(' or ')}`, timeoutMs))
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  }

  onEvent(): () => void {
    return () => undefined
  }

  close(): void {
    // nothing to end
  }
}

import {createConnection, type Socket} from 'node:net'

type Message = Readonly<Record<string, unknown>>

/** The least that talks QMP: no limits, no checks of replies; what a script would have. */
export class RawQmp {
  readonly #socket: Socket
  readonly #replies: Array<(message: Message) => void> = []
  readonly #wakers = new Set<() => void>()
  readonly #events: string[] = []
  #rest = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.#receive(line)
    })
  }

  /** Tries until somebody listens, for 20 s. */
  static async connect(path: string, oob = false): Promise<RawQmp> {
    const until = performance.now() + 20_000
    for (;;) {
      try {
        const socket = await open(path)
        const qmp = new RawQmp(socket)
        await qmp.must({execute: 'qmp_capabilities', ...(oob ? {arguments: {enable: ['oob']}} : {})})
        return qmp
      } catch (error) {
        if (performance.now() > until) throw error
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  /** @returns the error's text when it is refused */
  async send(command: object): Promise<{readonly value: unknown} | {readonly refused: string}> {
    const answer = new Promise<Message>((resolve) => this.#replies.push(resolve))
    this.#socket.write(`${JSON.stringify(command)}\n`)
    const message = await answer
    if ('return' in message) return {value: message['return']}
    return {refused: (message['error'] as {desc: string}).desc}
  }

  async must(command: object): Promise<unknown> {
    const outcome = await this.send(command)
    if ('refused' in outcome) throw new Error(`${JSON.stringify(command)}: ${outcome.refused}`)
    return outcome.value
  }

  /** Names of the events so far. */
  get events(): readonly string[] {
    return this.#events
  }

  /** Looks at once and after every event, at least ten times a second, for 60 s. */
  async until(what: string, done: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + 60_000
    while (!(await done())) {
      if (performance.now() > end) throw new Error(`waited 60 s for ${what}`)
      await this.#eventOr(100)
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #eventOr(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#wakers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#wakers.add(wake)
    })
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as Message
    if ('return' in message || 'error' in message) this.#replies.shift()?.(message)
    if (typeof message['event'] !== 'string') return
    this.#events.push(message['event'])
    for (const wake of [...this.#wakers]) wake()
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}

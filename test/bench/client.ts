import {createConnection} from 'node:net'

/**
 * What a client sees of a guest: one long-lived connection to the echo service with a numbered line every 10 ms, and beside it a new
 * connection every 50 ms that sends one line and waits for its echo. On "mark" it begins a new period, on "stop" it prints the periods.
 *
 *     node --import tsx client.ts ADDRESS
 */

/** One stretch of time as the client saw it. */
export interface Period {
  /** longest time between two echoes on the long-lived connection */
  readonly silenceMs: number
  readonly lines: number
  /** lines of the long-lived connection that came twice or in the wrong place */
  readonly misplaced: number
  /** it ended with an error */
  readonly broken: string | null
  /** new connections that got their echo */
  readonly connections: number
  readonly failed: number
  /** longest time from the first SYN to the echo */
  readonly slowestMs: number
}

const lineEveryMs = 10
const connectionEveryMs = 50
const [address = ''] = process.argv.slice(2)
const periods: Period[] = []
/** when the new connections began that have no echo yet */
const waiting = new Set<number>()
let now = empty()
let sent = 0
let expected = 1
let lastEcho = performance.now()
let rest = ''
let stopping = false

function empty(): {-readonly [K in keyof Period]: Period[K]} {
  return {silenceMs: 0, lines: 0, misplaced: 0, broken: null, connections: 0, failed: 0, slowestMs: 0}
}

const stream = createConnection({host: address, port: 7, noDelay: true})
stream.setEncoding('utf8')
stream.once('connect', () => {
  lastEcho = performance.now()
  process.stdout.write('connected\n')
  setInterval(() => stream.write(`${++sent}\n`), lineEveryMs)
  setInterval(newConnection, connectionEveryMs)
})
stream.on('data', (text) => {
  const lines = (rest + String(text)).split('\n')
  rest = lines.pop() ?? ''
  const at = performance.now()
  for (const line of lines) {
    if (Number(line) !== expected) now.misplaced++
    expected = Number(line) + 1
    now.lines++
  }
  now.silenceMs = Math.max(now.silenceMs, at - lastEcho)
  lastEcho = at
})
stream.on('error', (error) => (now.broken = error.message))

function newConnection(): void {
  const period = now
  const start = performance.now()
  waiting.add(start)
  const socket = createConnection({host: address, port: 7, noDelay: true})
  socket.once('connect', () => socket.write('hello\n'))
  socket.once('data', () => {
    waiting.delete(start)
    period.connections++
    period.slowestMs = Math.max(period.slowestMs, performance.now() - start)
    socket.end()
  })
  socket.once('error', () => {
    waiting.delete(start)
    if (!stopping) period.failed++
  })
}

process.stdin.setEncoding('utf8').on('data', (text) => {
  const at = performance.now()
  // what still lasts counts as it is
  now.silenceMs = Math.max(now.silenceMs, at - lastEcho)
  for (const start of waiting) now.slowestMs = Math.max(now.slowestMs, at - start)
  periods.push(now)
  now = empty()
  lastEcho = at
  if (!String(text).includes('stop')) return
  stopping = true
  process.stdout.write(`${JSON.stringify(periods)}\n`, () => process.exit(0))
})

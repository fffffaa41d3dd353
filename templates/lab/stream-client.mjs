// One long-lived TCP connection to an echo service: a numbered line every 50 ms. Prints a summary as JSON when told to stop.
// usage: stream-client.mjs HOST PORT; "stop" on standard input ends it
import {connect} from 'node:net'

const [host, port] = process.argv.slice(2)
const summary = {
  sent: 0,
  received: 0,
  lost: 0,
  doubled: 0,
  outOfOrder: 0,
  resets: 0,
  maxWaitMs: 0,
  gaps: [],
  error: null,
}
const sentAt = new Map()
const seen = new Set()
let rest = ''
let last = 0
let lastEchoMs = performance.now()

const socket = connect({host, port: Number(port), noDelay: true})
socket.setEncoding('utf8')
socket.on('connect', () => process.stdout.write('connected\n'))
socket.on('data', (text) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) echo(Number(line))
})
socket.on('error', (error) => {
  summary.resets++
  summary.error = error.code ?? error.message
})
socket.on('close', () => finish())

function echo(number) {
  const now = performance.now()
  if (seen.has(number)) summary.doubled++
  if (number !== last + 1) summary.outOfOrder++
  last = number
  seen.add(number)
  summary.received++
  const gap = now - lastEchoMs
  lastEchoMs = now
  if (gap > 150) summary.gaps.push({afterLine: number - 1, ms: Math.round(gap), atMs: Date.now()})
  const waited = now - (sentAt.get(number) ?? now)
  sentAt.delete(number)
  summary.maxWaitMs = Math.max(summary.maxWaitMs, Math.round(waited))
}

const timer = setInterval(() => {
  if (!socket.writable) return
  summary.sent++
  sentAt.set(summary.sent, performance.now())
  socket.write(`${summary.sent}\n`)
}, 50)

process.stdin.on('data', (text) => {
  if (!String(text).includes('stop')) return
  clearInterval(timer)
  // what is under way gets a moment to come back, bounded
  const until = performance.now() + 60_000 // after a long silence the next retransmission may be half a minute away
  const wait = setInterval(() => {
    if (sentAt.size > 0 && performance.now() < until) return
    clearInterval(wait)
    socket.destroy()
  }, 20)
})

let done = false
function finish() {
  if (done) return
  done = true
  clearInterval(timer)
  summary.lost = summary.sent - seen.size
  process.stdout.write(`${JSON.stringify(summary)}\n`, () => process.exit(0))
}

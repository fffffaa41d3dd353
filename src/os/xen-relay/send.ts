import net from 'node:net'

import {firstLine, proofOf, startTicksOf, writeState, type RelayPhase, type SendOrders} from './orders.js'

const CONNECT_MS = 30_000
const WATCH_MS = 1000

/**
 * The sending side: xl starts it in the place of ssh, with the stream on its standard input and output.
 *
 * When the stream breaks it keeps both open: xl writes until the pipe is full, and the primary stands still at its next checkpoint. Only
 * after the grant it ends; then xl says that the backup failed, and the primary goes on alone.
 *
 * @param argv  the command that xl wants to have run on the other side
 */
export async function send(orders: SendOrders, argv: readonly string[]): Promise<void> {
  const parent = process.ppid
  let phase: RelayPhase = 'connecting'
  const enter = (next: RelayPhase, reason?: string): void => {
    phase = next
    const why = reason === undefined ? {} : {reason}
    writeState(orders.state, {phase, pid: process.pid, startTicks: startTicksOf(process.pid), atMs: Date.now(), ...why})
  }
  const finish = (last: RelayPhase, reason: string): void => {
    enter(last, reason)
    process.exit(last === 'failed' ? 1 : 0)
  }
  process.on('SIGUSR2', () => {
    finish('released', 'granted')
  })
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => undefined)
  // held back, nobody reads standard input, so its end is not seen: xl is watched itself
  setInterval(() => {
    if (process.ppid !== parent) finish('ended', 'xl has ended')
  }, WATCH_MS)
  enter('connecting')
  const socket = net.connect({host: orders.address, port: orders.port, localAddress: orders.local})
  const broken = (reason: string): void => {
    if (phase === 'connecting') finish('failed', reason)
    if (phase !== 'streaming') return
    process.stdin.unpipe(socket)
    process.stdin.pause()
    enter('held', reason)
  }
  socket.on('error', (error) => {
    broken(error.message)
  })
  socket.on('close', () => {
    broken('the connection to the other host ended')
  })
  const timer = setTimeout(() => {
    socket.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`))
  }, CONNECT_MS)
  const nonce = await firstLine(socket)
  if (nonce === undefined) return
  socket.write(`${JSON.stringify({argv, proof: proofOf(orders.key, nonce, argv)})}\n`)
  const answer = await firstLine(socket)
  clearTimeout(timer)
  if (answer !== 'ok') {
    finish('failed', `the other side refused: ${answer ?? 'no answer'}`)
    return
  }
  enter('streaming')
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 5000)
  process.stdin.pipe(socket)
  socket.pipe(process.stdout, {end: false})
  process.stdin.once('end', () => {
    if (phase === 'streaming') finish('ended', 'xl has ended')
  })
  process.stdout.on('error', () => {
    if (phase === 'streaming') finish('ended', 'xl has ended')
  })
}

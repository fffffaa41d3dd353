import {execFileSync, spawn, type ChildProcess} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {appendFileSync, closeSync, constants, openSync, rmSync} from 'node:fs'
import net from 'node:net'
import {createInterface} from 'node:readline'
import {isDeepStrictEqual} from 'node:util'

import type {ProcessId} from '../proc.js'
import {
  firstLine,
  isProof,
  proofOf,
  startTicksOf,
  writeState,
  type ReceiveOrders,
  type RelayPhase,
  type RelayState,
} from './orders.js'

/** libxc on the receiver, once for each checkpoint that is complete. */
const checkpointLine = 'All records processed'
const noise = /^xc: (info|progress): /
/** For what the receiver wrote last. */
const LAST_WORDS_MS = 300
/** Waiting for the rest of the handshake, in milliseconds. */
const HANDSHAKE_MS = 20_000

/**
 * The receiving side: listens for the one connection of the pair's other side and runs the one command that is expected.
 *
 * The receiver reads a named pipe that a second process holds open, too. So neither the break of the stream nor the death of this
 * process ends its input, and it cannot take over; only the grant ends both.
 */
export function receive(orders: ReceiveOrders): void {
  let state: RelayState = {
    phase: 'listening',
    pid: process.pid,
    startTicks: startTicksOf(process.pid),
    atMs: Date.now(),
  }
  const note = (change: Partial<RelayState>): void => {
    state = {...state, ...change, atMs: Date.now()}
    writeState(orders.state, state)
  }
  const enter = (phase: RelayPhase, reason?: string): void => {
    note({phase, ...(reason === undefined ? {} : {reason})})
  }
  const finish = (phase: RelayPhase, reason: string): void => {
    enter(phase, reason)
    process.exit(0)
  }
  let running: Running | undefined
  let granted = false
  process.on('SIGUSR2', () => {
    if (running === undefined || granted) return
    granted = true
    enter('granted')
    running.release()
  })
  process.on('SIGTERM', () => {
    running?.kill()
    finish('ended', 'the copy was not wanted')
  })
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => undefined)

  const server = net.createServer({allowHalfOpen: false}, (socket) => {
    socket.on('error', () => undefined)
    void admit(socket, orders).then((argv) => {
      if (argv === undefined || running !== undefined) {
        socket.end(argv === undefined ? 'no\n' : 'no, there is a stream already\n')
        return
      }
      server.close()
      running = start(argv, orders, socket, {
        checkpoint: () => {
          note({checkpoints: (state.checkpoints ?? 0) + 1, lastCheckpointMs: Date.now()})
        },
        broken: (reason) => {
          if (state.phase === 'streaming') enter('held', reason)
        },
        ended: (reason) => {
          socket.destroy()
          finish('ended', reason)
        },
      })
      note({phase: 'streaming', checkpoints: 0, receiver: running.receiver, holder: running.holder})
      socket.write('ok\n')
    })
  })
  server.on('error', (error) => {
    finish('failed', error.message)
  })
  server.listen({host: orders.address, port: orders.port}, () => {
    enter('listening')
  })
}

/** The command, when the other side proves that it is the pair's and asks for the one that is expected. */
async function admit(socket: net.Socket, orders: ReceiveOrders): Promise<ReceiveOrders['argv'] | undefined> {
  const nonce = randomBytes(32).toString('hex')
  socket.setTimeout(HANDSHAKE_MS, () => socket.destroy())
  socket.write(`${nonce}\n`)
  const line = await firstLine(socket)
  socket.setTimeout(0)
  if (line === undefined) return undefined
  try {
    const {argv, proof} = JSON.parse(line) as {argv: unknown; proof: unknown}
    if (!isDeepStrictEqual(argv, orders.argv)) return undefined
    return isProof(proof, proofOf(orders.key, nonce, orders.argv)) ? orders.argv : undefined
  } catch {
    return undefined
  }
}

interface Running {
  readonly receiver: ProcessId
  readonly holder: ProcessId
  /** ends the receiver's input: it takes over */
  release(): void
  /** ends the receiver itself, before it could take over */
  kill(): void
}

interface Heard {
  checkpoint(): void
  broken(reason: string): void
  ended(reason: string): void
}

function start(argv: ReceiveOrders['argv'], orders: ReceiveOrders, socket: net.Socket, heard: Heard): Running {
  const {fifo, log} = orders
  rmSync(fifo, {force: true})
  execFileSync('mkfifo', ['--mode=0600', fifo])
  const both = openSync(fifo, constants.O_RDWR) // so that no open below waits for its other end
  const holding = openSync(fifo, constants.O_WRONLY)
  const holder = spawn('sleep', ['infinity'], {detached: true, stdio: ['ignore', 'ignore', 'ignore', holding]})
  closeSync(holding)
  const reading = openSync(fifo, constants.O_RDONLY)
  const receiver = spawn(argv[0], argv.slice(1), {detached: true, stdio: [reading, 'pipe', 'pipe']})
  closeSync(reading)
  const input = new net.Socket({
    fd: openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK),
    readable: false,
    writable: true,
  })
  closeSync(both)
  input.on('error', () => undefined) // the receiver has ended, which is told below
  socket.setKeepAlive(true, 5000)
  socket.pipe(input, {end: false})
  receiver.stdout?.pipe(socket, {end: false})
  socket.once('close', () => {
    heard.broken('the connection to the other host ended')
  })
  follow(receiver, log, heard)
  const endHolder = (): void => {
    holder.kill('SIGKILL')
  }
  receiver.once('error', (error) => {
    endHolder()
    heard.ended(`${argv[0]}: ${error.message}`)
  })
  // not `close`: after a takeover xl leaves a process behind that may keep its output open
  receiver.once('exit', (status, signal) => {
    endHolder()
    setTimeout(() => heard.ended(`xl ended with ${status ?? signal ?? 'nothing'}`), LAST_WORDS_MS)
  })
  return {
    receiver: idOf(receiver),
    holder: idOf(holder),
    release: () => {
      socket.unpipe(input)
      socket.destroy()
      input.destroy() // half a checkpoint is of no use: the receiver goes on from the last whole one
      endHolder()
    },
    kill: () => {
      receiver.kill('SIGKILL')
      endHolder()
    },
  }
}

function idOf({pid}: ChildProcess): ProcessId {
  return pid === undefined ? {pid: -1, startTicks: -1} : {pid, startTicks: startTicksOf(pid)}
}

/** What the receiver says: checkpoints are counted, progress is dropped, the rest is kept. */
function follow(receiver: ChildProcess, log: string, heard: Heard): void {
  if (receiver.stderr === null) return
  createInterface({input: receiver.stderr}).on('line', (line) => {
    if (line.includes(checkpointLine)) heard.checkpoint()
    else if (!noise.test(line)) appendFileSync(log, `${line}\n`, {mode: 0o600})
  })
}

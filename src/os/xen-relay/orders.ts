import {createHmac, timingSafeEqual} from 'node:crypto'
import {readFileSync, renameSync, writeFileSync} from 'node:fs'

/**
 * The relay carries the stream of `xl remus` from one host to the other in the place of ssh, and stands between the break of that stream and
 * what xl makes of it (S2): left to itself the receiver takes over, and the sender goes on alone, without asking anybody. Each side of
 * the relay is a process of its own, so that the agent may end at any time. The agent gives orders in a file and by signals:
 *
 * - SIGUSR2: granted. The receiving side closes the receiver's input, and the copy takes over; the sending side ends, and xl goes on alone.
 * - SIGTERM, receiving side: the copy is not wanted. The receiver is killed before it could take over.
 *
 * A break of the stream, the end of the other side, or the end of the agent are no grant: both sides hold.
 */
export interface SendOrders {
  readonly role: 'send'
  /** of the receiving side */
  readonly address: string
  readonly port: number
  /** own replication address */
  readonly local: string
  readonly key: string
  readonly state: string
}

export interface ReceiveOrders {
  readonly role: 'receive'
  readonly address: string
  readonly port: number
  readonly key: string
  readonly state: string
  /** the one command that is run for the other side */
  readonly argv: readonly [string, ...string[]]
  /** its standard input: a named pipe in a directory of root's */
  readonly fifo: string
  readonly log: string
}

export type RelayOrders = SendOrders | ReceiveOrders

/**
 * ```
 * send:     connecting ──> streaming ──break──> held ──grant──> released
 * receive:  listening  ──> streaming ──break──> held ──grant──> granted ──> ended
 * ```
 * `ended` without a grant: what the relay served ended by itself.
 */
export type RelayPhase = 'connecting' | 'listening' | 'streaming' | 'held' | 'granted' | 'released' | 'ended' | 'failed'

/** What a relay says of itself in its state file. Processes are numbers with their start, as in `proc.ts`. */
export interface RelayState {
  readonly phase: RelayPhase
  readonly pid: number
  readonly startTicks: number
  readonly reason?: string
  readonly atMs: number
  /** receiving side */
  readonly checkpoints?: number
  readonly lastCheckpointMs?: number
  readonly receiver?: {readonly pid: number; readonly startTicks: number}
  /** holds the receiver's input open, too */
  readonly holder?: {readonly pid: number; readonly startTicks: number}
}

/** Another process never sees half of it. It lives in /run: after a restart of the host there is no stream either. */
export function writeState(file: string, state: RelayState): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`, {mode: 0o600})
  renameSync(`${file}.new`, file)
}

export function readOrders(file: string): RelayOrders {
  return JSON.parse(readFileSync(file, 'utf8')) as RelayOrders
}

/** Start of a process in clock ticks, for the state file. */
export function startTicksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19])
}

/** What proves to the receiving side that the pair's own other side asks for this command. */
export function proofOf(key: string, nonce: string, argv: readonly string[]): string {
  return createHmac('sha256', Buffer.from(key, 'hex'))
    .update(JSON.stringify([nonce, argv]))
    .digest('hex')
}

export function isProof(given: unknown, wanted: string): boolean {
  if (typeof given !== 'string' || given.length !== wanted.length) return false
  return timingSafeEqual(Buffer.from(given), Buffer.from(wanted))
}

/** Longest line of the handshake, in bytes. */
const LINE_MAX = 4096

/** Takes the first line off a stream; what follows it stays in the stream. Undefined when it ended or is too long. */
export function firstLine(
  stream: NodeJS.ReadableStream & {unshift(chunk: Uint8Array): void},
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0)
    const settle = (line: string | undefined): void => {
      stream.removeListener('data', onData)
      stream.removeListener('close', onEnd)
      stream.removeListener('end', onEnd)
      stream.pause()
      resolve(line)
    }
    const onEnd = (): void => {
      settle(undefined)
    }
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk])
      const at = seen.indexOf(0x0a)
      if (at < 0 && seen.length < LINE_MAX) return
      settle(at < 0 ? undefined : seen.subarray(0, at).toString('utf8'))
      if (at >= 0 && at + 1 < seen.length) stream.unshift(seen.subarray(at + 1))
    }
    stream.on('data', onData)
    stream.once('close', onEnd)
    stream.once('end', onEnd)
    stream.resume() // after an earlier pause listening alone does not
  })
}

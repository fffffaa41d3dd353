import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'

/** One established TCP connection as the kernel lists it; addresses and ports as hexadecimal `ADDRESS:PORT`. */
export interface TcpConnection {
  readonly local: string
  readonly remote: string
  readonly inode: string
}

const ESTABLISHED = '01'

/**
 * Reads `/proc/net/tcp` or `/proc/net/tcp6`: established connections only.
 *
 * @see linux Documentation/networking/proc_net_tcp.rst
 */
export function parseTcpTable(text: string): TcpConnection[] {
  const connections: TcpConnection[] = []
  for (const line of text.split('\n')) {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/, 10)
    if (state !== ESTABLISHED || local === undefined || remote === undefined || inode === undefined) continue
    connections.push({local, remote, inode})
  }
  return connections
}

/** Which connection it is, for comparing: never the same for two connections of one boot. */
export function identityOf({local, remote, inode}: TcpConnection): string {
  return `${local} ${remote} ${inode}`
}

/** An address and port as the table spells them: words of 32 bits in the host's (little-endian) order. */
export function hexEndpoint(address: string, port: number): string {
  const words = isIpv6(address) ? ipv6Bytes(address) : address.split('.').map(Number)
  let hex = ''
  for (let at = 0; at < words.length; at += 4) {
    for (const byte of words.slice(at, at + 4).reverse()) hex += byte.toString(16).padStart(2, '0')
  }
  return `${hex}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}

export function hasPort(endpoint: string, port: number): boolean {
  return endpoint.endsWith(`:${port.toString(16).padStart(4, '0').toUpperCase()}`)
}

function isIpv6(address: string): boolean {
  return address.includes(':')
}

function ipv6Bytes(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
  return all.flatMap((group) => [group >> 8, group & 0xff])
}

/** Reads of the table are shared: at most one in this time, after the first few. */
const SPACING_MS = 100
const BURST = 5
const RECENT_MS = 250

/**
 * The kernel's table, read when asked. Whoever asks gets a reading that *began* after the question; those who ask
 * while one waits share it. A host with many pairs reads at most ten times a second.
 */
export class TcpTable {
  readonly #files: Files
  readonly #clock: Clock
  readonly #waiting = new Map<string, Promise<readonly TcpConnection[]>>()
  readonly #latest = new Map<string, {readonly atMs: number; readonly connections: readonly TcpConnection[]}>()
  #credit = BURST
  #creditAtMs = 0

  constructor(files: Files, clock: Clock) {
    this.#files = files
    this.#clock = clock
  }

  /** @param address any address of the wanted family */
  read(address: string): Promise<readonly TcpConnection[]> {
    const path = pathOf(address)
    const waiting = this.#waiting.get(path)
    if (waiting !== undefined) return waiting
    const next = this.#spaced(() => {
      this.#waiting.delete(path)
      return this.#readNow(path)
    })
    this.#waiting.set(path, next)
    return next
  }

  /** A reading of at most a quarter of a second ago, without waiting for anybody's turn: good for showing, not for judging. */
  recent(address: string): Promise<readonly TcpConnection[]> {
    const path = pathOf(address)
    const latest = this.#latest.get(path)
    const isRecent = latest !== undefined && this.#clock.monotonic() - latest.atMs < RECENT_MS
    return isRecent ? Promise.resolve(latest.connections) : this.#readNow(path)
  }

  async #readNow(path: string): Promise<readonly TcpConnection[]> {
    const atMs = this.#clock.monotonic()
    const connections = parseTcpTable((await this.#files.readText(path)) ?? '')
    this.#latest.set(path, {atMs, connections})
    return connections
  }

  async #spaced<R>(read: () => Promise<R>): Promise<R> {
    const now = this.#clock.monotonic()
    this.#credit = Math.min(BURST, this.#credit + (now - this.#creditAtMs) / SPACING_MS)
    this.#creditAtMs = now
    const waitMs = this.#credit >= 1 ? 0 : Math.ceil((1 - this.#credit) * SPACING_MS)
    this.#credit -= 1
    await (waitMs === 0 ? Promise.resolve() : this.#clock.sleep(waitMs))
    return read()
  }
}

function pathOf(address: string): string {
  return isIpv6(address) ? '/proc/net/tcp6' : '/proc/net/tcp'
}

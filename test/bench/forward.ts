import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {agentSocketPath} from '../../src/agent/protocol.js'
import {openAgent} from '../../src/host/agent-connection.js'
import type {AgentClient} from '../../src/host/agent-client.js'
import {namespaces} from '../../src/lab/index.js'
import {startChild, type Child} from '../../src/os/child.js'
import {connectUnix} from '../../src/os/sockets.js'
import {pairStats, sidesOf} from '../../src/stats/pair-stats.js'
import {createPair, guestAnswers, removePair, type GuestSpec} from '../support/lab.js'
import {inits} from './bench-pair.js'
import {median, pairwise, type Report, type Row} from './harness.js'
import type {LoadOrder, LoadResult} from './load.js'

const ways = ['socket', 'tc'] as const
type Way = (typeof ways)[number]

/** Both pairs have the lab's default: a checkpoint each second. */
const guests: Readonly<Record<Way, GuestSpec>> = {
  socket: {name: 'bench-socket', model: 'virtio', nics: 1, disks: 1, byte: 71},
  tc: {name: 'bench-tc', model: 'virtio', nics: 1, disks: 1, byte: 72, forward: 'tc'},
}

const loads = {
  small: {what: 'small page, 2 clients', path: '/', clients: 2, ms: 3500},
  large: {what: '256 KiB, 1 client', path: '/bytes?count=262144', clients: 1, ms: 3500},
} as const
type Load = keyof typeof loads
const loadNames = Object.keys(loads) as Load[]

const rounds = 5
const idleMs = 5000
/** no new round begins after it */
const budgetMs = 75_000
const ticksPerSecond = 100

/** One load of one pair. */
interface Turn {
  readonly perSecond: number
  readonly mibPerSecond: number
  readonly medianMs: number
  readonly p99Ms: number
  /** these three of 1,000 requests */
  readonly checkpoints: number
  readonly divergences: number
  readonly cpuSeconds: number
  readonly requests: number
  readonly failed: number
}

type Turns = Record<Load, Record<Way, Turn[]>>

/** `via: socket` against `via: tc`: two pairs that live side by side, loaded in turns. */
export async function measure(): Promise<Report> {
  const guest = (way: Way): string => `10.77.0.${guests[way].byte}`
  const client = await startClient()
  const meters: Partial<Record<Way, Meter>> = {}
  try {
    for (const way of ways) {
      await createPair(guests[way])
      await guestAnswers(guest(way))
      meters[way] = await Meter.open(guests[way].name)
    }
    const {socket, tc} = meters as Record<Way, Meter>
    const idle = await idleShares({socket, tc})
    const turns: Turns = {small: {socket: [], tc: []}, large: {socket: [], tc: []}}
    const start = performance.now()
    for (let round = 0; round <= rounds && performance.now() - start < budgetMs; round++) {
      for (const load of loadNames) {
        for (const way of ways) {
          const {path, clients, ms} = loads[load]
          const turn = await takeTurn(client, {socket, tc}[way], {address: guest(way), path, clients, ms})
          if (round > 0) turns[load][way].push(turn) // the first one warms up the guests' translated code
        }
      }
    }
    return {title: 'forwarding: tc / socket', rows: rowsOf(turns, idle), notes: notesOf(turns)}
  } finally {
    for (const meter of Object.values(meters)) meter.close()
    await client.end()
    for (const way of ways) await removePair(guests[way].name)
  }
}

function startClient(): Promise<Child> {
  const node = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('load.ts', import.meta.url))]
  return startChild(['ip', 'netns', 'exec', namespaces.client, ...node])
}

async function takeTurn(client: Child, meter: Meter, order: LoadOrder): Promise<Turn> {
  const before = await meter.read()
  client.write(`${JSON.stringify(order)}\n`)
  const result = JSON.parse(await client.nextLine(order.ms + 30_000)) as LoadResult
  const after = await meter.read()
  const {latencies, ms, bytes, failed} = result
  if (latencies.length === 0) throw new Error(`${order.address}${order.path}: ${failed} requests, no answer`)
  const perThousand = (amount: number): number => (amount * 1000) / latencies.length
  return {
    perSecond: (latencies.length * 1000) / ms,
    mibPerSecond: (bytes * 1000) / ms / 2 ** 20,
    medianMs: median(latencies),
    p99Ms: percentile(latencies, 99),
    checkpoints: perThousand(after.checkpoints - before.checkpoints),
    divergences: perThousand(after.divergences - before.divergences),
    cpuSeconds: perThousand(after.cpuSeconds - before.cpuSeconds),
    requests: latencies.length,
    failed,
  }
}

/** Percent of a core of both QEMUs while nobody asks, both pairs in the same seconds. */
async function idleShares(meters: Readonly<Record<Way, Meter>>): Promise<Record<Way, number>> {
  const read = (): number[] => ways.map((way) => meters[way].cpuSeconds())
  const before = read()
  const start = performance.now()
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  const after = read()
  const [socket = 0, tc = 0] = after.map(
    (seconds, at) => ((seconds - (before[at] ?? 0)) * 100_000) / (performance.now() - start),
  )
  return {socket, tc}
}

/** What one pair has used: checkpoints by its primary's agent, processor time by the kernel. */
class Meter {
  readonly #pair: string
  readonly #agent: AgentClient
  readonly #processes: readonly string[]

  private constructor(pair: string, agent: AgentClient, processes: readonly string[]) {
    this.#pair = pair
    this.#agent = agent
    this.#processes = processes
  }

  static async open(pair: string): Promise<Meter> {
    const roots = Object.values(await inits()).map((init) => `/proc/${init}/root`)
    const processes = roots.map(
      (root) => `${root}/proc/${readFileSync(`${root}/run/libvirt/qemu/${pair}.pid`, 'utf8').trim()}`,
    )
    const port = await connectUnix({path: `${roots[0]}${agentSocketPath}`, timeoutMs: 5000})
    return new Meter(pair, await openAgent(port, {host: 'alpha', timeoutMs: 5000}), processes)
  }

  async read(): Promise<{checkpoints: number; divergences: number; cpuSeconds: number}> {
    const {members} = await this.#agent.call('stats.read', {pair: this.#pair})
    const {total, causes} = pairStats(sidesOf(this.#pair, members)).checkpoints
    return {checkpoints: total, divergences: causes.divergence, cpuSeconds: this.cpuSeconds()}
  }

  /** user and system time of both QEMUs, all threads */
  cpuSeconds(): number {
    const seconds = this.#processes.map((directory) => {
      const text = readFileSync(`${directory}/stat`, 'utf8')
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    })
    return seconds.reduce((sum, each) => sum + each, 0)
  }

  close(): void {
    this.#agent.close()
  }
}

const figures: ReadonlyArray<{readonly what: string; readonly of: (turn: Turn) => number}> = [
  {what: 'requests per second', of: ({perSecond}) => perSecond},
  {what: 'latency, median', of: ({medianMs}) => medianMs},
  {what: 'latency, p99', of: ({p99Ms}) => p99Ms},
  {what: 'checkpoints per 1,000 requests', of: ({checkpoints}) => checkpoints},
  {what: 'CPU of both QEMUs per request', of: ({cpuSeconds}) => cpuSeconds},
]

function rowsOf(turns: Turns, idle: Readonly<Record<Way, number>>): Row[] {
  const ratios = loadNames.flatMap((load) =>
    figures.map(({what, of}): Row => {
      const {socket, tc} = turns[load]
      return {what: `${loads[load].what}: ${what}`, unit: '×', values: pairwise(tc.map(of), socket.map(of))}
    }),
  )
  const absolute = loadNames.flatMap((load) =>
    ways.flatMap((way): Row[] => {
      const taken = turns[load][way]
      const whose = `${loads[load].what}, ${way}`
      return [
        {what: `${whose}: requests`, unit: '/s', values: taken.map(({perSecond}) => perSecond)},
        ...(load === 'large'
          ? [{what: `${whose}: answers`, unit: 'MiB/s', values: taken.map(({mibPerSecond}) => mibPerSecond)} as const]
          : []),
        {what: `${whose}: latency, median`, unit: 'ms', values: taken.map(({medianMs}) => medianMs)},
        {what: `${whose}: latency, p99`, unit: 'ms', values: taken.map(({p99Ms}) => p99Ms)},
        {what: `${whose}: checkpoints per 1,000 requests`, unit: '', values: taken.map(({checkpoints}) => checkpoints)},
        {what: `${whose}: of these for a divergence`, unit: '', values: taken.map(({divergences}) => divergences)},
        {what: `${whose}: CPU of both QEMUs per request`, unit: 'ms', values: taken.map(({cpuSeconds}) => cpuSeconds)},
      ]
    }),
  )
  return [
    ...ratios,
    {what: 'idle: CPU of both QEMUs', unit: '×', values: pairwise([idle.tc], [idle.socket])},
    ...absolute,
    ...ways.map((way): Row => ({what: `idle, ${way}: CPU of both QEMUs, of a core`, unit: '%', values: [idle[way]]})),
  ]
}

function notesOf(turns: Turns): string[] {
  const all = loadNames.flatMap((load) => ways.flatMap((way) => turns[load][way]))
  const sum = (of: (turn: Turn) => number): number => all.reduce((total, turn) => total + of(turn), 0)
  return [
    `${sum(({requests}) => requests)} requests answered, ${sum(({failed}) => failed)} failed; each on a new connection, which ends with its answer.`,
    'Two pairs that differ in this alone run side by side and are loaded in turns; a checkpoint each second, and one for each divergence.',
    'CPU: user and system time of QEMU on both hosts, the guest and what the kernel forwards in its name included.',
  ]
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {PairLayout} from '../pair/layout.js'
import {queryBlockstats} from '../qmp/commands/block-nodes.js'
import type {QmpSession} from '../qmp/session.js'
import type {DiskTraffic, MemberStats, NicTraffic} from '../stats/member-stats.js'
import {sentOf, updateOf, type Sent} from '../stats/stream.js'
import type {StatsUpdate} from '../stats/member-stats.js'
import type {Client} from './client.js'
import type {Member} from './member.js'

const LIMIT_MS = 1000
/** updates in one line of a stream */
const BATCH = 50

export interface StatsDeps {
  readonly host: string
  readonly clock: Clock
  readonly files: Files
}

/** Everything counted of a member; asks QEMU and the kernel for the traffic counters. */
export async function readStats(member: Member, deps: StatsDeps): Promise<MemberStats> {
  const session = member.keeper.status === 'connected' ? member.keeper.session : undefined
  const [disks, nics] = await Promise.all([
    diskTraffic(session, member.layout),
    Promise.all(member.layout.nics.map(({index, tap}) => nicTraffic(deps.files, index, tap))),
  ])
  return {...countedOf(member, deps), disks, nics}
}

/** What costs nothing to know. */
function countedOf(member: Member, {host, clock}: StatsDeps): MemberStats {
  const record = member.records.current
  return {
    pair: member.pair,
    host,
    atMs: clock.now(),
    role: record?.role,
    delayMs: member.delayMs,
    series: member.statistics.series,
    phases: member.tracer.phases,
    tracing: member.tracer.tracing,
    disks: [],
    nics: [],
    change: changeOf(member),
  }
}

/** Differs whenever a new observation would show more than other figures. */
function changeOf({records, keeper, guard, intents, tracer}: Member): string {
  const {active, latched, blindSince} = guard.now
  const {current} = intents
  return [
    records.current?.updatedAtMs ?? '-',
    keeper.status,
    active,
    latched.length,
    blindSince ?? '-',
    current === undefined ? '-' : `${current.plan.id}/${current.done.length}`,
    tracer.tracing,
  ].join(' ')
}

export interface StreamJob {
  readonly client: Client
  readonly id: number
  readonly intervalMs: number
  readonly members: () => Iterable<Member>
  readonly signal: AbortSignal
}

/** Sends each member whole once, then what is new of it; settles when the signal aborts. Each reader has its own pace. */
export async function streamStats(
  {client, id, intervalMs, members, signal}: StreamJob,
  deps: StatsDeps,
): Promise<void> {
  const sent = new Map<string, Sent>()
  while (!signal.aborted) {
    const updates: StatsUpdate[] = []
    for (const member of members()) {
      const now = countedOf(member, deps)
      const update = updateOf(now, sent.get(member.pair))
      if (update === undefined) continue
      sent.set(member.pair, sentOf(now))
      updates.push(update)
    }
    const atMs = deps.clock.now()
    for (let at = 0; at === 0 || at < updates.length; at += BATCH) {
      client.event(id, {seq: 0, atMs, pair: '', type: 'STATISTICS', data: {updates: updates.slice(at, at + BATCH)}})
    }
    await deps.clock.sleep(intervalMs, signal).catch(() => undefined)
  }
}

async function diskTraffic(session: QmpSession | undefined, layout: PairLayout): Promise<DiskTraffic[]> {
  if (session === undefined || layout.disks.length === 0) return []
  try {
    const stats = await queryBlockstats(session, 'devices', {timeoutMs: LIMIT_MS})
    return layout.disks.flatMap((disk, index): DiskTraffic[] => {
      const found = stats.find(({nodeName}) => nodeName === disk.quorum)
      if (found === undefined) return []
      const {writtenBytes, readBytes, writes} = found
      return [{index, name: disk.spec.name, writtenBytes, readBytes, writes}]
    })
  } catch {
    return [] // hung, or just gone: what matters of that is in the observation
  }
}

/** From the host's side of the tap: what it receives has left the guest. */
async function nicTraffic(files: Files, index: number, tap: string): Promise<NicTraffic> {
  const count = async (name: string): Promise<number> =>
    Number((await files.readText(`/sys/class/net/${tap}/statistics/${name}`).catch(() => undefined)) ?? 0)
  const [fromGuestPackets, fromGuestBytes, toGuestPackets, toGuestBytes] = await Promise.all([
    count('rx_packets'),
    count('rx_bytes'),
    count('tx_packets'),
    count('tx_bytes'),
  ])
  return {index, tap, fromGuestPackets, fromGuestBytes, toGuestPackets, toGuestBytes}
}

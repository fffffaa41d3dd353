import {ColoError, NotFoundError, UnreachableError} from '../errors.js'
import type {OperationContext} from '../operation/context.js'
import {UnseenPairError} from '../operation/sides.js'
import type {MemberStats} from '../stats/member-stats.js'
import {pairStats, sidesOf, type PairStats} from '../stats/pair-stats.js'
import {causes} from '../stats/checkpoints.js'
import type {Summary} from '../stats/histogram.js'
import {formatBytes} from '../ui/bytes.js'
import {renderTable} from '../ui/table.js'
import {formatDuration} from '../ui/time.js'

/** The document of `colo pair stats --json`; a line of `--json-lines`. */
export interface PairStatsDocument extends PairStats {
  /** hosts of the inventory that did not answer */
  readonly silent: ReadonlyArray<{readonly host: string; readonly problem: string}>
}

const limitMs = 5000

/**
 * Asks every host of the inventory for its figures of a pair; takes no lock.
 *
 * @throws {UnreachableError} when no host answers; {NotFoundError} when none of them knows the pair
 */
export async function readPairStats(context: OperationContext, pair: string): Promise<PairStatsDocument> {
  const answers = await Promise.all(context.inventory.hosts.map((entry) => askHost(context, entry, pair)))
  const silent = answers.flatMap(({host, problem}) => (problem === undefined ? [] : [{host, problem}]))
  const members = answers.flatMap(({members: found = []}) => found)
  const [first] = silent
  if (members.length === 0) {
    if (first !== undefined) {
      const cause = new UnreachableError(first.host, first.problem)
      if (silent.length === answers.length) throw cause
      const names = silent.map(({host}) => host)
      throw new UnseenPairError(pair, names, cause)
    }
    throw new NotFoundError(`no host knows a pair named ${pair}`, {hint: 'see `colo pair list`'})
  }
  return {...pairStats(sidesOf(pair, members)), silent}
}

async function askHost(
  context: OperationContext,
  entry: OperationContext['inventory']['hosts'][number],
  pair: string,
): Promise<{host: string; members?: readonly MemberStats[]; problem?: string}> {
  const host: string = entry.name
  try {
    const client = await context.connect(entry, context.signal)
    try {
      const {members} = await client.call('stats.read', {pair}, {timeoutMs: limitMs, signal: context.signal})
      return {host, members}
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof NotFoundError || (error instanceof ColoError && error.code === 'not-found')) return {host}
    if (error instanceof ColoError && !context.signal.aborted) return {host, problem: error.message}
    throw error
  }
}

/** For people: figures of the guest's pauses first. */
export function statsText(stats: PairStats): string {
  const {checkpoints, beat, disks, nics, phases} = stats
  const silent = beat.silentMs === undefined ? 'COLO is off' : `last sign ${formatDuration(beat.silentMs)} ago`
  const head = [
    `${stats.pair}: ${checkpoints.session} checkpoints since COLO began, ${checkpoints.total} in all`,
    `rate         ${rate(checkpoints.perSecond)}, divergence ${rate(checkpoints.divergencePerSecond)} (last 10 s), interval ${formatDuration(checkpoints.intervalMs)}`,
    `causes       ${causes.map((cause) => `${cause} ${checkpoints.causes[cause]}`).join(', ')}`,
    `beat         ${beat.dead ? 'NONE: ' : ''}${silent}${checkpoints.gaps > 0 ? `; not watched ${checkpoints.gaps} times` : ''}`,
  ]
  const rows: [string, Summary | undefined][] = [
    [`pause on ${stats.primary ?? 'the primary'}`, stats.pause],
    ['pause, all', stats.pauseEver],
    [`load on ${stats.secondary ?? 'the secondary'}`, stats.load],
    ['load, all', stats.loadEver],
    ['interval, all', stats.interval],
    ...Object.entries(phases?.primary?.durations ?? {}).map(([name, value]): [string, Summary] => [
      `phase ${name}`,
      value,
    ]),
  ]
  const known = rows.flatMap(([name, summary]) => (summary === undefined ? [] : [{name, summary}]))
  const dirty = phases?.secondary?.dirtyPages
  return [
    ...head,
    ...(known.length === 0 ? [] : ['', renderTable(summaryColumns, known)]),
    ...(dirty === undefined
      ? []
      : ['', `dirty pages  ${dirty.last ?? '-'} last, ${Math.round(dirty.mean)} mean, ${dirty.max} most (4 KiB each)`]),
    ...(disks.length === 0 ? [] : ['', renderTable(diskColumns, disks)]),
    ...(nics.primary.length === 0 ? [] : ['', renderTable(nicColumns, nics.primary)]),
  ].join('\n')
}

/** One line, for `--watch`. */
export function statsLine(stats: PairStats): string {
  const {checkpoints, pause, load, beat} = stats
  const parts = [
    new Date(stats.atMs).toISOString().slice(11, 19),
    stats.pair,
    rate(checkpoints.perSecond),
    `divergence ${rate(checkpoints.divergencePerSecond)}`,
    `pause p50 ${ms(pause?.p50Ms)} p99 ${ms(pause?.p99Ms)} ms`,
    `load p50 ${ms(load?.p50Ms)} ms`,
    `${checkpoints.session} checkpoints`,
    ...(beat.dead ? ['NO BEAT'] : []),
  ]
  return parts.join('  ')
}

const summaryColumns = [
  {title: 'MILLISECONDS', value: ({name}: {name: string}) => name},
  ...(['count', 'minMs', 'meanMs', 'p50Ms', 'p95Ms', 'p99Ms', 'maxMs'] as const).map((key) => ({
    title: key.replace('Ms', '').toUpperCase(),
    align: 'right' as const,
    value: ({summary}: {summary: Summary}) => (key === 'count' ? summary.count : ms(summary[key])),
  })),
]

const diskColumns = [
  {title: 'DISK', value: ({name}: PairStats['disks'][number]) => name},
  {title: 'WRITTEN', value: ({writtenBytes}: PairStats['disks'][number]) => formatBytes(writtenBytes)},
  {title: 'WRITES', value: ({writes}: PairStats['disks'][number]) => writes},
  {title: 'READ', value: ({readBytes}: PairStats['disks'][number]) => formatBytes(readBytes)},
]

type Nic = PairStats['nics']['primary'][number]
const nicColumns = [
  {title: 'TAP', value: ({tap}: Nic) => tap},
  {title: 'FROM GUEST', value: (nic: Nic) => `${nic.fromGuestPackets} (${formatBytes(nic.fromGuestBytes)})`},
  {title: 'TO GUEST', value: (nic: Nic) => `${nic.toGuestPackets} (${formatBytes(nic.toGuestBytes)})`},
]

function rate(perSecond: number): string {
  return `${perSecond.toFixed(1)}/s`
}

function ms(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(value < 10 ? 2 : 1)
}

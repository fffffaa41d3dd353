import {isLost, linksOf} from './links.js'
import type {PairState} from '../../pair/status.js'
import {rateOf, recentSummary} from '../../stats/checkpoints.js'
import {sidesOf} from '../../stats/pair-stats.js'
import {transferOf} from '../../stats/transfer.js'
import {formatDuration} from '../time.js'
import type {ColumnKey, SortKey} from './columns.js'
import {matcherOf, type Cells} from './filter.js'
import {shownData, type Data, type Model, type PairView} from './model.js'
import {short, type Style} from './text.js'

export interface Row {
  readonly name: string
  readonly cells: Readonly<Record<ColumnKey, string>>
  readonly style: Style | undefined
  /** nothing new can be learned of it: its hosts do not answer */
  readonly stale: boolean
  readonly problem: boolean
  readonly order: Readonly<Record<SortKey, string | number>>
}

/** Worst first. */
const danger: readonly (PairState | 'unknown')[] = [
  'split-brain',
  'failed',
  'suspect',
  'unknown',
  'unprotected',
  'failing-over',
  'committing',
  'resyncing',
  'syncing',
  'starting',
  'stopping',
  'stopped',
  'protected',
]

/** The rows that are shown, in order: filtered, problems only, sorted; equal ones by name. */
export function rowsOf(model: Model): readonly Row[] {
  const data = shownData(model)
  const fits = matcherOf(model.typing ?? model.filter)
  const rows = allRows(data).filter(
    (row) =>
      (model.only.length === 0 || model.only.includes(row.name)) &&
      (!model.problemsOnly || row.problem) &&
      fits(row.cells satisfies Cells),
  )
  const {key, reverse} = model.sort
  const sign = reverse ? -1 : 1
  return rows.sort((a, b) => sign * compare(a.order[key], b.order[key]) || compare(a.name, b.name))
}

/** Several questions are asked of the same data for every key and screen. */
const known = new WeakMap<Data, readonly Row[]>()

function allRows(data: Data): readonly Row[] {
  const before = known.get(data)
  if (before !== undefined) return before
  const rows = [...data.pairs.values()].map((pair) => rowOf(pair, data))
  known.set(data, rows)
  return rows
}

export function rowOf(pair: PairView, data: Data): Row {
  const {status, name} = pair
  const {primary: lead} = sidesOf(name, [...pair.stats.values()])
  const inColo = lead?.series.colo === true
  const offsetMs = data.hosts.get(lead?.host ?? '')?.offsetMs ?? 0
  const rate = lead !== undefined && inColo ? rateOf(lead.series, data.atMs + offsetMs) : undefined
  const pause = lead !== undefined && inColo ? recentSummary(lead.series) : undefined
  const transfer = transferOf(pair.resync)
  const stale = isLost(pair, data)
  const state = status?.state ?? 'unknown'
  const answering = status?.members.filter(({reachable}) => reachable).length ?? 0
  return {
    name,
    stale,
    problem: stale || state !== 'protected' || (status?.reasons.length ?? 0) > 0,
    style: stale ? 'dim' : styleOf(state, status?.reasons.length ?? 0),
    cells: {
      pair: name,
      state: stale ? `${state}?` : state + (status?.qualifier === undefined ? '' : '*'),
      primary: status?.primary ?? '-',
      secondary: status?.secondary ?? '-',
      rate: short(rate?.perSecond),
      p50: short(pause?.p50Ms),
      p99: short(pause?.p99Ms),
      div: short(rate?.divergencePerSecond),
      resync:
        transfer === undefined
          ? '-'
          : `${Math.floor(transfer.share * 100)}%${transfer.leftMs === undefined ? '' : ` ${formatDuration(transfer.leftMs)}`}`,
      links: linksOf(pair),
      gen: status?.epoch === undefined ? '-' : String(status.epoch),
      agents: stale ? '0/2' : `${answering}/2`,
      reason: stale
        ? 'no host answers; last known state'
        : (status?.reasons.map(({message}) => message).join('; ') ?? ''),
    },
    order: {
      pair: name,
      state: danger.indexOf(stale ? 'unknown' : state),
      primary: status?.primary ?? '~',
      secondary: status?.secondary ?? '~',
      // the greatest first
      rate: -(rate?.perSecond ?? -1),
      p99: -(pause?.p99Ms ?? -1),
      div: -(rate?.divergencePerSecond ?? -1),
      resync: -(transfer?.share ?? -1),
      agents: answering,
    },
  }
}

export function styleOf(state: PairState | 'unknown', reasons: number): Style {
  switch (state) {
    case 'protected':
      return reasons === 0 ? 'good' : 'warn'
    case 'split-brain':
    case 'failed':
    case 'suspect':
      return 'bad'
    case 'stopped':
    case 'unknown':
      return 'dim'
    case 'starting':
    case 'stopping':
    case 'syncing':
    case 'unprotected':
    case 'committing':
    case 'resyncing':
    case 'failing-over':
      return 'warn'
  }
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a).localeCompare(String(b), 'en', {numeric: true})
}

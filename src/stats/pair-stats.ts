import {beatOf, type Beat} from './beat.js'
import {rateOf, recentSummary, type CauseCounts} from './checkpoints.js'
import {summaryOf, type Summary} from './histogram.js'
import type {DiskTraffic, MemberStats, NicTraffic, Tracing} from './member-stats.js'
import {orbitNames, type OrbitNames} from './orbit.js'
import {phases, type PacketCounts, type Phase, type PhaseSeries} from './phases.js'

/** The document of `colo pair stats --json`: both sides as one. */
export interface PairStats {
  readonly pair: string
  readonly atMs: number
  readonly primary: string | undefined
  readonly secondary: string | undefined
  readonly checkpoints: {
    /** since the pair exists on the primary's host, over all sessions */
    readonly total: number
    /** since COLO began */
    readonly session: number
    readonly beganAtMs?: number
    readonly perSecond: number
    readonly divergencePerSecond: number
    readonly causes: CauseCounts
    /** times the primary's agent was not watching */
    readonly gaps: number
    readonly lastAtMs?: number
    readonly intervalMs: number
  }
  /** of the last 128 checkpoints, exact */
  readonly pause?: Summary
  readonly load?: Summary
  /** of all, from the histogram: within 2.2 % */
  readonly pauseEver?: Summary
  readonly loadEver?: Summary
  readonly interval?: Summary
  readonly beat: Beat
  readonly tracing: {readonly primary?: Tracing; readonly secondary?: Tracing}
  readonly phases?: {readonly primary?: PhaseFigures; readonly secondary?: PhaseFigures}
  readonly disks: readonly DiskTraffic[]
  readonly nics: {readonly primary: readonly NicTraffic[]; readonly secondary: readonly NicTraffic[]}
  readonly orbit: OrbitNames
}

export interface PhaseFigures {
  readonly durations: Readonly<Partial<Record<Phase, Summary>>>
  readonly dirtyPages?: {readonly last?: number; readonly mean: number; readonly max: number}
  readonly packets: PacketCounts
}

export interface PairSides {
  readonly pair: string
  readonly primary: MemberStats | undefined
  readonly secondary: MemberStats | undefined
}

/** @returns what both sides counted; what a side that is missing would tell is absent */
export function pairStats({pair, primary, secondary}: PairSides): PairStats {
  const atMs = primary?.atMs ?? secondary?.atMs ?? 0
  const lead = primary ?? secondary
  const series = lead?.series
  const delayMs = lead?.delayMs ?? 0
  const rate = series === undefined ? {perSecond: 0, divergencePerSecond: 0} : rateOf(series, atMs)
  const beganAtMs = series?.beganAtMs
  const lastAtMs = series?.recent.at(-1)?.atMs
  return {
    pair,
    atMs,
    primary: primary?.host,
    secondary: secondary?.host,
    checkpoints: {
      total: series?.total ?? 0,
      session: series?.session ?? 0,
      ...(beganAtMs === undefined ? {} : {beganAtMs}),
      ...rate,
      causes: series?.counts ?? {initial: 0, periodic: 0, divergence: 0, manual: 0},
      gaps: series?.gaps ?? 0,
      ...(lastAtMs === undefined ? {} : {lastAtMs}),
      intervalMs: delayMs,
    },
    ...optional('pause', primary && recentSummary(primary.series)),
    ...optional('load', secondary && recentSummary(secondary.series)),
    ...optional('pauseEver', primary && summaryOf(primary.series.durations)),
    ...optional('loadEver', secondary && summaryOf(secondary.series.durations)),
    ...optional('interval', series && summaryOf(series.intervals)),
    beat: series === undefined ? {expectedMs: 0, silentMs: undefined, dead: false} : beatOf(series, atMs, delayMs),
    tracing: {...optional('primary', primary?.tracing), ...optional('secondary', secondary?.tracing)},
    ...(primary?.phases === undefined && secondary?.phases === undefined
      ? {}
      : {
          phases: {
            ...optional('primary', primary?.phases && phaseFigures(primary.phases)),
            ...optional('secondary', secondary?.phases && phaseFigures(secondary.phases)),
          },
        }),
    disks: lead?.disks ?? [],
    nics: {primary: primary?.nics ?? [], secondary: secondary?.nics ?? []},
    orbit: orbitNames({primary, secondary}),
  }
}

export function phaseFigures(series: PhaseSeries): PhaseFigures {
  const {last, sum, count, max} = series.dirtyPages
  const durations: Partial<Record<Phase, Summary>> = {}
  for (const phase of phases) {
    const summary = summaryOf(series.durations[phase])
    if (summary !== undefined) durations[phase] = summary
  }
  return {
    durations,
    ...(count === 0 ? {} : {dirtyPages: {...optional('last', last), mean: sum / count, max}}),
    packets: series.packets,
  }
}

/** Which side leads: the one in the role of primary; a lone answer without a role counts as such. */
export function sidesOf(pair: string, members: readonly MemberStats[]): PairSides {
  const of = members.filter((member) => member.pair === pair)
  const primaries = of.filter(({role}) => role === 'primary')
  // after a failover the loser may still hold its old role: the one that is in COLO, or counted last, leads
  const primary = primaries.sort((a, b) => lastSign(b) - lastSign(a))[0]
  const secondary = of.find((member) => member !== primary && member.role !== undefined)
  return {pair, primary, secondary}
}

function lastSign({series}: MemberStats): number {
  return (series.colo ? 1e15 : 0) + (series.recent.at(-1)?.atMs ?? 0)
}

function optional<K extends string, V>(key: K, value: V | undefined): {readonly [key in K]?: V} {
  return value === undefined ? {} : ({[key]: value} as {readonly [key in K]?: V})
}

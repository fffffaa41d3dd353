import {addDuration, emptyHistogram, summaryOfList, type Histogram, type Summary} from './histogram.js'

/**
 * Checkpoints of one side, derived from QEMU's plain STOP and RESUME events: no stock build reports them otherwise (facts: QEMU,
 * section 12.1). Pure: every function gives a new value. Times are milliseconds of that host's wall clock, with fractions.
 */

/**
 * Why a checkpoint was made. `initial`: the first since COLO began. `manual`: the agent asked for one. `divergence`: it came before
 * the interval was over, so the comparer asked for it (a mismatch, or an answer the secondary did not give in time). `periodic`: the
 * rest. QEMU does not say; a secondary knows of no request, so causes are those of the primary.
 */
export const causes = ['initial', 'periodic', 'divergence', 'manual'] as const
export type Cause = (typeof causes)[number]
export type CauseCounts = Readonly<Record<Cause, number>>

export type Side = 'primary' | 'secondary'

export interface Checkpoint {
  /** its STOP */
  readonly atMs: number
  /** RESUME - STOP: the guest's pause on the primary, the load on the secondary */
  readonly durationMs: number
  /** since the STOP before; undefined for the first of a session, and after the agent did not watch */
  readonly intervalMs: number | undefined
  readonly cause: Cause
}

/** Causes and pauses of one minute. */
export interface Minute {
  /** whole minutes since 1970 */
  readonly minute: number
  readonly counts: CauseCounts
  readonly pausedMs: number
  readonly longestMs: number
}

export interface Series {
  /** whose checkpoints these are: a secondary's loads and a primary's pauses are never mixed */
  readonly side: Side | undefined
  /** COLO is on, as far as is known */
  readonly colo: boolean
  /** when COLO began this time */
  readonly beganAtMs: number | undefined
  /** completed since then */
  readonly session: number
  /** completed since the pair exists on this host, over all sessions */
  readonly total: number
  readonly counts: CauseCounts
  readonly durations: Histogram
  readonly intervals: Histogram
  /** newest last, at most {@link keptCheckpoints} */
  readonly recent: readonly Checkpoint[]
  /** oldest first, at most {@link keptMinutes}; minutes without checkpoints are absent */
  readonly minutes: readonly Minute[]
  /** times the agent was not watching while COLO was on: what happened then is not in the figures */
  readonly gaps: number
  /** a STOP without RESUME yet */
  readonly open: {readonly atMs: number; readonly intervalMs: number | undefined; readonly cause: Cause} | undefined
  readonly lastStopMs: number | undefined
  readonly requested: boolean
}

export const keptCheckpoints = 128
export const keptMinutes = 120

export const noCauses: CauseCounts = {initial: 0, periodic: 0, divergence: 0, manual: 0}

export const emptySeries: Series = {
  side: undefined,
  colo: false,
  beganAtMs: undefined,
  session: 0,
  total: 0,
  counts: noCauses,
  durations: emptyHistogram,
  intervals: emptyHistogram,
  recent: [],
  minutes: [],
  gaps: 0,
  open: undefined,
  lastStopMs: undefined,
  requested: false,
}

/** What a series is made from. */
export type SeriesInput =
  /** COLO begins on this side: MIGRATION `colo` */
  | {readonly kind: 'begin'; readonly atMs: number; readonly side?: Side | undefined}
  /** COLO ended: COLO_EXIT, or QEMU is gone */
  | {readonly kind: 'end'}
  /** the agent watches again, after a time it did not; `colo` is what QEMU says */
  | {readonly kind: 'blind'; readonly colo: boolean}
  /** the agent asks for a checkpoint: the next one is `manual` */
  | {readonly kind: 'request'}
  | {readonly kind: 'stop'; readonly atMs: number}
  | {readonly kind: 'resume'; readonly atMs: number}

/** @param delayMs  x-checkpoint-delay, by which periodic and divergence are told apart */
export function feed(series: Series, input: SeriesInput, delayMs: number): Series {
  switch (input.kind) {
    case 'begin':
      return {...ofSide(series, input.side), ...closed, colo: true, beganAtMs: input.atMs, session: 0}
    case 'end':
      return {...series, ...closed, colo: false}
    case 'blind':
      return {...series, ...closed, colo: input.colo, gaps: series.gaps + (input.colo ? 1 : 0)}
    case 'request':
      return series.colo ? {...series, requested: true} : series
    case 'stop':
      return stopped(series, input.atMs, delayMs)
    case 'resume':
      return resumed(series, input.atMs)
  }
}

/** In another role the figures begin anew. */
function ofSide(series: Series, side: Side | undefined): Series {
  if (side === undefined || series.side === side) return series
  return series.side === undefined ? {...series, side} : {...emptySeries, side}
}

const closed = {open: undefined, lastStopMs: undefined, requested: false} as const

/** A second STOP (somebody typed `stop`) opens no second checkpoint. */
function stopped(series: Series, atMs: number, delayMs: number): Series {
  if (!series.colo || series.open !== undefined) return series
  const intervalMs = series.lastStopMs === undefined ? undefined : Math.max(0, atMs - series.lastStopMs)
  const cause = causeOf({
    first: series.session === 0 && series.beganAtMs !== undefined,
    requested: series.requested,
    intervalMs,
    delayMs,
  })
  return {...series, open: {atMs, intervalMs, cause}, lastStopMs: atMs, requested: false}
}

/** A RESUME without STOP is COLO's begin, or a `cont`. */
function resumed(series: Series, atMs: number): Series {
  const {open} = series
  if (!series.colo || open === undefined) return series
  const durationMs = Math.max(0, atMs - open.atMs) // the clock may have been set
  return {...addCheckpoint(series, {...open, durationMs}), open: undefined}
}

/** Takes in one completed checkpoint, as readers of a stream do. */
export function addCheckpoint(series: Series, checkpoint: Checkpoint): Series {
  const {cause, durationMs, intervalMs} = checkpoint
  return {
    ...series,
    session: series.session + 1,
    total: series.total + 1,
    counts: oneMore(series.counts, cause),
    durations: addDuration(series.durations, durationMs),
    intervals: intervalMs === undefined ? series.intervals : addDuration(series.intervals, intervalMs),
    recent: [...series.recent.slice(1 - keptCheckpoints), checkpoint],
    minutes: withMinute(series.minutes, checkpoint),
  }
}

/**
 * QEMU sets its timer anew at every trigger, so a STOP that follows the last one by less than the delay was not the timer's. STOP comes
 * after a handshake with the peer whose length varies, hence the tolerance.
 */
export function causeOf(at: {
  readonly first: boolean
  readonly requested: boolean
  readonly intervalMs: number | undefined
  readonly delayMs: number
}): Cause {
  if (at.first) return 'initial'
  if (at.requested) return 'manual'
  const toleranceMs = Math.min(at.delayMs / 2, Math.max(50, at.delayMs / 10))
  return at.intervalMs === undefined || at.intervalMs >= at.delayMs - toleranceMs ? 'periodic' : 'divergence'
}

function oneMore(counts: CauseCounts, cause: Cause): CauseCounts {
  return {...counts, [cause]: counts[cause] + 1}
}

function withMinute(minutes: readonly Minute[], {atMs, durationMs, cause}: Checkpoint): readonly Minute[] {
  const minute = Math.floor(atMs / 60_000)
  const last = minutes.at(-1)
  const same = last !== undefined && last.minute >= minute
  const now = same ? last : {minute, counts: noCauses, pausedMs: 0, longestMs: 0}
  const changed = {
    minute: now.minute,
    counts: oneMore(now.counts, cause),
    pausedMs: now.pausedMs + durationMs,
    longestMs: Math.max(now.longestMs, durationMs),
  }
  return [...(same ? minutes.slice(0, -1) : minutes.slice(1 - keptMinutes)), changed]
}

/** Exact figures of the last checkpoints; asked for more often than there are new ones. */
export function recentSummary({recent}: Series): Summary | undefined {
  const before = summaries.get(recent)
  if (before !== undefined || recent.length === 0) return before
  const summary = summaryOfList(recent.map(({durationMs}) => durationMs))
  if (summary !== undefined) summaries.set(recent, summary)
  return summary
}

const summaries = new WeakMap<readonly Checkpoint[], Summary>()

/**
 * Checkpoints per second over the last `windowMs`, all and by cause. A window longer than what is kept is cut to it, and one that
 * reaches before COLO began to that.
 */
export function rateOf(
  series: Series,
  nowMs: number,
  windowMs = 10_000,
): {readonly perSecond: number; readonly divergencePerSecond: number} {
  const {recent} = series
  const [oldest] = recent
  const full = recent.length >= keptCheckpoints && oldest !== undefined
  const fromMs = Math.max(nowMs - windowMs, full ? oldest.atMs : -Infinity, series.beganAtMs ?? -Infinity)
  const inside = recent.filter(({atMs}) => atMs >= fromMs && atMs <= nowMs)
  const seconds = Math.max(1, (nowMs - fromMs) / 1000)
  return {
    perSecond: inside.length / seconds,
    divergencePerSecond: inside.filter(({cause}) => cause === 'divergence').length / seconds,
  }
}

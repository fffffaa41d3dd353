import {addCheckpoint, type Checkpoint, type Series} from './checkpoints.js'
import type {MemberStats, StatsUpdate} from './member-stats.js'

/**
 * Both ends of a live stream. The agent sends a member whole once, then only completed checkpoints; the reader adds them up by the same
 * functions, so that both have equal figures.
 */

/** What the agent remembers of a member it has sent. */
export interface Sent {
  readonly total: number
  readonly change: string
  readonly openSinceMs: number | undefined
  readonly colo: boolean
  readonly gaps: number
}

/** @returns undefined when there is nothing new */
export function updateOf(now: MemberStats, sent: Sent | undefined): StatsUpdate | undefined {
  const {series, pair, atMs, change} = now
  const fresh = sent === undefined ? undefined : freshOf(series, sent)
  if (
    sent === undefined ||
    fresh === undefined ||
    sent.colo !== series.colo ||
    sent.gaps !== series.gaps ||
    sent.change !== change
  )
    return {pair, atMs, change, whole: now, ...openOf(series)}
  if (fresh.length === 0 && sent.openSinceMs === series.open?.atMs) return undefined
  return {pair, atMs, change, fresh, colo: series.colo, ...openOf(series)}
}

export function sentOf({series, change}: MemberStats): Sent {
  return {total: series.total, change, openSinceMs: series.open?.atMs, colo: series.colo, gaps: series.gaps}
}

/** The reader's side. @returns undefined when something was missed: only a whole one helps then */
export function merged(known: MemberStats | undefined, update: StatsUpdate): MemberStats | undefined {
  if (update.whole !== undefined) return update.whole
  if (known === undefined) return undefined
  const base = (update.fresh ?? []).reduce<Series>(addCheckpoint, known.series)
  const open =
    update.openSinceMs === undefined
      ? undefined
      : {atMs: update.openSinceMs, intervalMs: undefined, cause: 'periodic' as const}
  return {...known, atMs: update.atMs, change: update.change, series: {...base, open, colo: update.colo ?? base.colo}}
}

/** @returns undefined when more were completed than are kept */
function freshOf({total, recent}: Series, sent: Sent): readonly Checkpoint[] | undefined {
  const count = total - sent.total
  if (count < 0 || count > recent.length) return undefined
  return count === 0 ? [] : recent.slice(-count)
}

function openOf({open}: Series): {readonly openSinceMs?: number} {
  return open === undefined ? {} : {openSinceMs: open.atMs}
}

/**
 * Log-linear histogram of durations: 16 buckets per doubling from 0.01 ms on, so a figure read from it is wrong by at most 2.2 %.
 * `counts` is as long as the highest used bucket, so that an idle one costs nothing.
 */
export interface Histogram {
  readonly count: number
  readonly sumMs: number
  readonly minMs: number
  readonly maxMs: number
  readonly counts: readonly number[]
}

/** Figures of many durations, milliseconds. */
export interface Summary {
  readonly count: number
  readonly minMs: number
  readonly maxMs: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

export const emptyHistogram: Histogram = {count: 0, sumMs: 0, minMs: 0, maxMs: 0, counts: []}

const lowestMs = 0.01
const perDoubling = 16
/** about 5 hours; what lasts longer is counted there */
const lastBucket = perDoubling * 31 - 1

export function addDuration(histogram: Histogram, durationMs: number): Histogram {
  const ms = Number.isFinite(durationMs) ? Math.max(0, durationMs) : 0
  const bucket = bucketOf(ms)
  const counts = [...histogram.counts]
  while (counts.length <= bucket) counts.push(0)
  counts[bucket] = (counts[bucket] ?? 0) + 1
  return {
    count: histogram.count + 1,
    sumMs: histogram.sumMs + ms,
    minMs: histogram.count === 0 ? ms : Math.min(histogram.minMs, ms),
    maxMs: Math.max(histogram.maxMs, ms),
    counts,
  }
}

/** @returns undefined for an empty histogram: no figure is better than a zero that was never measured */
export function summaryOf(histogram: Histogram): Summary | undefined {
  const {count, sumMs, minMs, maxMs} = histogram
  if (count === 0) return undefined
  const at = (share: number): number => Math.min(maxMs, Math.max(minMs, valueAt(histogram, share)))
  return {count, minMs, maxMs, meanMs: sumMs / count, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99)}
}

/** Exact figures of a list of durations (nearest rank). */
export function summaryOfList(durationsMs: readonly number[]): Summary | undefined {
  if (durationsMs.length === 0) return undefined
  const sorted = [...durationsMs].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return {
    count: sorted.length,
    minMs: sorted[0] ?? 0,
    maxMs: sorted.at(-1) ?? 0,
    meanMs: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
  }
}

/** The histogram in few bars for people: `[from, to)` in milliseconds by doublings, without empty ones at both ends. */
export function barsOf(histogram: Histogram): ReadonlyArray<{fromMs: number; toMs: number; count: number}> {
  const bars: {fromMs: number; toMs: number; count: number}[] = []
  for (let first = 0; first < histogram.counts.length; first += perDoubling) {
    const count = histogram.counts.slice(first, first + perDoubling).reduce((sum, value) => sum + value, 0)
    if (count === 0 && bars.length === 0) continue
    bars.push({fromMs: lowerEdge(first), toMs: lowerEdge(first + perDoubling), count})
  }
  return bars
}

function bucketOf(ms: number): number {
  if (ms <= lowestMs) return 0
  return Math.min(lastBucket, Math.floor(perDoubling * Math.log2(ms / lowestMs)))
}

function lowerEdge(bucket: number): number {
  return lowestMs * 2 ** (bucket / perDoubling)
}

/** Geometric middle of the bucket that holds the given share of all. */
function valueAt({count, counts}: Histogram, share: number): number {
  const rank = Math.max(1, Math.ceil(share * count))
  let seen = 0
  for (const [bucket, n] of counts.entries()) {
    seen += n
    if (seen >= rank) return lowerEdge(bucket + 0.5)
  }
  return 0
}

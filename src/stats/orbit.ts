import {summaryOf, type Histogram} from './histogram.js'
import type {MemberStats} from './member-stats.js'

/** Least, greatest and mean; milliseconds except for sizes. */
export interface MinMaxAverage {
  readonly min: number
  readonly max: number
  readonly average: number
}

/**
 * The same figures under the names of ORBIT's `COLOCheckpointStats` and `COLOIncomingStats` (orbitfp7/qemu, qapi-schema.json), for who
 * knows them from there. Only what can be known is in it; what needs traces is absent without them.
 *
 * `length` was the time from one checkpoint to the next, `paused` the guest's pause, `size` the bytes of a checkpoint: here the
 * dirty pages the secondary flushed, 4 KiB each.
 */
export interface OrbitNames {
  readonly 'checkpoint-count'?: number
  readonly 'proxy-discompare-count'?: number
  readonly length?: MinMaxAverage
  readonly paused?: MinMaxAverage
  readonly size?: MinMaxAverage
  readonly 'time-wait-received'?: MinMaxAverage
  readonly 'time-wait-loaded'?: MinMaxAverage
  readonly 'time-stop-guest'?: MinMaxAverage
  readonly 'time-flush-ram'?: MinMaxAverage
}

const pageBytes = 4096

export function orbitNames({
  primary,
  secondary,
}: {
  readonly primary: MemberStats | undefined
  readonly secondary: MemberStats | undefined
}): OrbitNames {
  const pages = secondary?.phases?.dirtyPages
  const counted =
    primary === undefined
      ? {}
      : {
          'checkpoint-count': primary.series.total,
          'proxy-discompare-count': primary.series.counts.divergence,
        }
  return {
    ...counted,
    ...named('length', primary?.series.intervals),
    ...named('paused', primary?.series.durations),
    ...(pages === undefined || pages.count === 0
      ? {}
      : {size: {min: 0, max: pages.max * pageBytes, average: (pages.sum / pages.count) * pageBytes}}),
    ...named('time-wait-received', primary?.phases?.durations.transfer),
    ...named('time-wait-loaded', primary?.phases?.durations.load),
    ...named('time-stop-guest', secondary?.series.durations),
    ...named('time-flush-ram', secondary?.phases?.durations.flush),
  }
}

function named<N extends string>(name: N, histogram: Histogram | undefined): {readonly [key in N]?: MinMaxAverage} {
  const summary = histogram === undefined ? undefined : summaryOf(histogram)
  if (summary === undefined) return {}
  const value: MinMaxAverage = {min: summary.minMs, max: summary.maxMs, average: summary.meanMs}
  return {[name]: value} as {readonly [key in N]?: MinMaxAverage}
}

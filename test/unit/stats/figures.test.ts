import fc from 'fast-check'
import * as assert from 'uvu/assert'
import {beatOf} from '../../../src/stats/beat.js'
import {emptySeries, feed} from '../../../src/stats/checkpoints.js'
import {addDuration, barsOf, emptyHistogram, summaryOf, summaryOfList} from '../../../src/stats/histogram.js'
import {pairStats, sidesOf} from '../../../src/stats/pair-stats.js'
import {merged, sentOf, updateOf, type Sent} from '../../../src/stats/stream.js'
import type {MemberStats} from '../../../src/stats/member-stats.js'
import {addSample, transferOf, type TransferSample} from '../../../src/stats/transfer.js'
import {sampleSeries, sampleStats} from '../../support/sample-fleet.js'
import {suite} from '../../support/suite.js'

const test = suite('stats: figures')

test('histogram: within 2.2 % of the exact figure, whatever the durations', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({min: 0.02, max: 60_000, noNaN: true}), {minLength: 1, maxLength: 300}),
      (values) => {
        const made = summaryOf(values.reduce(addDuration, emptyHistogram))
        const exact = summaryOfList(values)
        assert.ok(made !== undefined && exact !== undefined)
        assert.is(made.count, exact.count)
        assert.is(made.maxMs, exact.maxMs)
        for (const key of ['p50Ms', 'p95Ms', 'p99Ms'] as const) {
          assert.ok(Math.abs(made[key] - exact[key]) <= exact[key] * 0.0221, `${key}: ${made[key]} for ${exact[key]}`)
        }
      },
    ),
    {numRuns: 100},
  )
})

test('histogram: no figures of nothing; bars cover all', () => {
  assert.is(summaryOf(emptyHistogram), undefined)
  const bars = barsOf([5, 50, 51, 400].reduce(addDuration, emptyHistogram))
  assert.is(
    bars.reduce((sum, {count}) => sum + count, 0),
    4,
  )
  assert.ok((bars[0]?.fromMs ?? 99) <= 5 && (bars.at(-1)?.toMs ?? 0) >= 400)
})

test('transfer: rate and time left; a new copy begins anew', () => {
  const samples = [0, 1, 2, 3].reduce<readonly TransferSample[]>(
    (all, n) => addSample(all, {atMs: n * 1000, doneBytes: n * 10, totalBytes: 100}),
    [],
  )
  assert.equal(transferOf(samples), {doneBytes: 30, totalBytes: 100, share: 0.3, bytesPerSecond: 10, leftMs: 7000})
  assert.is(addSample(samples, {atMs: 4000, doneBytes: 0, totalBytes: 100}).length, 1)
  assert.is(transferOf([]), undefined)
})

test('beat: dead only after interval, margin and what checkpoints take', () => {
  const series = feed(
    feed(feed(emptySeries, {kind: 'begin', atMs: 0}, 1000), {kind: 'stop', atMs: 1000}, 1000),
    {kind: 'resume', atMs: 1100},
    1000,
  )
  assert.is(beatOf(series, 4000, 1000).dead, false)
  assert.is(beatOf(series, 5400, 1000).dead, true)
  assert.is(beatOf(feed(series, {kind: 'end'}, 1000), 60_000, 1000).silentMs, undefined)
})

test('stream: a reader that adds up the updates has the figures of the agent, however they are cut', () => {
  const whole = sampleSeries(40, 'primary', 300)
  fc.assert(
    fc.property(fc.array(fc.integer({min: 0, max: 200}), {minLength: 1, maxLength: 8}), (cuts) => {
      let sent: Sent | undefined
      let known: MemberStats | undefined
      let series = {...emptySeries, side: 'primary' as const, colo: true, beganAtMs: whole.beganAtMs}
      let next = 0
      const feedSome = (count: number): void => {
        for (let n = 0; n < count; n++) {
          const at = next++ * 1000
          series = feed(
            feed(series, {kind: 'stop', atMs: at}, 1000),
            {kind: 'resume', atMs: at + 30 + (next % 7)},
            1000,
          ) as typeof series
        }
      }
      for (const cut of cuts) {
        feedSome(cut)
        const now = {...sampleStats('web1', 'primary', 1), series}
        const update = updateOf(now, sent)
        if (update === undefined) continue
        sent = sentOf(now)
        known = merged(known, JSON.parse(JSON.stringify(update)) as typeof update)
      }
      assert.is(known?.series.total, series.total)
      assert.equal(known?.series.durations, series.durations)
      assert.equal(known?.series.counts, series.counts)
    }),
    {numRuns: 40},
  )
})

test('both sides as one: pauses of the primary, loads of the secondary, ORBIT names', () => {
  const stats = pairStats(sidesOf('web1', [sampleStats('web1', 'secondary', 12), sampleStats('web1', 'primary', 30)]))
  assert.is(stats.primary, 'alpha')
  assert.is(stats.secondary, 'beta')
  assert.ok((stats.pause?.p50Ms ?? 0) > (stats.load?.p50Ms ?? 99))
  assert.is(stats.orbit['checkpoint-count'], 600)
  assert.is(stats.orbit['proxy-discompare-count'], stats.checkpoints.causes.divergence)
  assert.is(stats.orbit.paused?.max, stats.pauseEver?.maxMs)
})

test.run()

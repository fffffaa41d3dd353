import fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  addCheckpoint,
  causeOf,
  emptySeries,
  feed,
  keptCheckpoints,
  keptMinutes,
  rateOf,
  recentSummary,
  type Series,
  type SeriesInput,
} from '../../../src/stats/checkpoints.js'
import {suite} from '../../support/suite.js'

const test = suite('stats: checkpoints')

const stop = (atMs: number): SeriesInput => ({kind: 'stop', atMs})
const resume = (atMs: number): SeriesInput => ({kind: 'resume', atMs})
const begin: SeriesInput = {kind: 'begin', atMs: 0, side: 'primary'}

function run(inputs: readonly SeriesInput[], delayMs = 1000): Series {
  return inputs.reduce((series, input) => feed(series, input, delayMs), emptySeries)
}

test('COLO begins with a RESUME of its own, which is no checkpoint; then STOP and RESUME are one', () => {
  const series = run([begin, resume(1), stop(100), resume(145.5)])
  assert.is(series.session, 1)
  assert.is(series.recent[0]?.durationMs, 45.5)
  assert.is(series.recent[0]?.intervalMs, undefined)
})

test('causes: the first, one asked for, one before its time, one in time', () => {
  const series = run([
    begin,
    stop(100),
    resume(110),
    stop(400),
    resume(410),
    stop(1400),
    resume(1410),
    {kind: 'request'},
    stop(1500),
    resume(1510),
  ])
  assert.equal(
    series.recent.map(({cause}) => cause),
    ['initial', 'divergence', 'periodic', 'manual'],
  )
  assert.equal(series.counts, {initial: 1, periodic: 1, divergence: 1, manual: 1})
})

test('a request while a checkpoint is under way makes the next one manual', () => {
  const series = run([
    begin,
    stop(100),
    resume(110),
    stop(1100),
    {kind: 'request'},
    resume(1110),
    stop(1111),
    resume(1120),
  ])
  assert.equal(
    series.recent.map(({cause}) => cause),
    ['initial', 'periodic', 'manual'],
  )
})

test('the handshake before STOP varies: a little early is still periodic', () => {
  const of = (intervalMs: number, delayMs: number) => causeOf({first: false, requested: false, intervalMs, delayMs})
  assert.is(of(950, 1000), 'periodic')
  assert.is(of(899, 1000), 'divergence')
  assert.is(of(26, 50), 'periodic')
  assert.is(of(24, 50), 'divergence')
})

test('outside COLO nothing counts; a stop somebody typed opens no second checkpoint', () => {
  assert.is(run([stop(1), resume(2)]).total, 0)
  const series = run([begin, stop(100), stop(150), resume(160)])
  assert.is(series.total, 1)
  assert.is(series.recent[0]?.durationMs, 60)
})

test('a new session keeps the total; what the agent did not see leaves a gap, and no interval across it', () => {
  const series = run([
    begin,
    stop(100),
    resume(110),
    {kind: 'end'},
    stop(200),
    resume(210),
    begin,
    stop(300),
    resume(310),
    {kind: 'blind', colo: true},
    stop(5000),
    resume(5010),
  ])
  assert.is(series.total, 3)
  assert.is(series.session, 2)
  assert.is(series.gaps, 1)
  assert.is(series.recent.at(-1)?.intervalMs, undefined)
})

test('a copy in another role begins anew: loads and pauses are never mixed', () => {
  const series = run([{kind: 'begin', atMs: 0, side: 'secondary'}, stop(1), resume(9), begin, stop(100), resume(145)])
  assert.is(series.total, 1)
  assert.is(series.durations.minMs, 45)
})

test('rates: over ten seconds, or since COLO began', () => {
  const inputs = [begin, ...Array.from({length: 20}, (_, n) => [stop(n * 500 + 400), resume(n * 500 + 420)]).flat()]
  const series = run(inputs)
  assert.is(rateOf(series, 10_000).perSecond, 2)
  assert.is(rateOf(run(inputs.slice(0, 9)), 2000).perSecond, 2)
  assert.is(rateOf(series, 60_000).perSecond, 0)
})

test('bounded, whatever happens: counts add up and nothing grows', () => {
  const input = fc.oneof(
    fc.record({kind: fc.constant('stop' as const), atMs: fc.double({min: 0, max: 1e9, noNaN: true})}),
    fc.record({kind: fc.constant('resume' as const), atMs: fc.double({min: 0, max: 1e9, noNaN: true})}),
    fc.constantFrom<SeriesInput>(
      begin,
      {kind: 'end'},
      {kind: 'request'},
      {kind: 'blind', colo: true},
      {kind: 'blind', colo: false},
    ),
  )
  fc.assert(
    fc.property(fc.array(input, {maxLength: 600}), (inputs) => {
      const series = run([begin, ...inputs])
      const {counts, total, recent, minutes, durations} = series
      assert.is(counts.initial + counts.periodic + counts.divergence + counts.manual, total)
      assert.is(durations.count, total)
      assert.ok(recent.length <= keptCheckpoints && minutes.length <= keptMinutes)
      assert.ok(recent.every(({durationMs}) => durationMs >= 0))
      if (total > 0) assert.ok((recentSummary(series)?.p99Ms ?? -1) >= (recentSummary(series)?.p50Ms ?? 0))
    }),
    {numRuns: 60},
  )
})

test('minutes: one entry each, the oldest goes', () => {
  let series = run([begin])
  for (let n = 0; n < 300; n++)
    series = addCheckpoint(series, {atMs: n * 60_000, durationMs: 5, intervalMs: undefined, cause: 'periodic'})
  assert.is(series.minutes.length, keptMinutes)
  assert.is(series.minutes.at(-1)?.minute, 299)
})

test.run()

import assert from 'node:assert/strict'
import {formatBytes, formatRate, formatTransfer} from '../../../src/ui/bytes.js'
import {formatAge, formatClock, formatDuration} from '../../../src/ui/time.js'
import {renderTimeline} from '../../../src/ui/timeline.js'
import {suite} from '../../support/suite.js'

const test = suite('bytes and times')

test('bytes', () => {
  const cases: ReadonlyArray<readonly [number, string]> = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [13_107_200, '12.5 MiB'],
    [20 * 1024 ** 3, '20 GiB'],
    [1024 ** 3 - 1, '1 GiB'],
    [150.4 * 1024 ** 2, '150 MiB'],
    [5000 * 1024 ** 5, '5000 PiB'],
    [-1, '?'],
    [Number.NaN, '?'],
  ]
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text)
})

test('rates and transfers', () => {
  assert.equal(formatRate(30 * 1024 ** 2, 1000), '30 MiB/s')
  assert.equal(formatRate(1, 0), '')
  assert.equal(formatTransfer(13_107_200, 67_108_864, '30 MiB/s'), '12.5 MiB of 64 MiB (19 %), 30 MiB/s')
  assert.equal(formatTransfer(1024, undefined, ''), '1 KiB')
  assert.equal(formatTransfer(70, 60, ''), '70 B of 60 B (100 %)')
})

test('durations', () => {
  const cases: ReadonlyArray<readonly [number, string]> = [
    [-5, '0 ms'],
    [85.4, '85 ms'],
    [1000, '1.0 s'],
    [59_949, '59.9 s'],
    [59_990, '1 min 00 s'],
    [125_000, '2 min 05 s'],
    [3_600_000 * 3 + 600_000, '3 h 10 min'],
    [86_400_000 * 4 + 7_200_000, '4 d 2 h'],
  ]
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
})

test('moments', () => {
  assert.equal(formatClock(Date.UTC(2026, 10, 20, 10, 48, 3, 120)), '10:48:03.120')
  assert.equal(formatAge(undefined, 5), 'never')
  assert.equal(formatAge(1000, 2500), '1.5 s ago')
})

test('a timeline', () => {
  assert.equal(renderTimeline([]), '')
  const startMs = Date.UTC(2026, 10, 20, 10, 48, 3, 0)
  assert.equal(
    renderTimeline([
      {atMs: startMs + 3, host: 'beta', step: 'yank', state: 'done', tookMs: 3},
      {atMs: startMs + 1503, host: 'alpha', step: 'fence the tap', state: 'unchanged', tookMs: 1500},
    ]),
    [
      'ENDED (UTC)   AFTER   TOOK  HOST   STATE      STEP',
      '10:48:03.003   3 ms   3 ms  beta   done       yank',
      '10:48:04.503  1.5 s  1.5 s  alpha  unchanged  fence the tap',
    ].join('\n'),
  )
})

test.run()

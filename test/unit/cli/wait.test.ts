import assert from 'node:assert/strict'
import {waitForState, type WaitOptions} from '../../../src/cli/wait.js'
import {InterruptedError, NotFoundError, TimedOutError, UnreachableError} from '../../../src/errors.js'
import type {Clock} from '../../../src/os/clock.js'
import {assess} from '../../../src/pair/assess.js'
import type {PairState, PairStatus} from '../../../src/pair/status.js'
import {suite} from '../../support/suite.js'

const test = suite('wait')

/** Time passes only by sleeping. */
function fakeClock(): Clock & {slept: number[]} {
  let nowMs = 0
  const slept: number[] = []
  return {
    slept,
    now: () => nowMs,
    monotonic: () => nowMs,
    sleep: async (ms) => {
      slept.push(ms)
      nowMs += ms
    },
  }
}

const status = (state: PairState): PairStatus => ({...assess('web1', [], 0), state, reasons: []})
const waiting = (looks: ReadonlyArray<PairState | Error>, change: Partial<WaitOptions> = {}): WaitOptions => {
  let look = 0
  return {
    pair: 'web1',
    states: ['protected'],
    timeoutMs: 1000,
    pollMs: 300,
    clock: fakeClock(),
    signal: new AbortController().signal,
    observe: async () => {
      const seen = looks[Math.min(look++, looks.length - 1)]
      if (seen instanceof Error) throw seen
      return status(seen ?? 'failed')
    },
    ...change,
  }
}

test('looks again until the state is there', async () => {
  const clock = fakeClock()
  const result = await waitForState(waiting(['syncing', 'syncing', 'protected'], {clock}))
  assert.deepEqual([result.state, result.waitedMs, clock.slept], ['protected', 600, [300, 300]])
})

test('the last look is at the limit, not before', async () => {
  const clock = fakeClock()
  await assert.rejects(waitForState(waiting(['syncing'], {clock})), (error: unknown) => {
    assert.ok(error instanceof TimedOutError)
    assert.equal(error.message, 'web1 is not protected after 1.0 s: it is syncing')
    assert.equal(error.waitedMs, 1000)
    return true
  })
  assert.deepEqual(clock.slept, [300, 300, 300, 100])
})

test('hosts that do not answer are waited for; the message says so at the end', async () => {
  const silent = new UnreachableError('alpha', 'no answer from alpha')
  assert.equal((await waitForState(waiting([silent, silent, 'protected']))).state, 'protected')
  await assert.rejects(waitForState(waiting([silent])), /web1 is not protected after 1\.0 s: no answer from alpha/)
})

test('a pair that is not there: an error at once, unless gone is what was asked for', async () => {
  const gone = new NotFoundError('no such pair')
  await assert.rejects(waitForState(waiting([gone])), {code: 'not-found'})
  assert.deepEqual(await waitForState(waiting(['protected', gone], {states: ['gone']})), {
    pair: 'web1',
    state: 'gone',
    waitedMs: 300,
  })
})

test('an interrupt ends it, and so does any other error', async () => {
  const controller = new AbortController()
  controller.abort(new InterruptedError('interrupted by SIGINT'))
  await assert.rejects(waitForState(waiting(['syncing'], {signal: controller.signal})), {code: 'interrupted'})
  await assert.rejects(waitForState(waiting([new TypeError('a bug')])), TypeError)
})

test.run()

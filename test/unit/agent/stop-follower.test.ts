import assert from 'node:assert/strict'
import {StateError} from '../../../src/errors.js'
import {StopFollower} from '../../../src/agent/stop-follower.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('a guest that is to power off')

/** The agent of a primary; time passes when `at` is called. */
function follower({alone}: {readonly alone: boolean}) {
  let nowMs = 0
  let absent = false
  const made = new StopFollower({
    pair: 'web1',
    clock: {
      now: () => nowMs,
      monotonic: () => nowMs,
      sleep: async (_: number, signal?: AbortSignal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
        }),
    },
    records: {current: {...recordOf('primary'), clean: false, alone}},
    peerAbsent: () => absent,
  } as never)
  const at = (ms: number, peer: 'there' | 'absent'): void => {
    nowMs = ms
    absent = peer === 'absent'
    made.tick(undefined)
  }
  return {made, at}
}

test('its secondary ends before it is off: nobody waits for the whole limit, and the way out is told', async () => {
  const {made, at} = follower({alone: false})
  const stopped = made.stopped(120_000, new AbortController().signal)
  at(1000, 'absent')
  at(3000, 'there') // it is back: another one
  at(4000, 'absent')
  at(5000, 'absent')
  at(7500, 'absent')
  await assert.rejects(stopped, (error: StateError) => {
    assert.ok(error instanceof StateError)
    assert.match(error.message, /on beta ended before the guest was off/)
    assert.match(error.hint ?? '', /colo pair failover web1 --to alpha && colo pair stop web1/)
    return true
  })
})

test('one that goes on alone has no secondary to wait for', async () => {
  const {made, at} = follower({alone: true})
  const end = new AbortController()
  const stopped = made.stopped(120_000, end.signal)
  for (let ms = 0; ms < 20_000; ms += 1000) at(ms, 'absent')
  end.abort(new Error('enough'))
  await assert.rejects(stopped, /enough/)
})

test.run()

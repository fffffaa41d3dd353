import assert from 'node:assert/strict'
import {StateError} from '../../../src/errors.js'
import {StopFollower} from '../../../src/agent/stop-follower.js'
import type {QmpSession} from '../../../src/qmp/session.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('a guest that is to power off')

/** The agent of a primary; time passes when `at` is called. */
function follower({alone}: {readonly alone: boolean}) {
  let nowMs = 0
  let absent = false
  let work: Promise<unknown> = Promise.resolve()
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
    background: (promise: Promise<unknown>) => {
      work = promise
    },
  } as never)
  const at = async (ms: number, peer: 'there' | 'absent', status: 'colo' | 'running' = 'colo'): Promise<void> => {
    nowMs = ms
    absent = peer === 'absent'
    const execute = async (): Promise<unknown> => ({status, running: status === 'running'})
    made.tick({execute} as unknown as QmpSession)
    await work
  }
  return {made, at}
}

test('its secondary ends in a checkpoint before it is off: nobody waits for the whole limit, and the way out is told', async () => {
  const {made, at} = follower({alone: false})
  const stopped = made.stopped(120_000, new AbortController().signal)
  await at(1000, 'absent')
  await at(3000, 'there') // it is back: another one
  await at(4000, 'absent')
  await at(5000, 'absent', 'running') // it goes on
  await at(6000, 'absent')
  await at(9500, 'absent')
  await assert.rejects(stopped, (error: StateError) => {
    assert.ok(error instanceof StateError)
    assert.match(error.message, /on beta ended in a checkpoint before the guest was off/)
    assert.match(error.hint ?? '', /colo pair failover web1 --to alpha && colo pair stop web1/)
    return true
  })
})

test('the next stop, after it was protected again, begins to look anew', async () => {
  const {made, at} = follower({alone: false})
  const first = made.stopped(120_000, new AbortController().signal)
  await at(1000, 'absent')
  await at(5000, 'absent')
  await assert.rejects(first, /ended in a checkpoint/)
  await at(60_000, 'there', 'running')
  const end = new AbortController()
  const next = made.stopped(120_000, end.signal)
  await at(61_000, 'there', 'running')
  end.abort(new Error('enough'))
  await assert.rejects(next, /enough/)
})

test('one that goes on alone has no secondary to wait for, and one that still runs powers off without it', async () => {
  for (const [alone, status] of [
    [true, 'colo'],
    [false, 'running'],
  ] as const) {
    const {made, at} = follower({alone})
    const end = new AbortController()
    const stopped = made.stopped(120_000, end.signal)
    for (let ms = 0; ms < 20_000; ms += 1000) await at(ms, 'absent', status)
    end.abort(new Error('enough'))
    await assert.rejects(stopped, /enough/)
  }
})

test.run()

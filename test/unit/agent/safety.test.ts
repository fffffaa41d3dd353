import assert from 'node:assert/strict'
import {Checkpoints} from '../../../src/agent/checkpoints.js'
import {CommitFollower} from '../../../src/agent/commit-follower.js'
import type {Clock} from '../../../src/os/clock.js'
import {layoutOf} from '../../../src/pair/layout.js'
import {beatFaults} from '../../../src/pair/health/protection.js'
import {QmpTimeoutError} from '../../../src/qmp/errors.js'
import {memberOf, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {FakeClock, FakeSession} from '../actions/fake-vm.js'

const test = suite('agent: what must not be believed, or given up')

test('a clock that is set back does not make an old checkpoint young (S7)', () => {
  let wallMs = 5_000_000
  let monotonicMs = 1000
  const clock: Clock = {now: () => wallMs, monotonic: () => monotonicMs, sleep: () => Promise.resolve()}
  const checkpoints = new Checkpoints('web1', clock)
  checkpoints.begin()
  checkpoints.stopped(wallMs - 40)
  checkpoints.resumed(wallMs)
  assert.equal(checkpoints.observation().lastAtMs, 5_000_000)
  monotonicMs += 60_000
  wallMs += 60_000 - 3_600_000
  const member = memberOf('primary', {atMs: wallMs, checkpoints: checkpoints.observation()})
  assert.deepEqual(
    beatFaults(specOf(), member).map(({code}) => code),
    ['no-beat'],
  )
})

test('the commit is followed to its end although QEMU answers late, or the record cannot be written at first', async () => {
  const clock = new FakeClock()
  const session = new FakeSession(clock)
  const names = layoutOf(specOf()).disks.map(({quorum}) => quorum)
  session.on({
    'query-colo-status': () => ({mode: 'none', 'last-mode': 'secondary', reason: 'request'}),
    'x-debug-query-block-graph': () => ({
      nodes: names.map((name, id) => ({id, name, type: 'block-driver'})),
      edges: [],
    }),
  })
  let asked = 0
  let written = 0
  const problems: string[] = []
  const done = new Promise<void>((resolve) => {
    const follower = new CommitFollower({
      clock,
      qmp: () => {
        if (++asked <= 2) return Promise.reject(new QmpTimeoutError('agent.qmp', 'query-status', 2000))
        return Promise.resolve(session)
      },
      disks: () => layoutOf(specOf()).disks,
      onDone: () => {
        if (++written === 1) return Promise.reject(new Error('no space left on device'))
        resolve()
        return Promise.resolve()
      },
      onProblem: (text) => problems.push(text),
    })
    follower.start()
  })
  await done
  assert.equal(problems.length, 1, problems.join('; '))
})

test.run()

import assert from 'node:assert/strict'
import {Checkpoints} from '../../../src/agent/checkpoints.js'
import {CommitFollower} from '../../../src/agent/commit-follower.js'
import type {Clock} from '../../../src/os/clock.js'
import {nextGeneration} from '../../../src/pair/generation.js'
import {identityOf} from '../../../src/pair/identity.js'
import {layoutOf} from '../../../src/pair/layout.js'
import {beatFaults} from '../../../src/pair/health/protection.js'
import {planStart} from '../../../src/plan/start.js'
import {QmpTimeoutError} from '../../../src/qmp/errors.js'
import {memberOf, recordOf, specOf} from '../../support/pair-fixtures.js'
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
      onProgress: () => Promise.resolve(),
      onDone: () => {
        if (++written === 1) return Promise.reject(new Error('no space left on device'))
        resolve()
        return Promise.resolve()
      },
      onProblem: (text) => problems.push(text),
    })
    void follower.start()
  })
  await done
  assert.equal(problems.length, 1, problems.join('; '))
})

test('a disk whose overlays have left the chain is noted while the others go on: they must not be merged again', async () => {
  const clock = new FakeClock()
  const session = new FakeSession(clock)
  const {disks} = layoutOf(specOf())
  let left = disks.flatMap(({active}) => [active])
  session.on({
    'query-colo-status': () => ({mode: 'none', 'last-mode': 'secondary', reason: 'request'}),
    'x-debug-query-block-graph': () => {
      const names = [...disks.map(({quorum}) => quorum), ...left]
      const nodes = names.map((name, id) => ({id, name, type: 'block-driver'}))
      const edges = nodes
        .slice(disks.length)
        .map(({id}) => ({parent: 0, child: id, name: 'file', perm: [], 'shared-perm': []}))
      return {nodes, edges}
    },
  })
  const told: string[][] = []
  await new Promise<void>((resolve) => {
    const follower = new CommitFollower({
      clock,
      qmp: () => Promise.resolve(session),
      disks: () => disks,
      onProgress: (names) => {
        told.push([...names])
        left = []
        return Promise.resolve()
      },
      onDone: () => Promise.resolve(resolve()),
      onProblem: (text) => assert.fail(text),
    })
    clock.onPass = () => {
      left = left.slice(-1) // the first disk is merged
    }
    void follower.start()
  })
  assert.deepEqual(told, [disks.slice(-1).map(({spec}) => spec.name)])
})

test('a commit that was over before anybody followed it is noted before the step that follows it is done', async () => {
  const clock = new FakeClock()
  const session = new FakeSession(clock)
  const {disks} = layoutOf(specOf())
  let graphs = 0
  session.on({
    'query-colo-status': () => ({mode: 'none', 'last-mode': 'secondary', reason: 'request'}),
    'x-debug-query-block-graph': () => {
      graphs++
      return {nodes: disks.map(({quorum}, id) => ({id, name: quorum, type: 'block-driver'})), edges: []}
    },
  })
  const noted: string[] = []
  const follower = new CommitFollower({
    clock,
    qmp: () => Promise.resolve(session),
    disks: () => disks,
    onProgress: () => Promise.resolve(),
    onDone: async () => {
      await clock.sleep(5)
      noted.push('done')
    },
    onProblem: (text) => assert.fail(text),
  })
  await follower.start()
  assert.deepEqual(noted, ['done'])
  assert.ok(graphs > 0)
  // somebody who comes when nothing is followed any more is not kept waiting
  await follower.start()
})

test('a start merges the overlays of the disks that still need it only', () => {
  const record = recordOf('primary')
  const plan = planStart({
    accepted: [],
    planId: 'p',
    identity: identityOf(record),
    host: 'alpha',
    peer: 'beta',
    generation: nextGeneration(record.generation, 'gen-2'),
    mergeOverlays: true,
    unmerged: [specOf().disks.at(-1)?.name ?? ''],
    xml: () => '<domain/>',
  })
  const merged = plan.steps.flatMap(({actions}) => actions).filter(({kind}) => kind === 'overlays-merge')
  assert.equal(merged.length, 1)
})

test.run()

import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import {QmpTimeoutError} from '../../../src/qmp/errors.js'
import {suite} from '../../support/suite.js'
import {world, type World} from './context.js'

const test = suite('actions: mirrors')

const disks = [0, 1].map((index) => ({job: `resync${index}`, quorum: `colo-disk${index}`, target: `nbd${index}`}))
const start = {kind: 'mirrors', disks, timeoutMs: 60_000} as const
const finish = {kind: 'mirrors-finish', disks} as const

function withJobs(...statuses: readonly string[]): World {
  const made = world()
  for (const [index, {job, quorum, target}] of disks.entries()) {
    made.model.nodes.add(target)
    const status = statuses[index]
    if (status !== undefined) made.model.jobs.set(job, {id: job, status, device: quorum, target})
  }
  return made
}

test('all disks are copied, with the bytes of all together', async () => {
  const {context, session, notes} = withJobs()
  await performAction(start, context)
  assert.deepEqual(session.changes, ['blockdev-mirror', 'blockdev-mirror'])
  assert.deepEqual(notes, ['2 disks: 20 of 200', '2 disks: 200 of 200'])
})

test('a job that fails ends the wait with its own text', async () => {
  const {context, model, clock} = withJobs()
  clock.onPass = () => Object.assign(model.jobs.get('resync1') ?? {}, {status: 'concluded', error: 'No space left'})
  await assert.rejects(
    () => performAction(start, context),
    /mirror resync1 of colo-disk1 to nbd1 failed: No space left/,
  )
})

test('a job that was dismissed by somebody else is a failure', async () => {
  const {context, model, clock} = withJobs()
  clock.onPass = () => model.jobs.delete('resync0')
  await assert.rejects(() => performAction(start, context), /its job is gone/)
})

test('one that is never ready times out and says what it waited for', async () => {
  const {context, clock} = withJobs()
  clock.onPass = () => undefined
  await assert.rejects(() => performAction(start, context), /waited 60 s for colo-disk0, colo-disk1 to be copied/)
})

test('a job that concluded while the guest ran on is started anew', async () => {
  const {context, session} = withJobs('concluded', 'ready')
  assert.equal(await performAction(start, context), 'changed')
  assert.deepEqual(session.changes, ['job-dismiss', 'blockdev-mirror'])
})

test('an abort ends the wait and leaves the jobs to the undo', async () => {
  const {context, clock, abort, model} = withJobs()
  clock.onPass = () => {
    abort.abort(new Error('gone'))
  }
  await assert.rejects(() => performAction(start, context), /gone/)
  assert.equal(model.jobs.size, 2)
})

test('finish: every disk joins its quorum while the guest stands still', async () => {
  const {context, model, session, notes} = withJobs('ready', 'standby')
  await performAction(finish, context)
  assert.deepEqual(session.changes, [
    'stop',
    'block-job-cancel',
    'block-job-cancel',
    'x-blockdev-change',
    'x-blockdev-change',
    'job-dismiss',
    'job-dismiss',
    'cont',
  ])
  assert.equal(model.children.get('colo-disk1')?.get('children.1'), 'nbd1')
  assert.deepEqual(notes, ['the guest stood still for 200 ms'])
})

test('finish: a guest that never ran is not started', async () => {
  const {context, model, session} = withJobs('ready', 'ready')
  Object.assign(model, {running: false, status: 'prelaunch'})
  await performAction(finish, context)
  assert.ok(!session.changes.includes('cont') && !session.changes.includes('stop'))
})

// cut off after each command that changes something, then run again
for (let last = 1; last <= 8; last++) {
  test(`finish: run again after it was cut off behind command ${last}`, async () => {
    const {context, model, session} = withJobs('ready', 'ready')
    const execute = session.execute.bind(session)
    session.execute = (...call) => {
      if (session.changes.length === last) return Promise.reject(new Error('cut off'))
      return execute(...call)
    }
    await performAction(finish, context).catch(() => undefined)
    session.execute = execute
    await performAction(finish, context)
    assert.deepEqual(
      ['colo-disk0', 'colo-disk1'].map((quorum) => model.children.get(quorum)?.get('children.1')),
      ['nbd0', 'nbd1'],
    )
    assert.deepEqual([model.jobs.size, model.running], [0, true])
    assert.equal(await performAction(finish, context), 'unchanged')
  })
}

for (const statuses of [['running', 'ready'], ['ready'], ['concluded', 'ready']]) {
  test(`finish: ${statuses.join(', ')} is refused before the guest is stopped`, async () => {
    const {context, session} = withJobs(...statuses)
    await assert.rejects(() => performAction(finish, context))
    assert.deepEqual(session.changes, [])
  })
}

test('finish: an error in the middle lets the guest go on first', async () => {
  const {context, model, session} = withJobs('ready', 'ready')
  session.on({
    'x-blockdev-change': () => {
      throw new Error('no')
    },
  })
  await assert.rejects(() => performAction(finish, context), /no/)
  assert.equal(model.running, true)
  assert.equal(session.changes.at(-1), 'cont')
})

test('finish: a hung peer is cut off, so that the guest goes on', async () => {
  const {context, model, session, yankSession, clock} = withJobs('ready', 'ready')
  clock.onPass = () => undefined
  model.yankable = [
    {type: 'block-node', 'node-name': 'nbd1'},
    {type: 'chardev', id: 'compat_monitor0'},
  ]
  await assert.rejects(() => performAction(finish, context), /waited 5 s for the mirrors of colo-disk0, colo-disk1 to/)
  assert.deepEqual(yankSession.sent.at(-1), {
    command: 'yank',
    args: {instances: [{type: 'block-node', 'node-name': 'nbd1'}]},
    oob: true,
  })
  assert.equal(model.running, true)
  assert.equal(session.changes.at(-1), 'cont')
})

test('finish: a stop that is not answered cuts the peer off, too', async () => {
  const {context, model, session, yankSession} = withJobs('ready', 'ready')
  model.yankable = [{type: 'block-node', 'node-name': 'nbd0'}]
  session.on({
    stop: () => {
      throw new QmpTimeoutError('agent.qmp', 'stop', 10_000)
    },
  })
  await assert.rejects(() => performAction(finish, context), QmpTimeoutError)
  assert.deepEqual(yankSession.changes, ['yank'])
  assert.equal(session.changes.at(-1), 'cont')
})

test('abort: jobs in any state are gone after it', async () => {
  const {context, model} = withJobs('running', 'concluded')
  await performAction({kind: 'mirrors-abort', disks}, context)
  assert.equal(model.jobs.size, 0)
})

test.run()

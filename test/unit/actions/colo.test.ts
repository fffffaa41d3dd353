import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import {suite} from '../../support/suite.js'
import {Refusal} from './fake-vm.js'
import {world} from './context.js'

const test = suite('actions: colo')

test('capabilities: QEMU 11 refuses COLO alone and gets it with return-path', async () => {
  const {context, model, session} = world()
  await performAction({kind: 'colo-capabilities', side: 'primary'}, context)
  assert.deepEqual(model.capabilities, {
    'x-colo': true,
    'return-path': true,
    events: true,
    multifd: false,
    'pause-before-switchover': true,
  })
  assert.equal(session.changes.length, 2)
})

test('capabilities: QEMU 7.2 gets neither return-path nor the pause', async () => {
  const {context, model} = world({version: {major: 7, minor: 2, micro: 22}})
  model.wantsReturnPath = false
  model.capabilities['return-path'] = true // left on by somebody: it would break the migration
  await performAction({kind: 'colo-capabilities', side: 'primary'}, context)
  assert.deepEqual([model.capabilities['return-path'], model.capabilities['pause-before-switchover']], [false, false])
})

test('capabilities: refused both ways, both texts are told', async () => {
  const {context, session} = world()
  session.on({
    'migrate-set-capabilities': () => {
      throw new Refusal('COLO is not compiled in')
    },
  })
  await assert.rejects(
    () => performAction({kind: 'colo-capabilities', side: 'secondary'}, context),
    /refuses COLO: COLO is not compiled in; with return-path: COLO is not compiled in/,
  )
})

test('incoming: what QEMU 7.2 and 11.1 tell of an open one', async () => {
  const answers = [{'socket-address': []}, {status: 'setup'}, {status: 'colo'}]
  for (const answer of answers) {
    const {context, model, session} = world()
    model.migration = answer
    assert.equal(await performAction({kind: 'incoming', address: '10.88.0.2', port: 9101}, context), 'unchanged')
    assert.deepEqual(session.changes, [])
  }
})

test('yank: exactly the named instances that exist, out of band', async () => {
  const {context, model, yankSession, calls} = world()
  model.yankable = [
    {type: 'chardev', id: 'compat_monitor0'},
    {type: 'chardev', id: 'nic0-mirror-link'},
    {type: 'block-node', 'node-name': 'nbd0'},
    {type: 'migration'},
  ]
  await performAction(
    {
      kind: 'yank',
      instances: [
        {type: 'block-node', 'node-name': 'nbd0'},
        {type: 'chardev', id: 'nic0-mirror-link'},
        {type: 'chardev', id: 'nic0-compare-link'},
      ],
    },
    context,
  )
  assert.deepEqual(yankSession.sent.at(-1), {
    command: 'yank',
    args: {
      instances: [
        {type: 'block-node', 'node-name': 'nbd0'},
        {type: 'chardev', id: 'nic0-mirror-link'},
      ],
    },
    oob: true,
  })
  assert.ok(yankSession.sent.every(({oob}) => oob))
  assert.deepEqual(calls, ['endProtection'])
})

test('yank: an instance that ends between question and command is asked for again', async () => {
  const {context, model, yankSession} = world()
  model.yankable = [{type: 'migration'}, {type: 'chardev', id: 'c'}]
  let calls = 0
  yankSession.on({
    yank: () => {
      if (++calls > 1) return
      model.yankable = [{type: 'chardev', id: 'c'}]
      throw new Refusal('Instance not found', 'DeviceNotFound')
    },
  })
  const instances = [{type: 'migration'}, {type: 'chardev', id: 'c'}] as const
  assert.equal(await performAction({kind: 'yank', instances}, context), 'changed')
  assert.equal(calls, 2)
})

test('lost-heartbeat: waits until the mode is none and the guest runs', async () => {
  const {context, model, clock, calls, session} = world()
  model.colo = {mode: 'secondary', 'last-mode': 'none', reason: 'none'}
  Object.assign(model, {running: false, status: 'paused'})
  clock.onPass = () => {
    if (clock.atMs >= 400) Object.assign(model, {running: true, status: 'running'})
  }
  assert.equal(await performAction({kind: 'lost-heartbeat'}, context), 'changed')
  assert.deepEqual(session.changes, ['x-colo-lost-heartbeat'])
  assert.deepEqual(calls, ['endProtection'])
})

test('lost-heartbeat: a guest frozen in a checkpoint is continued, but not at once', async () => {
  const {context, model, session, clock} = world()
  model.colo = {mode: 'primary', 'last-mode': 'none', reason: 'none'}
  Object.assign(model, {running: false, status: 'colo'})
  await performAction({kind: 'lost-heartbeat'}, context)
  assert.deepEqual(session.changes, ['x-colo-lost-heartbeat', 'cont'])
  assert.ok(clock.atMs >= 500)
})

test('lost-heartbeat: run again after the mode became none, a frozen guest is continued', async () => {
  const {context, model, session} = world()
  Object.assign(model, {running: false, status: 'colo'})
  assert.equal(await performAction({kind: 'lost-heartbeat'}, context), 'changed')
  assert.deepEqual(session.changes, ['cont'])
})

test('lost-heartbeat: a mode that does not end is an error', async () => {
  const {context, model, session} = world()
  model.colo = {mode: 'secondary', 'last-mode': 'none', reason: 'none'}
  session.on({'x-colo-lost-heartbeat': () => undefined})
  await assert.rejects(
    () => performAction({kind: 'lost-heartbeat'}, context),
    /waited 30 s for web1 to leave lock-step/,
  )
})

test('vm-continue never sends cont while COLO is on', async () => {
  const {context, model, session, clock} = world()
  model.colo = {mode: 'primary', 'last-mode': 'none', reason: 'none'}
  Object.assign(model, {running: false, status: 'colo'})
  clock.onPass = () => Object.assign(model, {running: true, status: 'running'})
  assert.equal(await performAction({kind: 'vm-continue'}, context), 'unchanged')
  assert.deepEqual(session.changes, [])
})

test('vm-await says what it waited for', async () => {
  const {context} = world()
  await assert.rejects(
    () => performAction({kind: 'vm-await', states: ['shutdown'], timeoutMs: 500}, context),
    /waited 500 ms for web1 to be shutdown/,
  )
})

test('colo-await: role, run state and migration must all fit', async () => {
  const {context, model, clock} = world()
  const action = {kind: 'colo-await', role: 'secondary', timeoutMs: 5000} as const
  model.migration = {status: 'active'}
  clock.onPass = () => {
    model.migration = {status: 'colo'}
    model.colo = {mode: 'secondary', 'last-mode': 'none', reason: 'none'}
  }
  assert.equal(await performAction(action, context), 'unchanged')
  model.migration = {status: 'failed', 'error-desc': 'load of migration failed'}
  await assert.rejects(() => performAction(action, context), /did not become secondary.*load of migration failed/)
})

test('checkpoint: one that is under way does not count', async () => {
  const {context, model, state, calls} = world()
  model.colo = {mode: 'primary', 'last-mode': 'none', reason: 'none'}
  state.checkpoints = 4
  await performAction({kind: 'checkpoint', intervalMs: 1000, timeoutMs: 5000}, context)
  Object.assign(model, {running: false, status: 'colo'})
  await performAction({kind: 'checkpoint', intervalMs: 1000, timeoutMs: 5000}, context)
  await performAction({kind: 'checkpoint-await', timeoutMs: 5000}, context)
  assert.deepEqual(calls, ['awaitCheckpoint 4', 'awaitCheckpoint 5', 'awaitCheckpoint 5'])
})

test('checkpoint: only a primary in lock-step makes one', async () => {
  const {context, session} = world()
  await assert.rejects(
    () => performAction({kind: 'checkpoint', intervalMs: 1000, timeoutMs: 5000}, context),
    /not the primary/,
  )
  assert.deepEqual(session.changes, [])
})

test('announce, protection-begin and commit-follow are passed on', async () => {
  const {context, calls, session} = world()
  for (const kind of ['announce', 'protection-begin', 'commit-follow'] as const) await performAction({kind}, context)
  assert.deepEqual(calls, ['beginProtection', 'followCommit'])
  assert.deepEqual(session.changes, ['announce-self'])
})

test.run()

import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import {suite} from '../../support/suite.js'
import {Refusal} from './fake-vm.js'
import {world, type World} from './context.js'

const test = suite('actions: migrate')

const filtersOn = ['nic0-mirror', 'nic0-capture']
const action = {
  kind: 'migrate',
  guest: 'runs',
  address: '10.88.0.2',
  port: 9101,
  intervalMs: 1000,
  filtersOn,
  timeoutMs: 60_000,
} as const

/** `states` are what the migration becomes as time passes. */
function underWay(
  states: ReadonlyArray<Record<string, unknown>>,
  version?: {major: number; minor: number; micro: number},
): World {
  const made = world(version === undefined ? {} : {version})
  for (const id of filtersOn) made.model.objects.set(id, {'qom-type': 'filter-redirector', status: 'off'})
  const left = [...states]
  made.clock.onPass = () => {
    const next = left.shift()
    if (next !== undefined) made.model.migration = next
    if (next?.['status'] === 'pre-switchover') Object.assign(made.model, {running: false, status: 'paused'})
  }
  return made
}

const statuses = ({model}: World): unknown[] => filtersOn.map((id) => model.objects.get(id)?.['status'])

test('filters are switched on while the guest is halted for the switchover', async () => {
  const made = underWay([{status: 'active'}, {status: 'pre-switchover'}])
  assert.equal(await performAction(action, made.context), 'changed')
  assert.deepEqual(made.session.changes, [
    'migrate-set-parameters',
    'migrate',
    'qom-set',
    'qom-set',
    'migrate-continue',
  ])
  assert.deepEqual(made.session.sent.find(({command}) => command === 'migrate-set-parameters')?.args, {
    'x-checkpoint-delay': 1000,
    'max-bandwidth': 1024 ** 3,
  })
})

test('under TCG the guest stands still before the copy begins, and goes on when that fails', async () => {
  const made = underWay([{status: 'active'}, {status: 'failed', 'error-desc': 'Broken pipe'}])
  await assert.rejects(() => performAction({...action, guest: 'stands-still'}, made.context), /Broken pipe/)
  assert.deepEqual(made.session.changes.slice(0, 3), ['migrate-set-parameters', 'stop', 'migrate'])
  assert.equal(made.session.changes.at(-1), 'cont')
})

test('a QEMU that cannot halt there gets its filters at colo, and a checkpoint after that', async () => {
  const made = underWay([{status: 'active'}, {status: 'colo'}], {major: 7, minor: 2, micro: 22})
  await performAction(action, made.context)
  assert.deepEqual(made.session.changes, [
    'migrate-set-parameters',
    'migrate',
    'qom-set',
    'qom-set',
    'migrate-set-parameters',
  ])
})

test('one that waits at the switchover is taken up there', async () => {
  const made = underWay([])
  made.model.migration = {status: 'pre-switchover'}
  await performAction(action, made.context)
  assert.deepEqual(made.session.changes, ['qom-set', 'qom-set', 'migrate-continue'])
})

test('in COLO already only a filter that is still off is switched on', async () => {
  const made = underWay([])
  made.model.migration = {status: 'colo'}
  assert.equal(await performAction(action, made.context), 'changed')
  assert.equal(await performAction(action, made.context), 'unchanged')
  assert.deepEqual(made.session.changes, ['qom-set', 'qom-set'])
})

test('failed: QEMU tells why, and the filters are off again', async () => {
  const made = underWay([{status: 'failed', 'error-desc': 'Unable to write to socket: Broken pipe'}])
  await assert.rejects(
    () => performAction(action, made.context),
    /migration of web1 to 10\.88\.0\.2:9101: failed: Unable to write to socket: Broken pipe/,
  )
  assert.deepEqual(statuses(made), ['off', 'off'])
  assert.equal(made.model.running, true)
})

test('completed is an error, and the guest goes on here', async () => {
  const made = underWay([{status: 'completed'}])
  Object.assign(made.model, {running: true})
  const {session, model} = made
  const execute = session.execute.bind(session)
  session.execute = (command, ...rest) => {
    if (command === 'query-migrate' && model.migration['status'] === 'completed' && model.status === 'running') {
      Object.assign(model, {running: session.changes.includes('cont'), status: 'postmigrate'})
    }
    return execute(command, ...rest)
  }
  await assert.rejects(() => performAction(action, made.context), /completed instead of entering COLO/)
  assert.equal(session.changes.at(-1), 'cont')
})

test('a filter that cannot be switched on cancels the migration', async () => {
  const made = underWay([{status: 'pre-switchover'}])
  made.session.on({
    'qom-set': ({value, path}) => {
      if (value === 'on') throw new Refusal('no such netdev')
      const found = made.model.objects.get(String(path).replace('/objects/', ''))
      Object.assign(found ?? {}, {status: value})
    },
  })
  await assert.rejects(() => performAction(action, made.context), /no such netdev/)
  assert.deepEqual(made.session.changes.slice(-3), ['migrate_cancel', 'qom-set', 'qom-set'])
  assert.equal(made.model.running, true)
})

test('the time limit and an abort cancel it, too', async () => {
  const late = underWay([])
  await assert.rejects(() => performAction(action, late.context), /waited 60 s for web1 to enter lock-step/)
  assert.ok(late.session.changes.includes('migrate_cancel'))
  const gone = underWay([])
  gone.clock.onPass = () => {
    gone.abort.abort(new Error('gone'))
  }
  await assert.rejects(() => performAction(action, gone.context), /gone/)
  assert.ok(gone.session.changes.includes('migrate_cancel'))
})

test('the memory copied is reported', async () => {
  const ram = {transferred: 3, remaining: 60, total: 100, 'dirty-sync-count': 1, mbps: 1.5}
  const made = underWay([{status: 'active', ram}, {status: 'pre-switchover'}])
  await performAction(action, made.context)
  assert.ok(made.notes.includes('memory, active: 40 of 100'))
})

test('migrate-cancel never touches COLO', async () => {
  const made = underWay([])
  made.model.migration = {status: 'colo'}
  assert.equal(await performAction({kind: 'migrate-cancel'}, made.context), 'unchanged')
  assert.deepEqual(made.session.changes, [])
})

test('migrate-cancel lets a guest go on that a plain migration left standing', async () => {
  const made = underWay([])
  made.model.migration = {status: 'completed'}
  Object.assign(made.model, {running: false, status: 'postmigrate'})
  assert.equal(await performAction({kind: 'migrate-cancel'}, made.context), 'changed')
  assert.deepEqual(made.session.changes, ['cont'])
})

test.run()

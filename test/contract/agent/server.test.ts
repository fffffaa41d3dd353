import assert from 'node:assert/strict'
import {mkdirSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import type {StepProgress} from '../../../src/agent/protocol.js'
import {ConflictError} from '../../../src/errors.js'
import {connectUnix} from '../../../src/os/sockets.js'
import type {Plan, Step} from '../../../src/plan/plan.js'
import {LineFramer} from '../../../src/qmp/line-framer.js'
import {suite} from '../../support/suite.js'
import {eventually, Rig} from './rig.js'

const test = suite('agent: server, locks, steps')

const who = {owner: 'root@admin pid 1', purpose: 'fail over web1'}

function step(id: string, change: Partial<Step> = {}): Step {
  return {id, host: 'alpha', label: `do ${id}`, actions: [{kind: 'vm-continue'}], ...change}
}

function plan(steps: readonly Step[], change: Partial<Plan> = {}): Plan {
  return {
    id: 'p1',
    kind: 'failover',
    pair: 'web1',
    title: 'fail over web1',
    finish: 'colo pair failover web1',
    steps,
    ...change,
  }
}

test('the socket is for root only, and a second agent is refused', async (t) => {
  const rig = new Rig(t)
  await rig.start()
  assert.equal(statSync(rig.socketPath).mode & 0o777, 0o600)
  const second = new Rig(t)
  await assert.rejects(async () => {
    const {startAgent} = await import('../../../src/agent/agent.js')
    await startAgent({...second.options(), socketPath: rig.socketPath})
  }, ConflictError)
})

test('bad requests get an error and the connection goes on', async (t) => {
  const rig = new Rig(t)
  await rig.start()
  const port = await connectUnix({path: rig.socketPath, timeoutMs: 1000})
  t.defer(() => {
    port.destroy()
  })
  const framer = new LineFramer()
  const replies: Array<Record<string, unknown>> = []
  port.onData((chunk) => {
    for (const line of framer.push(chunk)) replies.push(JSON.parse(line) as Record<string, unknown>)
  })
  const bad = [
    'no json',
    '[]',
    '{"id":"x","method":"hello","params":{}}',
    '{"id":1,"method":"nothing","params":{}}',
    '{"id":2,"method":"hello","params":{"more":1}}',
    '{"id":3,"method":"pairs.observe","params":{"pair":"../etc"}}',
    '{"id":4,"method":"steps.run","params":{"pair":"web1","steps":[{"id":"a"}]}}',
    '{"id":5,"method":"lock.acquire","params":{"pair":"web1","owner":"","purpose":"x"}}',
    '{"id":6,"method":"__proto__","params":{}}',
  ]
  for (const line of bad) port.write(`${line}\n`)
  port.write('{"id":7,"method":"hello","params":{}}\n')
  await eventually(() => replies.length === bad.length + 1 || undefined)
  assert.equal(replies.filter((reply) => 'error' in reply).length, bad.length)
  assert.deepEqual(replies.map(({id}) => id).sort(), [-1, -1, -1, 1, 2, 3, 4, 5, 6, 7])
  assert.ok(replies.some((reply) => reply['id'] === 7 && 'result' in reply))
})

test('a lock names its holder, and ends with its connection', async (t) => {
  const rig = new Rig(t)
  await rig.start()
  const [first, second] = [await rig.client(), await rig.client()]
  await first.call('lock.acquire', {pair: 'web1', ...who})
  await first.call('lock.acquire', {pair: 'web1', ...who}) // again is fine
  await assert.rejects(second.call('lock.acquire', {pair: 'web1', owner: 'b', purpose: 'c'}), (error: Error) => {
    assert.match(error.message, /root@admin pid 1: fail over web1, since 20/)
    assert.equal((error as {exit?: number}).exit, 4)
    return true
  })
  await second.call('lock.acquire', {pair: 'other', owner: 'b', purpose: 'c'})
  assert.equal((await rig.observe()).lock?.owner, who.owner)
  await assert.rejects(second.call('steps.run', {pair: 'web1', steps: []}), /needs the pair's lock/)
  first.close()
  await eventually(async () => (await rig.observe()).lock === undefined || undefined)
  await second.call('lock.acquire', {pair: 'web1', owner: 'b', purpose: 'c'})
})

test('steps run in order with progress; the first failure names step and action', async (t) => {
  const rig = new Rig(t)
  rig.perform = (action, context) => {
    context.report('half', {done: 1, total: 2})
    if (action.kind === 'announce') return Promise.reject(new ConflictError('no room', {hint: 'make room'}))
    return Promise.resolve(action.kind === 'vm-continue' ? 'unchanged' : 'changed')
  }
  await rig.start()
  const client = await rig.client()
  await client.call('lock.acquire', {pair: 'web1', ...who})
  const steps = [
    step('a'),
    step('b', {actions: [{kind: 'migrate-cancel'}]}),
    step('c', {optional: true, actions: [{kind: 'announce'}]}),
    step('d', {actions: [{kind: 'announce'}]}),
    step('e'),
  ]
  await client.call('intent.write', {pair: 'web1', owner: who.owner, plan: plan(steps)})
  const seen: StepProgress[] = []
  const running = client.call('steps.run', {pair: 'web1', steps}, {onProgress: (progress) => seen.push(progress)})
  await assert.rejects(running, (error: Error & {exit?: number; hint?: string; step?: string}) => {
    assert.match(error.message, /^do d \(d, announce\): no room$/)
    assert.deepEqual([error.exit, error.hint, error.step], [4, 'make room', 'd'])
    return true
  })
  assert.deepEqual(
    seen.filter(({state}) => state !== 'running').map(({step: id, state}) => `${id} ${state}`),
    ['a started', 'a unchanged', 'b started', 'b done', 'c started', 'c failed', 'd started', 'd failed'],
  )
  assert.deepEqual((await client.call('intent.read', {pair: 'web1'})).done, ['a', 'b'])
  await rig.restart()
  assert.deepEqual((await (await rig.client()).call('intent.read', {pair: 'web1'})).done, ['a', 'b'])
})

test('undo goes backwards, tries everything, and is refused after the point of no return', async (t) => {
  const rig = new Rig(t)
  const performed: string[] = []
  rig.perform = (action) => {
    performed.push(action.kind)
    return action.kind === 'announce' ? Promise.reject(new Error('broken')) : Promise.resolve('changed')
  }
  await rig.start()
  const client = await rig.client()
  await client.call('lock.acquire', {pair: 'web1', ...who})
  const steps = [
    step('a', {undo: [{kind: 'vm-continue'}]}),
    step('b', {undo: [{kind: 'announce'}, {kind: 'lost-heartbeat'}]}),
  ]
  const undone = await client.call('steps.undo', {pair: 'web1', steps})
  assert.deepEqual(performed, ['announce', 'lost-heartbeat', 'vm-continue'])
  assert.deepEqual(undone.failures, [{step: 'b', message: 'announce: broken'}])
  const final = plan(steps, {pointOfNoReturn: 'a'})
  await client.call('intent.write', {pair: 'web1', owner: who.owner, plan: final})
  await client.call('steps.run', {pair: 'web1', steps: steps.slice(0, 1)})
  assert.equal((await client.call('intent.read', {pair: 'web1'})).committed, true)
  await assert.rejects(client.call('steps.undo', {pair: 'web1', steps}), /past its point of no return/)
  await client.call('intent.clear', {pair: 'web1'})
  assert.equal((await client.call('intent.read', {pair: 'web1'})).plan, undefined)
})

test('a step of another host is refused', async (t) => {
  const rig = new Rig(t)
  await rig.start()
  const client = await rig.client()
  await client.call('lock.acquire', {pair: 'web1', ...who})
  await assert.rejects(client.call('steps.run', {pair: 'web1', steps: [step('a', {host: 'beta'})]}), /for host beta/)
})

test('S5: a command that goes away stops the steps before the point of no return, not after it', async (t) => {
  const rig = new Rig(t)
  const performed: string[] = []
  let aborted = false
  rig.perform = async (action, {signal}) => {
    performed.push(action.kind)
    if (action.kind === 'vm-continue') {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, {once: true})
      })
      aborted = true
      signal.throwIfAborted()
    }
    if (action.kind === 'announce') await new Promise((resolve) => setTimeout(resolve, 100))
    return 'changed'
  }
  await rig.start()
  const before = await rig.client()
  await before.call('lock.acquire', {pair: 'web1', ...who})
  const running = before.call('steps.run', {pair: 'web1', steps: [step('a'), step('b')]})
  await eventually(() => performed.length === 1 || undefined)
  before.close()
  await assert.rejects(running)
  const after = await rig.client()
  await after.call('lock.acquire', {pair: 'web1', ...who}) // waits for the orphan
  assert.equal(aborted, true)
  assert.deepEqual(performed, ['vm-continue'])

  performed.length = 0
  const steps = [step('a', {actions: [{kind: 'announce'}]}), step('b', {actions: [{kind: 'lost-heartbeat'}]})]
  await after.call('intent.write', {pair: 'web1', owner: who.owner, plan: plan(steps, {pointOfNoReturn: 'a'})})
  const forward = after.call('steps.run', {pair: 'web1', steps})
  await eventually(() => performed.length === 1 || undefined)
  after.close()
  await assert.rejects(forward)
  const last = await rig.client()
  await last.call('lock.acquire', {pair: 'web1', ...who})
  assert.deepEqual(performed, ['announce', 'lost-heartbeat'])
  assert.deepEqual(await last.call('intent.read', {pair: 'web1'}).then(({done, committed}) => ({done, committed})), {
    done: ['a', 'b'],
    committed: true,
  })
})

test('S5: the lock of a command whose machine lost power goes to the next one; one that gives signs of life keeps it', async (t) => {
  const rig = new Rig(t, {deadMs: 200})
  await rig.start()
  const alive = await rig.client()
  await alive.call('lock.acquire', {pair: 'web1', ...who})
  const signs = setInterval(() => void alive.call('hello', {}), 50)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const next = await rig.client()
  await assert.rejects(next.call('lock.acquire', {pair: 'web1', ...who}), /is being changed by/)
  clearInterval(signs)
  await new Promise((resolve) => setTimeout(resolve, 300))
  await next.call('lock.acquire', {pair: 'web1', ...who})
  await assert.rejects(alive.call('hello', {}))
})

test('a reader that stopped is dropped; others are served meanwhile', async (t) => {
  const rig = new Rig(t)
  await rig.keep(rig.record())
  const qemu = await rig.qemu(rig.record())
  await rig.start()
  await eventually(() => qemu.connected || undefined)
  const deaf = await connectUnix({path: rig.socketPath, timeoutMs: 1000})
  t.defer(() => {
    deaf.destroy()
  })
  deaf.write('{"id":1,"method":"events.read","params":{"pair":"web1","follow":true}}\n')
  const blob = 'x'.repeat(20_000)
  const client = await rig.client()
  for (let round = 0; round < 40; round++) {
    for (let at = 0; at < 10; at++) qemu.emit('DEVICE_DELETED', {path: blob})
    await client.call('pairs.list', {})
  }
  let closed = false
  deaf.onClose(() => {
    closed = true
  })
  deaf.onData(() => undefined)
  await eventually(() => closed || undefined)
})

test('events: numbers rise over restarts, followers get each once', async (t) => {
  const rig = new Rig(t)
  await rig.keep(rig.record())
  const qemu = await rig.qemu(rig.record())
  await rig.start()
  await eventually(() => qemu.connected || undefined)
  qemu.emit('STOP')
  qemu.emit('COLO_EXIT', {mode: 'primary', reason: 'error'})
  const client = await rig.client()
  await eventually(async () => (await client.call('events.read', {pair: 'web1'})).events.length >= 2 || undefined)
  const followed: string[] = []
  const follow = client.call(
    'events.read',
    {pair: 'web1', follow: true},
    {
      onEvent: ({type}) => followed.push(type),
      timeoutMs: 60_000,
    },
  )
  follow.catch(() => undefined)
  await eventually(() => followed.includes('COLO_EXIT') || undefined)
  qemu.emit('RESUME')
  await eventually(() => followed.includes('RESUME') || undefined)
  await rig.restart()
  await eventually(() => qemu.connected || undefined)
  qemu.emit('WAKEUP')
  const again = await rig.client()
  const events = await eventually(async () => {
    const read = await again.call('events.read', {pair: 'web1'})
    return read.events.some(({type}) => type === 'WAKEUP') ? read.events : undefined
  })
  const numbers = events.map(({seq}) => seq)
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  )
  assert.deepEqual(events.filter(({type}) => type === 'COLO_EXIT').length, 1)
})

test('a broken record is an error that names the file, a newer one is refused and left alone', async (t) => {
  const rig = new Rig(t)
  const directory = join(rig.roots.stateRoot, 'web1')
  mkdirSync(directory, {recursive: true})
  const file = join(directory, 'record.json')
  writeFileSync(file, '{"format":1,')
  await rig.start()
  const client = await rig.client()
  await assert.rejects(client.call('pairs.observe', {pair: 'web1'}), new RegExp(`${file}: text is not JSON`))
  assert.deepEqual(await client.call('pairs.observe', {}), {members: []})
  assert.deepEqual(await client.call('pairs.list', {}), {pairs: ['web1']})
  const newer = JSON.stringify({...rig.record(), format: 2, novelty: true})
  writeFileSync(file, newer)
  await assert.rejects(client.call('pairs.observe', {pair: 'web1'}), /format 2 is newer/)
  await rig.restart()
  await assert.rejects((await rig.client()).call('pairs.observe', {pair: 'web1'}), /format 2 is newer/)
  assert.equal(statSync(file).size, newer.length)
})

test.run()

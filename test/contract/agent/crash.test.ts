import assert from 'node:assert/strict'
import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import type {AgentClient} from '../../../src/host/agent-client.js'
import type {Plan, Step} from '../../../src/plan/plan.js'
import {suite, type T} from '../../support/suite.js'
import {eventually, Rig} from './rig.js'

const test = suite('agent: a real process, killed')
const who = {owner: 'root@admin pid 1', purpose: 'fail over web1'}

/** `colo agent` as systemd starts it, on the directories of a rig. Settles when it says it is ready. */
async function startProcess(t: T, rig: Rig): Promise<ChildProcess> {
  const {roots, socketPath, host} = rig
  const args = ['--socket', socketPath, '--state-dir', roots.stateRoot, '--run-dir', roots.runRoot, '--host', host]
  const root = new URL('../../../', import.meta.url)
  const child = spawn(process.execPath, ['--import', 'tsx', 'bin/dev.js', 'agent', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.defer(() => {
    child.kill('SIGKILL')
  })
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer]
  assert.match(line.toString(), /ready: host alpha/)
  return child
}

function step(id: string, change: Partial<Step>): Step {
  return {id, host: 'alpha', label: id, actions: [], ...change}
}

test('S5: killed in the middle of steps, the next one knows what was done and holds QEMU again', async (t) => {
  const rig = new Rig(t)
  const record = rig.record()
  await rig.keep(record)
  const qemu = await rig.qemu(record)
  qemu.answer('query-status', {status: 'prelaunch', running: false})
  const first = await startProcess(t, rig)
  await eventually(() => qemu.connected || undefined)
  const steps = [
    step('alone', {
      actions: [{kind: 'record-change', change: {generation: {epoch: 2, id: 'g2', ancestors: ['g1']}, alone: true}}],
    }),
    step('wait', {actions: [{kind: 'vm-await', states: ['running'], timeoutMs: 60_000}]}),
  ]
  const plan: Plan = {
    id: 'p1',
    kind: 'failover',
    pair: 'web1',
    title: 'fail over',
    finish: 'colo pair failover web1',
    pointOfNoReturn: 'alone',
    steps,
  }
  const client = await rig.client()
  await client.call('lock.acquire', {pair: 'web1', ...who})
  await client.call('intent.write', {pair: 'web1', plan, owner: who.owner})
  const waiting: string[] = []
  const running = client.call(
    'steps.run',
    {pair: 'web1', steps},
    {
      onProgress: ({step: id, state}) => waiting.push(`${id} ${state}`),
      timeoutMs: 60_000,
    },
  )
  running.catch(() => undefined)
  await eventually(() => waiting.includes('wait started') || undefined)
  first.kill('SIGKILL')
  await assert.rejects(running, /agent of alpha/)

  const second = await startProcess(t, rig)
  await eventually(() => qemu.connected || undefined)
  const after: AgentClient = await rig.client()
  const intent = await after.call('intent.read', {pair: 'web1'})
  assert.deepEqual(
    {done: intent.done, committed: intent.committed, plan: intent.plan},
    {done: ['alone'], committed: true, plan},
  )
  assert.equal((await rig.kept(record)).generation.id, 'g2')
  qemu.answer('query-status', {status: 'running', running: true})
  await after.call('lock.acquire', {pair: 'web1', ...who})
  assert.deepEqual(await after.call('steps.run', {pair: 'web1', steps}), {done: ['alone', 'wait']})
  const [member] = (await after.call('pairs.observe', {pair: 'web1'})).members
  assert.equal(member?.qmp, 'connected')
  assert.deepEqual(member?.intent?.done, ['alone', 'wait'])

  second.kill('SIGTERM')
  const [status] = (await once(second, 'exit')) as [number | null]
  assert.equal(status, 0)
  assert.equal(qemu.received.filter(({command}) => command === 'quit').length, 0)
}, 40_000)

test.run()

import assert from 'node:assert/strict'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import type {Marks, PairRecord} from '../../../src/pair/record.js'
import type {Plan} from '../../../src/plan/plan.js'
import {suite, type T} from '../../support/suite.js'
import {DatagramBus, eventually, Rig} from './rig.js'

const test = suite('agents: a failover whose command died before its grant (S1, S2)')
const who = {owner: 'root@admin pid 1', purpose: 'fail over web1'}
const first = firstGeneration('g1')
const otherwise = nextGeneration(first, 'g2-otherwise')
const committing: Marks = {incomplete: {why: 'commit', detail: 'the overlays are being merged into the disk'}}

const plan: Plan = {
  id: 'p1',
  kind: 'failover',
  pair: 'web1',
  title: 'fail over web1 to beta',
  finish: 'colo pair failover web1 --to beta',
  pointOfNoReturn: 'beta/alone',
  steps: [
    {
      id: 'alpha/fence',
      host: 'alpha',
      label: 'fence',
      actions: [],
      undo: [{kind: 'record-change', change: {alone: true, generation: otherwise}}],
    },
    {id: 'beta/alone', host: 'beta', label: 'alone', actions: []},
  ],
}

/** Alpha is fenced and beta as given; the command that did it is dead, its plan is noted on both hosts. */
async function abandoned(t: T, change: Partial<PairRecord> = {}): Promise<{alpha: Rig; beta: Rig; undone: string[]}> {
  const bus = new DatagramBus()
  const [alpha, beta] = [new Rig(t, {host: 'alpha', bus}), new Rig(t, {host: 'beta', bus})]
  const undone: string[] = []
  alpha.perform = async (action, context) => {
    undone.push(action.kind)
    if (action.kind === 'record-change') await context.record.change(action.change)
    return 'changed'
  }
  await alpha.keep(alpha.record({generation: first}))
  await beta.keep(beta.record({generation: first, role: 'secondary', ...change}))
  for (const rig of [alpha, beta]) {
    rig.setTap(rig.layout(rig.record()), 'down')
    await rig.start()
    const client = await rig.client()
    await client.call('lock.acquire', {pair: 'web1', ...who})
    await client.call('intent.write', {pair: 'web1', plan, owner: who.owner})
    client.close()
  }
  return {alpha, beta, undone}
}

const tapOf = (rig: Rig): string | undefined => rig.tap(rig.layout(rig.record()))
const isUp = (rig: Rig) => () => tapOf(rig) === 'up' || undefined

test('the other side withdraws the plan, then the fence is lifted; lock-step goes on', async (t) => {
  const {alpha, beta, undone} = await abandoned(t)
  await eventually(isUp(alpha))
  await eventually(async () => (await alpha.observe()).intent === undefined || undefined)
  assert.equal((await beta.observe()).intent, undefined)
  assert.deepEqual([undone, (await alpha.observe()).record?.alone, tapOf(beta)], [[], false, 'down'])
})

test('a copy that ran unheard is forbidden first; then the old primary goes on in a generation of its own', async (t) => {
  const {alpha, beta, undone} = await abandoned(t, {marks: committing})
  await eventually(() => undone.length > 0 || undefined)
  const mark = (await beta.kept(beta.record())).marks.incomplete
  assert.equal(mark?.why, 'resync', 'durable before the other side goes on')
  const record = await eventually(async () => {
    const {record: now} = await alpha.observe()
    return now?.alone === true ? now : undefined
  })
  assert.equal(record.generation.id, otherwise.id)
})

test('somebody works on the other side: nothing is lifted until the lock is free', async (t) => {
  const {alpha, beta} = await abandoned(t)
  const holder = await beta.client()
  await holder.call('lock.acquire', {pair: 'web1', ...who})
  // two turns of both agents: the question was asked, and not answered
  await new Promise((resolve) => setTimeout(resolve, 2500))
  assert.equal(tapOf(alpha), 'down')
  holder.close()
  await eventually(isUp(alpha))
})

test('a side that holds the grant withdraws nothing: the fenced one is marked stale and stays silent', async (t) => {
  const {alpha} = await abandoned(t, {
    role: 'primary',
    alone: true,
    generation: nextGeneration(first, 'g2'),
    marks: committing,
  })
  await eventually(async () => (await alpha.observe()).record?.marks.stale)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  assert.equal(tapOf(alpha), 'down')
})

test('no answer, no lifting', async (t) => {
  const {alpha, beta} = await abandoned(t)
  await beta.stop()
  await new Promise((resolve) => setTimeout(resolve, 2500))
  assert.equal(tapOf(alpha), 'down')
  await beta.start()
  await eventually(isUp(alpha))
})

test.run()

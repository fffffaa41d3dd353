import * as assert from 'uvu/assert'
import {ColoError, ConflictError, InterruptedError, UnreachableError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import {nextGeneration} from '../../../src/pair/generation.js'
import type {OperationContext} from '../../../src/operation/context.js'
import {batches} from '../../../src/operation/batches.js'
import {runPlan} from '../../../src/operation/run-plan.js'
import type {MemberObservation} from '../../../src/pair/observation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {Plan, Step} from '../../../src/plan/plan.js'
import {systemClock} from '../../../src/os/clock.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('run-plan')

const step = (id: string): Step => ({
  id,
  host: id.slice(0, 1),
  label: id,
  actions: id.endsWith('off') ? [{kind: 'power-off', how: 'button', timeoutMs: 1}] : [],
  undo: [{kind: id.endsWith('record') ? 'record-remove' : 'announce'}],
})

const plan = (ids: readonly string[], pointOfNoReturn?: string): Plan => ({
  id: 'p1',
  kind: 'failover',
  pair: 'web1',
  title: 'fail over web1',
  finish: 'colo pair failover web1',
  steps: ids.map(step),
  ...(pointOfNoReturn === undefined ? {} : {pointOfNoReturn}),
})

interface Script {
  /** step that fails */
  readonly fails?: string
  /** called when a step starts */
  readonly onStep?: (id: string) => void
  readonly locked?: boolean
  /** step at which the connection is lost, after the agent was told of it */
  readonly lost?: string
  /** step that cannot be taken back */
  readonly stuck?: string
  /** the connection is lost before anything is heard of the steps; the agent finishes these all the same */
  readonly deaf?: readonly string[]
  readonly onUndo?: (steps: readonly Step[]) => void
  /** what intent.read says then; none: no answer */
  readonly intent?: {readonly plan: string; readonly committed: boolean}
  /** observed when the plan was made, and under the lock */
  readonly records?: readonly [PairRecord | undefined, PairRecord | undefined]
}

/** An agent at the API boundary that notes what it is asked. */
function agent(host: string, log: string[], script: Script = {}): AgentClient {
  const call = async (
    method: string,
    params: {steps?: readonly Step[]},
    options?: {onProgress?: (p: unknown) => void},
  ) => {
    await Promise.resolve()
    const ids = params.steps?.map(({id}) => id) ?? []
    log.push([host, method, ...ids].join(' '))
    if (method === 'steps.undo') script.onUndo?.(params.steps ?? [])
    if (method === 'lock.acquire' && script.locked === true) throw new ConflictError('held by root@x pid 1')
    if (method === 'steps.undo')
      return {failures: ids.filter((id) => id === script.stuck).map((id) => ({step: id, message: 'stuck'}))}
    if (method === 'pairs.observe') return {members: [{host, record: script.records?.[1]}]}
    if (method === 'hello' && script.lost !== undefined && script.intent === undefined)
      throw new UnreachableError(host, 'gone')
    if (method === 'hello' && script.deaf !== undefined) throw new UnreachableError(host, 'gone')
    if (method === 'intent.read' && script.deaf !== undefined)
      return {plan: {id: 'p1'}, done: script.deaf, committed: false}
    if (method === 'intent.read')
      return {plan: {id: script.intent?.plan, title: 'another'}, done: [], committed: script.intent?.committed}
    if (method === 'steps.run') {
      if (script.deaf !== undefined) throw new UnreachableError(host, 'connection closed')
      for (const id of ids) {
        options?.onProgress?.({step: id, state: 'started', atMs: 1})
        script.onStep?.(id)
        if (id === script.lost) throw new UnreachableError(host, 'connection closed')
        if (id === script.fails) throw new ColoError('tool-failed', 1, `${id} failed`)
        options?.onProgress?.({step: id, state: 'done', atMs: 2})
      }
    }
    return {done: ids}
  }
  return {
    host,
    hello: {protocol: 1, version: '0', host, startedAtMs: 0, bootId: ''},
    call,
    close() {},
  } as unknown as AgentClient
}

function contextOf(signal: AbortSignal, clients: ReadonlyMap<string, AgentClient>): OperationContext {
  return {
    inventory: {file: 'hosts.yaml', hosts: [...clients.keys()].map((name) => ({name}))},
    connect: async (entry: {name: string}) => Promise.resolve(clients.get(entry.name)),
    clock: systemClock,
    newId: () => 'id',
    owner: 'me',
    signal,
    progress: {planned() {}, step() {}, note() {}},
    confirm: async () => Promise.resolve(),
  } as unknown as OperationContext
}

async function runOn(
  ids: readonly string[],
  scripts: Record<string, Script>,
  options: {point?: string; abort?: AbortController} = {},
) {
  const log: string[] = []
  const clients = new Map(['b', 'a'].map((host) => [host, agent(host, log, scripts[host])]))
  const signal = (options.abort ?? new AbortController()).signal
  const outcome = await runPlan(contextOf(signal, clients), clients, plan(ids, options.point), {
    timeoutMs: 1000,
    premise: ['a', 'b'].map((host) => ({
      host,
      client: clients.get(host) as AgentClient,
      member: {host, record: scripts[host]?.records?.[0]} as MemberObservation,
    })),
  }).then(
    (timeline) => ({timeline, error: undefined}),
    (error: unknown) => ({timeline: undefined, error: error as ColoError}),
  )
  return {...outcome, log}
}

test('locks in name order, writes the intent on every host, runs, clears, unlocks', async () => {
  const {log, timeline} = await runOn(['a1', 'a2', 'b1', 'a3'], {})
  assert.equal(log.slice(0, 2), ['a lock.acquire', 'b lock.acquire'])
  assert.equal(new Set(log.slice(2, 4)), new Set(['a pairs.observe', 'b pairs.observe']))
  assert.equal(new Set(log.slice(4, 6)), new Set(['a intent.write', 'b intent.write']))
  assert.equal(log.slice(6, 9), ['a steps.run a1 a2', 'b steps.run b1', 'a steps.run a3'])
  assert.equal(log.slice(-2), ['a lock.release', 'b lock.release'])
  assert.equal(
    timeline?.map(({step}) => step),
    ['a1', 'a2', 'b1', 'a3'],
  )
})

test('a held lock refuses before anything is written, and lets go of the other', async () => {
  const {log, error} = await runOn(['a1'], {b: {locked: true}})
  assert.instance(error, ConflictError)
  assert.not.ok(log.some((line) => line.includes('intent.write')))
  assert.ok(log.includes('a lock.release'))
})

test('a failure before the point of no return undoes everything begun, newest first, and keeps the first error', async () => {
  const {log, error} = await runOn(['a1', 'b1', 'b2', 'a2'], {b: {fails: 'b2'}})
  assert.is(error?.message, 'b2 failed')
  const undone = log.filter((line) => line.includes('steps.undo'))
  assert.equal(undone, ['b steps.undo b1 b2', 'a steps.undo a1'])
  assert.ok(log.includes('a intent.clear'))
  assert.not.ok(log.some((line) => line.includes('a2')))
})

test('after the point of no return nothing is undone and the finishing command is named', async () => {
  const {log, error} = await runOn(['a1', 'b1'], {b: {fails: 'b1'}}, {point: 'a1'})
  assert.match(error?.hint ?? '', /colo pair failover web1/)
  assert.not.ok(log.some((line) => line.includes('steps.undo') || line.includes('intent.clear')))
})

test('Ctrl-C before the point of no return takes back and says so', async () => {
  const abort = new AbortController()
  const script = {onStep: (id: string) => id === 'b1' && abort.abort(new Error('SIGINT')), fails: 'b1'}
  const {log, error} = await runOn(['a1', 'b1'], {b: script}, {abort})
  assert.instance(error, InterruptedError)
  assert.is(error?.exit, 130)
  assert.ok(log.includes('a steps.undo a1'))
})

test('Ctrl-C after it prints the command that finishes', async () => {
  const abort = new AbortController()
  const script = {onStep: (id: string) => id === 'b1' && abort.abort(new Error('SIGINT')), fails: 'b1'}
  const {log, error} = await runOn(['a1', 'b1'], {b: script}, {abort, point: 'a1'})
  assert.instance(error, InterruptedError)
  assert.match(error?.hint ?? '', /finish it: colo pair failover web1/)
  assert.not.ok(log.some((line) => line.includes('steps.undo')))
})

test('a pair that was changed while the plan was thought about is left alone (S4)', async () => {
  const moved = nextGeneration(recordOf('secondary').generation, 'gen-2')
  const records = [recordOf('secondary'), recordOf('primary', {generation: moved, alone: true})] as const
  const {log, error} = await runOn(['a1', 'b1'], {b: {records}})
  assert.instance(error, ConflictError)
  assert.not.ok(log.some((line) => line.includes('intent.write') || line.includes('steps.run')))
  assert.ok(log.includes('a lock.release') && log.includes('b lock.release'))
})

test('a point of no return that the agent passed while the connection was lost is not taken back (S1)', async () => {
  const lost = {lost: 'b1', intent: {plan: 'p1', committed: true}}
  const {log, error} = await runOn(['a1', 'b1', 'a2'], {b: lost}, {point: 'b1'})
  assert.match(error?.hint ?? '', /cannot be taken back any more; finish it: colo pair failover web1/)
  assert.not.ok(log.some((line) => line.includes('steps.undo') || line.includes('intent.clear')))
})

test('S5: a guest that is off cannot be switched on again by taking back: its record says so when the agent had no time to', async () => {
  const records = [recordOf('primary'), recordOf('primary', {clean: true})] as const
  const lost = {lost: 'b/off', intent: {plan: 'p1', committed: false}, records}
  const {log, error} = await runOn(['a/button', 'b/off', 'a/follow'], {b: lost}, {point: 'b/off'})
  assert.match(error?.hint ?? '', /cannot be taken back any more; finish it/)
  assert.not.ok(log.some((line) => line.includes('steps.undo') || line.includes('intent.clear')))
})

test('when nobody can say whether it was passed, the fence of the loser stays (S1)', async () => {
  const {log, error} = await runOn(['a1', 'b1', 'a2'], {b: {lost: 'b1'}}, {point: 'b1'})
  assert.match(error?.hint ?? '', /nobody can say .* finish it: colo pair failover web1/)
  assert.not.ok(log.some((line) => line.includes('steps.undo') || line.includes('intent.clear')))
})

test('one that the agent did not pass is taken back', async () => {
  const lost = {lost: 'b1', intent: {plan: 'p1', committed: false}}
  const {log} = await runOn(['a1', 'b1', 'a2'], {b: lost}, {point: 'b1'})
  assert.ok(log.includes('a steps.undo a1'))
})

test('S5: what an agent did when the connection was lost is taken back, though nothing was heard of it', async () => {
  const {log, error} = await runOn(['a1', 'b1', 'b2', 'b3', 'a2'], {b: {deaf: ['b1']}}, {point: 'a2'})
  assert.instance(error, UnreachableError)
  // b2 may have begun, b3 cannot
  assert.equal(
    log.filter((line) => line.includes('undo')),
    ['b steps.undo b1 b2', 'a steps.undo a1'],
  )
})

test('S5: what could not be taken back keeps its record: without one nobody could end it', async () => {
  const steps = ['b/record', 'a/record', 'b/domain', 'a/copy']
  const removed: string[] = []
  const onUndo = (undone: readonly Step[]): void => {
    removed.push(...undone.filter(({undo}) => undo?.[0]?.kind === 'record-remove').map(({id}) => id))
  }
  const {error, log} = await runOn(steps, {a: {fails: 'a/copy', onUndo}, b: {stuck: 'b/domain', onUndo}})
  assert.is(error?.message, 'a/copy failed')
  assert.equal(removed, ['a/record'])
  assert.not.ok(log.some((line) => line.includes('intent.clear')))
})

test('neighbours of one host form a batch', () => {
  assert.equal(
    batches(plan(['a1', 'a2', 'b1', 'a3']).steps).map(({host, steps}) => [host, steps.length]),
    [
      ['a', 2],
      ['b', 1],
      ['a', 1],
    ],
  )
})

test.run()

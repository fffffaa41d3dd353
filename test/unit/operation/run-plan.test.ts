import * as assert from 'uvu/assert'
import {ColoError, ConflictError, InterruptedError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import type {OperationContext} from '../../../src/operation/context.js'
import {batches, runPlan} from '../../../src/operation/run-plan.js'
import type {Plan, Step} from '../../../src/plan/plan.js'
import {systemClock} from '../../../src/os/clock.js'
import {suite} from '../../support/suite.js'

const test = suite('run-plan')

const step = (id: string): Step => ({id, host: id.slice(0, 1), label: id, actions: [], undo: [{kind: 'announce'}]})

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
    if (method === 'lock.acquire' && script.locked === true) throw new ConflictError('held by root@x pid 1')
    if (method === 'steps.undo') return {failures: []}
    if (method === 'steps.run') {
      for (const id of ids) {
        options?.onProgress?.({step: id, state: 'started', atMs: 1})
        script.onStep?.(id)
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
  const outcome = await runPlan(contextOf(signal, clients), clients, plan(ids, options.point), {timeoutMs: 1000}).then(
    (timeline) => ({timeline, error: undefined}),
    (error: unknown) => ({timeline: undefined, error: error as ColoError}),
  )
  return {...outcome, log}
}

test('locks in name order, writes the intent on every host, runs, clears, unlocks', async () => {
  const {log, timeline} = await runOn(['a1', 'a2', 'b1', 'a3'], {})
  assert.equal(log.slice(0, 2), ['a lock.acquire', 'b lock.acquire'])
  assert.equal(new Set(log.slice(2, 4)), new Set(['a intent.write', 'b intent.write']))
  assert.equal(log.slice(4, 7), ['a steps.run a1 a2', 'b steps.run b1', 'a steps.run a3'])
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

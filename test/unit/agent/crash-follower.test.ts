import assert from 'node:assert/strict'
import {CrashFollower} from '../../../src/agent/crash-follower.js'
import type {RecordedEvent} from '../../../src/agent/protocol.js'
import type {Role} from '../../../src/pair/record.js'
import type {CrashAction} from '../../../src/pair/spec.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('a guest whose kernel panics')

/** A QEMU that is in the middle of a checkpoint for so many questions. */
function follower(role: Role, onCrash: CrashAction | undefined, inCheckpoint = 0) {
  const calls: string[] = []
  const work: Array<Promise<unknown>> = []
  const record = recordOf(role)
  const current = {...record, spec: {...record.spec, vm: {...record.spec.vm, ...(onCrash && {onCrash})}}}
  let left = inCheckpoint
  let stopped = false
  const execute = async (command: string): Promise<unknown> => {
    calls.push(command)
    if (command === 'stop') stopped = left === 0
    if (command !== 'query-status') return {}
    const status = left-- > 0 ? 'colo' : stopped ? 'paused' : 'running'
    return {status, running: status === 'running'}
  }
  const made = new CrashFollower({
    clock: {now: () => 0, monotonic: () => 0, sleep: async () => undefined},
    records: {current},
    events: {record: async () => undefined},
    session: () => ({execute}),
    background: (promise: Promise<unknown>) => work.push(promise),
    stop: {cut: () => calls.push('cut')},
    ending: new AbortController().signal,
  } as never)
  const tell = async (event: string): Promise<void> => {
    made.event({event, data: {}, atUs: 5_000_457})
    await Promise.all(work)
  }
  return {made, calls, tell}
}

test('report, and a pair from before there was a choice: nothing is done, and it is known until the guest is reset', async () => {
  for (const action of ['report', undefined] as const) {
    const {made, calls, tell} = follower('primary', action)
    await tell('GUEST_PANICKED')
    assert.deepEqual([made.panickedAtMs, calls], [5000, []])
    await tell('RESUME')
    assert.equal(made.panickedAtMs, 5000, 'the end of a checkpoint changes nothing')
    await tell('RESET')
    assert.equal(made.panickedAtMs, undefined)
  }
})

test('the next agent reads it in the history, where times are finer, as the one before told it', () => {
  const {made} = follower('primary', 'report')
  const event = (seq: number, type: string): RecordedEvent => ({seq, atMs: 5000.457, pair: 'web1', type, data: {}})
  made.remember([event(1, 'RESET'), event(2, 'GUEST_PANICKED'), event(3, 'STOP')])
  assert.equal(made.panickedAtMs, 5000)
})

test('restart: a reset, outside of a checkpoint', async () => {
  const {calls, tell} = follower('primary', 'restart', 2)
  await tell('GUEST_PANICKED')
  assert.deepEqual(calls, ['query-status', 'query-status', 'query-status', 'system_reset'])
})

test('stop: the guest is held until it is outside of a checkpoint, then QEMU ends, as after a power cut', async () => {
  const {calls, tell} = follower('primary', 'stop', 1)
  await tell('GUEST_PANICKED')
  assert.deepEqual(calls, ['stop', 'query-status', 'stop', 'query-status', 'cut', 'quit'])
})

test('a checkpoint that does not end, as when the peer hangs: nothing is cut or reset inside of it', async () => {
  for (const action of ['restart', 'stop'] as const) {
    const {calls, tell} = follower('primary', action, 1000)
    await assert.rejects(tell('GUEST_PANICKED'), /checkpoint/)
    assert.deepEqual([...new Set(calls)].sort(), action === 'stop' ? ['query-status', 'stop'] : ['query-status'])
  }
})

test('a panic of the secondary alone is a divergence: nothing is done, nothing claimed, and the next checkpoint ends it', async () => {
  const {made, calls, tell} = follower('secondary', 'stop')
  await tell('GUEST_PANICKED')
  await tell('RESUME')
  assert.deepEqual([made.panickedAtMs, calls], [undefined, []])
})

test('restart: the secondary is reset, too, so that both boot in step', async () => {
  const {calls, tell} = follower('secondary', 'restart')
  await tell('GUEST_PANICKED')
  assert.deepEqual(calls, ['query-status', 'system_reset'])
})

test('a secondary that panics after checkpoint upon checkpoint is told of, until one goes well', async () => {
  const {made, tell} = follower('secondary', 'report')
  for (const [event, row] of [
    ['GUEST_PANICKED', 0],
    ['RESUME', 1],
    ['GUEST_PANICKED', 1],
    ['RESUME', 2],
    ['RESUME', 0],
  ] as const) {
    await tell(event)
    assert.equal(made.panicsInARow, row, event)
  }
})

test('an agent that was restarted knows it from the history, unless the guest was reset or is another one', () => {
  const history = (...types: string[]): RecordedEvent[] =>
    types.map((type, n) => ({seq: n, atMs: n * 1000, pair: 'web1', type, data: {}}))
  const known = (...types: string[]): number | undefined => {
    const {made} = follower('primary', 'report')
    made.remember(history(...types))
    return made.panickedAtMs
  }
  assert.equal(known('RESET', 'GUEST_PANICKED', 'ATTACHED'), 1000)
  for (const after of ['RESET', 'QEMU_GONE', 'RELEASED'])
    assert.equal(known('GUEST_PANICKED', after, 'ATTACHED'), undefined)
})

test.run()

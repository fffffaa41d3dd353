import assert from 'node:assert/strict'
import {Writable} from 'node:stream'
import type {StepProgress} from '../../../src/agent/protocol.js'
import type {Plan} from '../../../src/plan/plan.js'
import {createProgress, displayFor, type Progress} from '../../../src/ui/tasks.js'
import {TaskBoard, type Outcome} from '../../../src/ui/task-board.js'
import {suite} from '../../support/suite.js'

const test = suite('tasks')

const plan: Plan = {
  id: 'p1',
  kind: 'create',
  pair: 'web1',
  title: 'create web1',
  finish: 'colo pair create web1',
  steps: [
    {id: 'alpha/dir', host: 'alpha', label: 'make directories', actions: []},
    {id: 'alpha/old', host: 'alpha', label: 'remove leftovers', actions: [], optional: true},
    {id: 'beta/copy', host: 'beta', label: 'copy the disks', actions: []},
    {id: 'beta/start', host: 'beta', label: 'start the secondary', actions: []},
  ],
}
const MiB = 1024 ** 2
const at = (step: string, state: StepProgress['state'], more: Partial<StepProgress> = {}): StepProgress => ({
  step,
  state,
  atMs: 0,
  ...more,
})

test('what it draws on: a terminal is live, everything else gets lines', () => {
  assert.equal(displayFor({isTerminal: false, env: {TERM: 'xterm'}}), 'lines')
  assert.equal(displayFor({isTerminal: true, env: {TERM: 'xterm'}}), 'live')
  assert.equal(displayFor({isTerminal: false, env: {}}), 'lines')
  for (const env of [{TERM: 'dumb'}, {JOURNAL_STREAM: '8:1'}, {CI: 'true'}]) {
    assert.equal(displayFor({isTerminal: true, env}), 'lines')
  }
})

test('outcomes: passed over, failed but optional, not reached', async () => {
  const notes: string[] = []
  const board = new TaskBoard(plan, {everyMs: 0, note: (text) => notes.push(text)})
  board.report('alpha', at('alpha/old', 'failed', {text: 'no such\nfile'}))
  board.report('beta', at('beta/copy', 'unchanged'))
  board.report('beta', at('beta/copy', 'undone'))
  board.report('beta', at('elsewhere', 'running', {text: 'hello'}))
  board.close()
  const outcomes: Outcome[] = await Promise.all(board.slots.map((slot) => slot.ended))
  assert.deepEqual(outcomes, [
    {kind: 'skipped'},
    {kind: 'failed', text: 'no such; file'},
    {kind: 'unchanged'},
    {kind: 'stopped'},
  ])
  assert.deepEqual(notes, ['beta: copy the disks: taken back', 'beta: hello'])
})

test('bytes get an amount and a mean rate, unless the agent wrote them', () => {
  const board = new TaskBoard(plan, {everyMs: 0, note: unexpected})
  const drawn: string[] = []
  board.slots[2]?.follow((text) => drawn.push(text))
  board.report('beta', at('beta/copy', 'running', {text: 'mirror', doneBytes: 0, totalBytes: 64 * MiB, atMs: 1000}))
  board.report(
    'beta',
    at('beta/copy', 'running', {text: 'mirror', doneBytes: 32 * MiB, totalBytes: 64 * MiB, atMs: 2000}),
  )
  board.report('beta', at('beta/copy', 'running', {text: '5 MiB of 64 MiB', doneBytes: 33 * MiB, atMs: 2100}))
  assert.deepEqual(drawn, [
    'mirror: 0 B of 64 MiB (0 %)',
    'mirror: 32 MiB of 64 MiB (50 %), 32 MiB/s',
    '5 MiB of 64 MiB',
  ])
})

test('lines: at most one text of a step in two seconds of its host', () => {
  const board = new TaskBoard(plan, {everyMs: 2000, note: unexpected})
  const drawn: string[] = []
  board.slots[2]?.follow((text) => drawn.push(text))
  for (const atMs of [0, 500, 1999, 2000, 2100, 4000])
    board.report('beta', at('beta/copy', 'running', {text: `t${atMs}`, atMs}))
  assert.deepEqual(drawn, ['t0', 't2000', 't4000'])
})

test('draws lines off a terminal: every step once, failure with its reason, the rest not at all', async () => {
  const {progress, text} = drawing()
  progress.sink.planned(plan)
  progress.sink.step('alpha', at('alpha/dir', 'unchanged'))
  progress.sink.step('alpha', at('alpha/old', 'failed', {text: 'busy'}))
  progress.sink.step('beta', at('beta/copy', 'started'))
  progress.sink.step('beta', at('beta/copy', 'failed', {text: 'disk full'}))
  await progress.end()
  const lines = text()
    .replace(/\d\d:\d\d:\d\d\.\d{3}/g, 'TIME')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  assert.deepEqual(lines, [
    '[STARTED] [TIME] alpha: make directories',
    '[COMPLETED] [TIME] alpha: make directories (was so already)',
    '[STARTED] [TIME] alpha: remove leftovers',
    '[FAILED] [TIME] alpha: remove leftovers: busy',
    '[STARTED] [TIME] beta: copy the disks',
    '[FAILED] [TIME] beta: copy the disks: disk full',
  ])
})

test('end settles twice, and without a plan', async () => {
  const {progress, text} = drawing()
  await progress.end()
  await progress.end()
  assert.equal(text(), '')
})

function drawing(): {progress: Progress; text: () => string} {
  const chunks: string[] = []
  const writable = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk.toString())
      done()
    },
  })
  const stream = Object.assign(writable, {columns: 0}) as unknown as NodeJS.WriteStream
  return {progress: createProgress({display: 'lines', commands: false, stream}), text: () => chunks.join('')}
}

function unexpected(what: unknown): never {
  throw new Error(`unexpected: ${String(what)}`)
}

test.run()

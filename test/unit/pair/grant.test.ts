import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import {RecordStore} from '../../../src/agent/record-store.js'
import {RefusedError} from '../../../src/errors.js'
import {forbidsAlone, forbidsOutput} from '../../../src/pair/grant.js'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {FakeFiles, world} from '../actions/context.js'

const test = suite('who may go on alone, as its own record tells it (S1, S2, S4)')
const first = firstGeneration('gen-1')
const second = nextGeneration(first, 'gen-2')
const rival = nextGeneration(first, 'gen-2b')

const forbidden: ReadonlyArray<readonly [string, PairRecord]> = [
  ['stale primary', recordOf('primary', {marks: {stale: 'lost'}})],
  ['a resync that has not ended', recordOf('secondary', {marks: {incomplete: {why: 'resync', detail: 'copying'}}})],
  ['missed writes', recordOf('secondary', {marks: {notPromotable: 'NBD was lost'}})],
  ['moved on since', recordOf('secondary', {generation: rival})],
  ['moved on since, twice', recordOf('primary', {generation: nextGeneration(second, 'gen-3'), alone: true})],
]
for (const [name, record] of forbidden) {
  test(`${name}: no grant, though a plan says so`, async () => {
    assert.notEqual(forbidsAlone(record, second), undefined)
    const store = storeOf(record)
    await assert.rejects(
      () => store.change({role: 'primary', generation: second, alone: true, marks: {}}),
      RefusedError,
    )
    assert.deepEqual((await store.read())?.marks, record.marks)
  })
}

test('the next generation is granted, and granted again', async () => {
  const commit = {why: 'commit', detail: 'merging'} as const
  const store = storeOf(recordOf('secondary'))
  await store.change({role: 'primary', generation: second, alone: true, marks: {incomplete: commit}})
  await store.change({role: 'primary', generation: second, alone: true})
  assert.equal(forbidsAlone(recordOf('primary', {alone: false}), first), 'generation 1 does not follow from its own, 1')
})

test('a tap of a copy that lost, or never won, does not come up (S1)', async () => {
  for (const record of [recordOf('secondary'), recordOf('primary', {marks: {stale: 'lost'}})]) {
    assert.notEqual(forbidsOutput(record), undefined)
    const {context, files, state} = world()
    state.record = record
    files.texts.set('/sys/class/net/co1/flags', '0x1002')
    await assert.rejects(() => performAction({kind: 'tap', tap: 'co1', state: 'up'}, context), RefusedError)
    assert.equal(files.texts.get('/sys/class/net/co1/flags'), '0x1002')
    await performAction({kind: 'tap', tap: 'co1', state: 'down'}, context)
  }
  assert.equal(forbidsOutput(recordOf('primary')), undefined)
})

test('lock-step is not left before the record says alone (S1)', async () => {
  const {context, model, session, state} = world()
  model.colo = {mode: 'primary', 'last-mode': 'none', reason: 'none'}
  state.record = recordOf('primary')
  await assert.rejects(() => performAction({kind: 'lost-heartbeat'}, context), RefusedError)
  assert.deepEqual(session.changes, [])
})

function storeOf(record: PairRecord): RecordStore {
  const files = new FakeFiles()
  files.texts.set('/s/record.json', JSON.stringify(record))
  const {host} = record
  return new RecordStore({files, directory: '/s', pair: 'web1', host, now: () => 1, onChange: () => undefined})
}

test.run()

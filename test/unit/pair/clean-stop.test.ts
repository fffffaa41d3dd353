import assert from 'node:assert/strict'
import {assess} from '../../../src/pair/assess.js'
import {areEqualCopies, cleanStopOf, judgeStop, type StopEvidence} from '../../../src/pair/clean-stop.js'
import {nextGeneration} from '../../../src/pair/generation.js'
import type {LatchedFact} from '../../../src/pair/observation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {memberOf, recordOf, seen} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('clean stop')
const primary = recordOf('primary')
const well: StopEvidence = {watched: true, missedWrites: false, latched: [], offAtMs: 1000, peerNodes: ['nbd0', 'nbd1']}
const fact = (kind: LatchedFact['kind'], detail: string, atMs = 500): LatchedFact => ({kind, detail, atMs})

const judgements: ReadonlyArray<
  readonly [name: string, record: PairRecord, evidence: Partial<StopEvidence>, verdict: 'equal' | 'only' | 'unclean']
> = [
  ['a protected pair in which nothing went wrong', primary, {}, 'equal'],
  ['lock-step ends with the primary', primary, {latched: [fact('colo-exit', 'primary: error', 1001)]}, 'equal'],
  ['lock-step had ended before', primary, {latched: [fact('colo-exit', 'primary: error', 999)]}, 'only'],
  ['a write did not arrive', primary, {missedWrites: true}, 'only'],
  [
    'the last flush did not arrive',
    primary,
    {latched: [fact('quorum-report-bad', 'flush on nbd1: EIO', 1001)]},
    'only',
  ],
  ['the NBD connection was lost', primary, {latched: [fact('nbd-lost', 'is lost')]}, 'only'],
  ['the agent did not watch all the time', primary, {watched: false}, 'only'],
  ['a copy that goes on alone', recordOf('primary', {alone: true, wasProtected: false}), {}, 'only'],
  ['not protected yet', recordOf('primary', {wasProtected: false}), {}, 'only'],
  [
    'a write failed on the disk here',
    primary,
    {latched: [fact('quorum-report-bad', 'write on parent0: EIO')]},
    'unclean',
  ],
  ['the guest saw an error', primary, {latched: [fact('block-io-error', 'write on colo-disk0: EIO')]}, 'unclean'],
  [
    'overlays not merged yet',
    recordOf('primary', {alone: true, marks: {incomplete: {why: 'commit', detail: 'merging'}}}),
    {},
    'unclean',
  ],
  ['a loser', recordOf('primary', {marks: {stale: 'the other side went on'}}), {}, 'unclean'],
  ['a secondary', recordOf('secondary'), {}, 'unclean'],
]
for (const [name, record, evidence, verdict] of judgements) {
  test(`${name}: ${verdict}`, () => {
    const found = judgeStop(record, {...well, ...evidence})
    assert.equal(typeof found === 'object' ? 'unclean' : found, verdict)
  })
}

const stopped = recordOf('primary', {clean: true})
const followed = recordOf('secondary', {clean: true})

test('two copies are equal only when both are clean in one generation and the primary said so (S4)', () => {
  assert.ok(areEqualCopies(stopped, followed))
  assert.ok(areEqualCopies(followed, stopped))
  const unequal: ReadonlyArray<readonly [PairRecord, PairRecord]> = [
    [primary, followed],
    [stopped, recordOf('secondary')],
    [recordOf('primary', {clean: true, wasProtected: false}), followed],
    [recordOf('primary', {clean: true, alone: true}), followed],
    [stopped, recordOf('secondary', {clean: true, marks: {stale: 'missed a write'}})],
    [stopped, recordOf('secondary', {clean: true, marks: {notPromotable: 'missed a write'}})],
    [recordOf('primary', {clean: true, generation: nextGeneration(primary.generation, 'gen-2')}), followed],
    [stopped, recordOf('primary', {host: 'beta', peer: 'alpha', clean: true})],
  ]
  for (const [a, b] of unequal) assert.ok(!areEqualCopies(a, b), JSON.stringify([a, b]))
})

test('only a primary says how it was stopped', () => {
  assert.equal(cleanStopOf(stopped), 'equal')
  assert.equal(cleanStopOf(recordOf('primary', {clean: true, wasProtected: false})), 'only')
  assert.equal(cleanStopOf(primary), undefined)
  assert.equal(cleanStopOf(followed), undefined)
})

const absent = {domain: 'absent', qmp: 'absent', vm: undefined} as const
const stateOf = (a: PairRecord, b: PairRecord, runs = false) =>
  assess(
    'web1',
    seen(memberOf('primary', {...absent, record: a}), memberOf('secondary', {...(runs ? {} : absent), record: b})),
    1_000_000,
  )

test('the state: stopping until the secondary has ended, then stopped', () => {
  assert.deepEqual(
    [stateOf(stopped, recordOf('secondary'), true).state, stateOf(stopped, followed).state],
    ['stopping', 'stopped'],
  )
  assert.deepEqual(stateOf(stopped, followed).reasons, [])
})

test('stopped with copies that differ says which one is whole', () => {
  const stale = recordOf('secondary', {marks: {stale: 'missed a write'}})
  const {state, reasons} = stateOf(recordOf('primary', {clean: true, wasProtected: false}), stale)
  assert.equal(state, 'stopped')
  assert.deepEqual(
    reasons.map(({code, host}) => [code, host]),
    [['copies-differ', 'beta']],
  )
})

test('a primary that died is not stopped, and its secondary may take over', () => {
  const {state, reasons} = stateOf(primary, recordOf('secondary'), true)
  assert.equal(state, 'suspect')
  assert.equal(reasons[0]?.remedy, 'colo pair failover web1 --to beta')
})

test('when only the clean secondary answers the pair is stopped, as far as anybody can tell', () => {
  const only = seen(memberOf('secondary', {...absent, record: followed}))
  assert.equal(assess('web1', [...only, {host: 'alpha', unreachable: 'no answer'}], 1_000_000).state, 'stopped')
})

test.run()

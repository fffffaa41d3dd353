import assert from 'node:assert/strict'
import {assess} from '../../../src/pair/assess.js'
import {meddlingReasons} from '../../../src/pair/health/meddling.js'
import type {MemberObservation, VmObservation} from '../../../src/pair/observation.js'
import {memberOf, recordOf, seen} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('what virsh does to a copy')
const vm = (change: Partial<VmObservation>): VmObservation => ({...memberOf('primary').vm!, ...change})
const alone = (change: Partial<MemberObservation>): MemberObservation =>
  memberOf('primary', {
    record: recordOf('primary', {alone: true, wasProtected: false}),
    vm: vm({coloMode: 'none'}),
    ...change,
  })

test('a copy that nobody meddles with has no reasons', () => {
  assert.deepEqual(meddlingReasons('web1', memberOf('primary')), [])
  assert.deepEqual(meddlingReasons('web1', alone({})), [])
})

test('a guest that stands still: alone until it is resumed, in lock-step until the next checkpoint', () => {
  const remedies = (member: MemberObservation) => meddlingReasons('web1', member).map(({remedy}) => remedy)
  assert.deepEqual(remedies(alone({vm: vm({coloMode: 'none', status: 'paused'})})), ['on alpha: virsh resume web1'])
  assert.deepEqual(remedies(memberOf('primary', {vm: vm({status: 'paused'})})), ['colo pair checkpoint web1'])
})

test('a guest whose kernel panicked is protected, and named with the command that resets it', () => {
  const members = seen(memberOf('primary', {panickedAtMs: 0}), memberOf('secondary'))
  const {state, reasons} = assess('web1', members, 1_000_000)
  assert.deepEqual([state, reasons.map(({remedy}) => remedy)], ['protected', ['on alpha: virsh reset web1']])
  assert.match(reasons[0]?.message ?? '', /panicked on alpha at 1970-01-01T00:00:00/)
})

test('a secondary that survives no checkpoint is doubtful, with the command that makes a new one; twice is not yet telling', () => {
  const state = (panicsInARow: number) => {
    const {state: word, reasons} = assess(
      'web1',
      seen(memberOf('primary'), memberOf('secondary', {panicsInARow})),
      1_000_000,
    )
    return [word, ...reasons.map(({code, remedy}) => `${code}: ${remedy ?? ''}`)]
  }
  assert.deepEqual(state(2), ['protected'])
  assert.deepEqual(state(3), ['suspect', 'secondary-panics: colo pair resync web1'])
})

test('an outdated copy of a host that is back says why it was not protected again, while the other one goes on', () => {
  const back = memberOf('secondary', {
    record: recordOf('secondary', {marks: {stale: 'alpha went on'}}),
    ...{domain: 'absent', qmp: 'absent', vm: undefined, boot: {kind: 'leave', why: 'resync: manual'}},
  })
  const {state, reasons} = assess('web1', seen(alone({}), back), 1_000_000)
  assert.equal(state, 'unprotected')
  const [left] = reasons.filter(({code}) => code === 'boot-left')
  assert.match(left?.message ?? '', /beta has not protected it again since the boot: resync: manual/)
  assert.equal(left?.remedy, 'colo pair resync web1')
})

test('the state says it, too', () => {
  const paused = alone({vm: vm({coloMode: 'none', status: 'paused'}), attached: ['rng0']})
  const {state, reasons} = assess('web1', [...seen(paused), {host: 'beta', unreachable: 'no answer'}], 1_000_000)
  assert.equal(state, 'unprotected')
  assert.deepEqual(
    reasons.map(({code}) => code).filter((code) => code !== 'no-secondary' && code !== 'unreachable'),
    ['guest-paused', 'device-attached'],
  )
  const lockStep = assess(
    'web1',
    seen(memberOf('primary', {vm: vm({status: 'paused'})}), memberOf('secondary')),
    1_000_000,
  )
  assert.deepEqual([lockStep.state, lockStep.reasons[0]?.code], ['suspect', 'guest-paused'])
})

test.run()

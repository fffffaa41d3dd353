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

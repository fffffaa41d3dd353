import * as assert from 'uvu/assert'

import {stepSchema} from '../../../src/agent/decode-action.js'
import {decode} from '../../../src/agent/decode.js'
import {assess} from '../../../src/pair/assess.js'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import type {MemberObservation, XenObservation} from '../../../src/pair/observation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {describePlan} from '../../../src/plan/describe.js'
import type {Plan} from '../../../src/plan/plan.js'
import {firstXenRecord, planXenCreate} from '../../../src/plan/xen/create.js'
import {planXenDestroy, planXenFailover, planXenResync, planXenStart, planXenStop} from '../../../src/plan/xen/life.js'
import {suite} from '../../support/suite.js'
import {coloPair, configOf, remusPair, xenIdentity} from '../../support/xen/config-cases.js'

const test = suite('plans and states of Xen pairs')

const identity = xenIdentity(remusPair)
const one = firstGeneration('gen-1')
const two = nextGeneration(one, 'gen-2')
const base = {planId: 'p', identity}
const sides = {primary: 'xa', secondary: 'xb', generation: one, buffering: false, nowMs: 0}
const failover = (role: 'primary' | 'secondary', loserReachable = true): Plan => {
  const [to, from] = role === 'primary' ? ['xa', 'xb'] : ['xb', 'xa']
  return planXenFailover({...base, to, from, role, generation: two, loserReachable})
}
const stop = (powerCut: boolean): Plan =>
  planXenStop({...base, primary: 'xa', secondary: 'xb', generation: two, guestMs: 1000, powerCut})
const plans: Readonly<Record<string, Plan>> = {
  create: planXenCreate({...base, generation: one, config: configOf(remusPair), buffering: false, nowMs: 0}),
  'create colo': planXenCreate({
    ...base,
    identity: xenIdentity(coloPair),
    generation: one,
    config: configOf(coloPair),
    buffering: true,
    nowMs: 0,
  }),
  'failover to the secondary': failover('secondary'),
  'failover to the primary': failover('primary'),
  resync: planXenResync({...base, ...sides, detachFirst: true, secondaryKnown: false}),
  destroy: planXenDestroy({...base, keep: 'xa', hosts: ['xa', 'xb']}),
  stop: stop(false),
  'stop by a power cut': stop(true),
  start: planXenStart({...base, host: 'xa', generation: two, config: configOf(remusPair)}),
}

for (const [name, plan] of Object.entries(plans)) {
  test(`${name}: steps can be sent, have names of their own, and can be read`, () => {
    for (const step of plan.steps) assert.equal(decode(stepSchema, JSON.parse(JSON.stringify(step)), 'step'), step)
    assert.is(new Set(plan.steps.map(({id}) => id)).size, plan.steps.length)
    if (plan.pointOfNoReturn !== undefined) assert.ok(plan.steps.some(({id}) => id === plan.pointOfNoReturn))
    assert.not.match(describePlan(plan), /TRANSPORT|undefined/)
  })
}

const order = (plan: Plan): string[] => plan.steps.map(({id}) => id)

test('S1, S2: the loser is silenced, then the grant is written, then the copy takes over; the loser ends last', () => {
  assert.equal(order(failover('secondary')), ['xa/fence', 'xb/alone', 'xb/promote', 'xa/stale', 'xa/end', 'xb/name'])
  assert.equal(order(failover('secondary', false)), ['xb/alone', 'xb/promote', 'xb/name'])
  assert.equal(order(failover('primary')), ['xa/alone', 'xa/release', 'xb/stale', 'xb/end', 'xa/name'])
})

test('S4: what may take over says so last; what is being received is nothing', () => {
  assert.is(order(plans['create']!).at(-1), 'xb/promotable')
  assert.equal(firstXenRecord({...base, generation: one, nowMs: 0}, 'secondary').marks.incomplete?.why, 'resync')
  assert.ok(order(plans['resync']!).indexOf('xb/record') < order(plans['resync']!).indexOf('xb/receive'))
})

test('a create that is taken back leaves neither record nor directory', () => {
  const steps = plans['create']!.steps.filter(({id}) => id.endsWith('/record'))
  for (const {undo = []} of steps) {
    assert.equal(
      undo.map(({kind}) => kind),
      ['directory-remove', 'directory-remove', 'record-remove'],
    )
  }
  assert.is(steps.length, 2)
})

test('stop asks the guest to power off, unless its power is cut', () => {
  const off = (plan: Plan): string | undefined => plan.steps.find(({id}) => id === 'xa/off')?.actions[0]?.kind
  assert.is(off(plans['stop']!), 'xen-shutdown')
  assert.is(off(plans['stop by a power cut']!), 'xen-domain')
})

test('COLO is paused before it is protected, Remus is not', () => {
  const paused = (plan: Plan): boolean =>
    plan.steps.some(({actions}) => actions.some((action) => action.kind === 'xen-run' && action.state === 'paused'))
  assert.ok(paused(plans['create colo']!))
  assert.not.ok(paused(plans['create']!))
})

const record = (role: 'primary' | 'secondary', change: Partial<PairRecord> = {}): PairRecord => ({
  ...firstXenRecord({...base, generation: one, nowMs: 0}, role),
  alone: false,
  wasProtected: true,
  marks: {},
  ...change,
})
const member = (host: string, known: PairRecord, xen: XenObservation, lastAtMs?: number): MemberObservation => ({
  host,
  atMs: 100_000,
  agent: {version: '0', startedAtMs: 0},
  record: known,
  lock: undefined,
  intent: undefined,
  domain: xen.domain === undefined ? 'absent' : 'running',
  qmp: 'absent',
  vm: undefined,
  nics: [],
  disks: [],
  checkpoints: {count: 3, lastAtMs, lastPauseMs: undefined, openForMs: undefined},
  latched: [],
  blindSince: undefined,
  peer: undefined,
  jobs: [],
  xen,
})
const domain = (name: string, state = 'running'): XenObservation['domain'] => ({domid: 1, name, state})
const streaming = {phase: 'streaming'} as const
const held = {phase: 'held', reason: 'cut'} as const
const word = (a: MemberObservation | undefined, b: MemberObservation | undefined): readonly [string, ...string[]] => {
  const seen = [
    a === undefined ? {host: 'xa', unreachable: 'no'} : {host: 'xa', member: a},
    b === undefined ? {host: 'xb', unreachable: 'no'} : {host: 'xb', member: b},
  ]
  const {state, reasons} = assess('xrem', seen, 100_000)
  return [state, ...reasons.map(({code}) => code)]
}
const primary = (xen: Partial<XenObservation> = {}, change: Partial<PairRecord> = {}): MemberObservation =>
  member('xa', record('primary', change), {domain: domain('xrem'), sender: streaming, receiver: undefined, ...xen})
const secondary = (xen: Partial<XenObservation> = {}, lastAtMs = 99_000): MemberObservation =>
  member(
    'xb',
    record('secondary'),
    {domain: domain('xrem--incoming', 'paused'), sender: undefined, receiver: streaming, ...xen},
    lastAtMs,
  )

test('states', () => {
  assert.equal(word(primary(), secondary()), ['protected'])
  assert.equal(word(primary(), secondary({}, 1000)), ['suspect', 'no-beat'])
  assert.equal(word(primary({sender: held}), secondary({receiver: held})), ['suspect', 'stream-broken'])
  const gone = secondary({domain: undefined, receiver: {phase: 'ended'}})
  assert.equal(word(primary({sender: held}), gone), ['suspect', 'stream-broken', 'secondary-gone'])
  assert.equal(word(primary({domain: undefined}), secondary({receiver: held})), ['suspect', 'primary-gone'])
  assert.equal(word(undefined, secondary({receiver: held})), ['suspect', 'unreachable'])
  assert.equal(word(undefined, secondary({receiver: {phase: 'lost'}})), ['failed', 'unreachable', 'not-promotable'])
  assert.equal(word(primary({problem: 'no xl'}), secondary()), ['suspect', 'no-toolstack'])
  assert.equal(word(primary({sender: undefined}, {alone: true}), undefined), [
    'unprotected',
    'no-secondary',
    'unreachable',
  ])
  const waiting = {domain: domain('xrem--incoming', 'paused'), sender: undefined, receiver: held}
  assert.equal(word(primary(waiting, {alone: true}), undefined), ['failing-over', 'not-promoted', 'unreachable'])
  assert.equal(word(primary({domain: undefined}, {alone: true, clean: true}), undefined)[0], 'stopped')
})

test.run()

import assert from 'node:assert/strict'
import {assess} from '../../../src/pair/assess.js'
import {layoutOf} from '../../../src/pair/layout.js'
import type {ForwardObservation, MemberObservation} from '../../../src/pair/observation.js'
import type {Role} from '../../../src/pair/record.js'
import {memberOf, recordOf, seen, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('pair/forwarding')

const spec = specOf({
  nics: specOf()
    .nics.slice(0, 1)
    .map((nic) => ({...nic, forward: {via: 'tc', nic: {same: 'fwd0'}}})),
})

const whole: ForwardObservation = {
  device: 'fwd0',
  carrier: true,
  touched: false,
  missing: [],
  foreign: [],
  hops: [],
  sent: 20,
  received: 20,
}

/** A healthy member of a pair with kernel forwarding; `unread` when the kernel could not be asked. */
function member(role: Role, change: Partial<ForwardObservation> | 'unread' = {}): MemberObservation {
  const healthy = memberOf(role, {record: recordOf(role, {spec})})
  const [nic] = layoutOf(spec).nics
  const [seenNic] = healthy.nics
  assert.ok(nic !== undefined && seenNic !== undefined)
  const {objects, chardevs} = nic
  const kept = seenNic.objects.filter(({id}) => ![objects.mirror, objects.inject, objects.divert].includes(id))
  const feed = {id: objects.feed, type: 'filter-redirector', on: true, vnetHdr: true}
  const {forward: _, ...plain} = {
    ...seenNic,
    objects: role === 'primary' ? [...kept, feed] : kept,
    chardevs: role === 'primary' ? seenNic.chardevs.filter(({id}) => id !== chardevs.mirrorLink) : [],
    tapState: 'up' as const,
  }
  const bridged = role === 'primary' ? plain : {...plain, bridge: undefined}
  return {...healthy, nics: [change === 'unread' ? bridged : {...bridged, forward: {...whole, ...change}}]}
}

function codes(primary: MemberObservation, secondary: MemberObservation): string[] {
  const {state, reasons} = assess('web1', seen(primary, secondary), 1_000_000)
  return [state, ...reasons.map(({code, host}) => `${code} ${host ?? ''}`)]
}

test('whole: protected', () => {
  assert.deepEqual(codes(member('primary'), member('secondary')), ['protected'])
})

const faults: ReadonlyArray<readonly [string, MemberObservation, MemberObservation, readonly string[]]> = [
  ['the kernel cannot be asked', member('primary'), member('secondary', 'unread'), ['suspect', 'unseen beta']],
  [
    'no carrier, and so nothing arrives',
    member('primary', {carrier: false, touched: true}),
    member('secondary', {carrier: false, touched: true, received: 0}),
    ['unprotected', 'forward-no-carrier alpha', 'forward-no-carrier beta'],
  ],
  [
    'whole again after a cut',
    member('primary', {touched: true}),
    member('secondary', {touched: true}),
    ['suspect', 'forward-touched alpha', 'forward-touched beta'],
  ],
  [
    'an address on the forward NIC',
    member('primary', {foreign: ['fwd0 has the address 10.9.9.1']}),
    member('secondary'),
    ['unprotected', 'forward-reused alpha'],
  ],
  [
    'a rule is gone',
    member('primary'),
    member('secondary', {missing: ['redirect from fwd0 ingress to tap']}),
    ['unprotected', 'forward-rules beta'],
  ],
  [
    'nothing of what the primary sends arrives',
    member('primary', {sent: 3}),
    member('secondary', {received: 0}),
    ['unprotected', 'forward-silent beta'],
  ],
  [
    'nothing of what the secondary answers arrives, after the cable was re-plugged',
    member('primary', {received: 0, touched: true}),
    member('secondary', {sent: 9}),
    ['unprotected', 'forward-touched alpha', 'forward-silent alpha'],
  ],
]

for (const [name, primary, secondary, expected] of faults) {
  test(name, () => {
    assert.deepEqual(codes(primary, secondary), expected)
  })
}

test('an idle link, single frames and a watch that has just begun tell nothing', () => {
  assert.deepEqual(codes(member('primary', {sent: 0}), member('secondary', {received: 0})), ['protected'])
  assert.deepEqual(codes(member('primary', {sent: 2}), member('secondary', {received: 0})), ['protected'])
  assert.deepEqual(codes(member('primary', {sent: undefined}), member('secondary', {received: 0})), ['protected'])
})

test('a tap of the secondary in a bridge, or down, is a fault (S1)', () => {
  const [nic] = member('secondary').nics
  assert.ok(nic !== undefined)
  const bridged = {...member('secondary'), nics: [{...nic, bridge: 'br0'}]}
  assert.deepEqual(codes(member('primary'), bridged), ['unprotected', 'secondary-tap-bridged beta'])
  const down = {...member('secondary'), nics: [{...nic, tapState: 'down' as const}]}
  assert.deepEqual(codes(member('primary'), down), ['unprotected', 'secondary-tap-down beta'])
})

test.run()

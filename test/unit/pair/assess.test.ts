import * as assert from 'uvu/assert'
import {assess, authorityOf} from '../../../src/pair/assess.js'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import {layoutOf} from '../../../src/pair/layout.js'
import type {MemberObservation} from '../../../src/pair/observation.js'
import {memberOf, recordOf, seen, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('assess')
const now = 1_000_000
const primary = memberOf('primary')
const secondary = memberOf('secondary')
const state = (...members: MemberObservation[]) => assess('web1', seen(...members), now)
const codes = (...members: MemberObservation[]) => state(...members).reasons.map(({code}) => code)

test('two healthy members are protected, with no reason against', () => {
  const status = state(primary, secondary)
  assert.is(status.state, 'protected')
  assert.equal(status.reasons, [])
  assert.is(status.primary, 'alpha')
  assert.is(status.secondary, 'beta')
})

test('a primary that goes on alone but has not left lock-step may be held: that is said, with what lets it go', () => {
  const record = recordOf('primary', {alone: true, wasProtected: false})
  const status = assess('web1', [...seen({...primary, record}), {host: 'beta', unreachable: 'no answer'}], now)
  assert.is(status.state, 'suspect')
  assert.is(status.reasons[0]?.code, 'not-released')
  assert.is(status.reasons[0]?.remedy, 'colo pair failover web1 --to alpha')
})

test('two generations in lock-step are not protected (S7)', () => {
  const newer = nextGeneration(recordOf('primary').generation, 'gen-2')
  const record = recordOf('primary', {generation: newer})
  assert.equal(codes({...primary, record}, secondary), ['other-generation'])
  assert.is(state({...primary, record}, secondary).state, 'unprotected')
})

test('no room left on the secondary: named first, before and after its copy is known to be unequal', () => {
  const noRoom = 'write on nbd0: No space left on device'
  const wrote = memberOf('primary', {latched: [{kind: 'quorum-report-bad', atMs: 1, detail: noRoom}]})
  const own = {kind: 'block-io-error', atMs: 1, detail: 'write on : No space left on device'} as const
  const marked = {record: recordOf('secondary', {marks: {notPromotable: 'a checkpoint completed after missed writes'}})}
  for (const [code, other] of [
    ['disk-full', secondary],
    ['disk-full', {...secondary, ...marked}],
    ['scratch-full', memberOf('secondary', {latched: [own]})],
    ['scratch-full', {...memberOf('secondary', {latched: [own]}), ...marked}],
  ] as const) {
    const {state: word, reasons} = state(wrote, other)
    assert.equal([word, reasons[0]?.code, reasons[0]?.host], ['unprotected', code, 'beta'])
    assert.match(reasons[0]?.message ?? '', new RegExp(`^${code.replace('-', ' ')}: no room`))
    assert.is(reasons[0]?.remedy, 'colo pair resync web1')
  }
  const roomOf = (scratch: number, images: number) => [
    {what: 'scratch' as const, path: '/run/colo/scratch', availableBytes: scratch},
    {what: 'images' as const, path: '/var/lib/colo/images', availableBytes: images},
  ]
  const [none, plenty] = [65_536, 10 * 1024 ** 3]
  for (const [room, expected] of [
    [roomOf(none, plenty), [['scratch-full', /^scratch full: .* on beta \(\/run\/colo\/scratch\); make room/]]],
    [roomOf(plenty, none), [['disk-full', /^disk full: .* wrote \(\/var\/lib\/colo\/images\); make room/]]],
    [
      roomOf(none, none),
      [
        ['scratch-full', /scratch\); make room/],
        ['disk-full', /images\); make room/],
      ],
    ],
    [roomOf(plenty, plenty), [['disk-full', /in its images or in scratch; there is room again now/]]],
  ] as const) {
    const {reasons} = state(wrote, {...secondary, ...marked, room})
    const full = reasons.filter(({code}) => code.endsWith('-full'))
    assert.equal(
      full.map(({code}) => code),
      expected.map(([code]) => code),
    )
    for (const [index, [, text]] of expected.entries()) assert.match(full[index]?.message ?? '', text)
  }
  assert.equal(codes(primary, {...secondary, room: roomOf(none, none)}), [], 'little room alone is no fault')
  const elsewhere = 'write on parent0: No space left on device'
  const ownDisk = memberOf('primary', {latched: [{kind: 'quorum-report-bad', atMs: 1, detail: elsewhere}]})
  assert.equal(codes(ownDisk, secondary), ['quorum-report-bad'])
})

test('a NIC that lets uncompared frames pass qualifies the word', () => {
  const spec = specOf()
  const nics = spec.nics.map((nic) => ({...nic, uncompared: 'pass' as const}))
  const record = {spec: {...spec, nics}}
  const members = [
    memberOf('primary', {record: recordOf('primary', record)}),
    memberOf('secondary', {record: recordOf('secondary', record)}),
  ]
  assert.is(assess('web1', seen(...members), now).qualifier, 'IPv4 only on net0, net1')
})

/** Every silent fault of S7: the change, and the code that must be named. */
const nic0 = layoutOf(specOf()).nics[0]!
const faults: ReadonlyArray<
  readonly [name: string, members: readonly [MemberObservation, MemberObservation], code: string]
> = [
  ['mirror filter missing', [withoutObject(primary, nic0.objects.mirror), secondary], 'filter-missing'],
  ['comparer missing', [withoutObject(primary, nic0.objects.compare), secondary], 'filter-missing'],
  ['inject filter missing', [primary, withoutObject(secondary, nic0.objects.inject)], 'filter-missing'],
  ['rewriter missing', [primary, withoutObject(secondary, nic0.objects.rewriter)], 'filter-missing'],
  ['capture filter off', [withObject(primary, nic0.objects.capture, {on: false}), secondary], 'filter-off'],
  [
    'vnet_hdr missing on the comparer',
    [withObject(primary, nic0.objects.compare, {vnetHdr: false}), secondary],
    'vnet-hdr',
  ],
  [
    'vnet_hdr missing on the secondary',
    [primary, withObject(secondary, nic0.objects.inject, {vnetHdr: false})],
    'vnet-hdr',
  ],
  [
    'comparer fed by one side',
    [withChardev(primary, nic0.chardevs.compareLink, {connected: false}), secondary],
    'link-lost',
  ],
  [
    'mirror dropped once',
    [primary, withChardev(secondary, nic0.chardevs.mirrorLink, {frontendOpen: false})],
    'mirror-dropped',
  ],
  ['tap rules gone', [withNic(primary, {tapFilter: false}), secondary], 'tap-filter-missing'],
  ['secondary tap up', [primary, withNic(secondary, {tapState: 'up'})], 'secondary-tap-up'],
  ['primary tap down', [withNic(primary, {tapState: 'down'}), secondary], 'tap-down'],
  ['disk not replicated', [withDisk(primary, {children: ['parent0']}), secondary], 'not-replicated'],
  ['NBD connection lost', [withDisk(primary, {replication: 'lost'}), secondary], 'nbd-lost'],
  ['NBD connection replaced', [primary, withDisk(secondary, {replication: 'changed'})], 'nbd-lost'],
  ['export gone', [primary, withDisk(secondary, {exported: false})], 'not-exported'],
  ['overlays gone', [primary, withDisk(secondary, {overlays: false})], 'overlays-missing'],
  [
    'no checkpoint for long',
    [
      memberOf('primary', {checkpoints: {count: 3, lastAtMs: 980_000, lastPauseMs: 4, openForMs: undefined}}),
      secondary,
    ],
    'no-beat',
  ],
  [
    'no checkpoint ever',
    [
      primary,
      memberOf('secondary', {
        checkpoints: {count: 0, lastAtMs: undefined, lastPauseMs: undefined, openForMs: undefined},
      }),
    ],
    'no-checkpoint',
  ],
  [
    'a latched write error',
    [memberOf('primary', {latched: [{kind: 'quorum-report-bad', atMs: 1, detail: 'write to nbd0 failed'}]}), secondary],
    'quorum-report-bad',
  ],
  ['the agent was blind', [primary, memberOf('secondary', {blindSince: 5})], 'unwatched'],
  ['QEMU hung on the primary', [memberOf('primary', {qmp: 'hung', vm: undefined}), secondary], 'hung'],
  ['QEMU hung on the secondary', [primary, memberOf('secondary', {qmp: 'hung', vm: undefined})], 'hung'],
  [
    'the secondary died',
    [primary, memberOf('secondary', {domain: 'absent', qmp: 'absent', vm: undefined})],
    'secondary-gone',
  ],
  [
    'the primary died',
    [memberOf('primary', {domain: 'absent', qmp: 'absent', vm: undefined}), secondary],
    'primary-gone',
  ],
  [
    'left lock-step',
    [
      primary,
      memberOf('secondary', {vm: {status: 'running', coloMode: 'none', migration: 'completed', qemuVersion: '11.1.3'}}),
    ],
    'not-in-lock-step',
  ],
]
for (const [name, members, code] of faults) {
  test(`never protected: ${name}`, () => {
    const status = state(...members)
    assert.is.not(status.state, 'protected')
    assert.ok(codes(...members).includes(code), `${status.reasons.map((each) => each.code).join(', ')} has no ${code}`)
    assert.ok(status.reasons.every(({remedy, code}) => remedy !== undefined || code === 'unreachable'))
  })
}

test('a silent peer makes the pair suspect and names the failover', () => {
  const silent = {host: 'alpha', unreachable: 'no answer within 5 s'}
  const status = assess('web1', [silent, ...seen(secondary)], now)
  assert.is(status.state, 'suspect')
  assert.is(status.reasons[0]?.remedy, 'colo pair failover web1 --to beta')
})

test('a copy that missed writes is not offered for failover', () => {
  const silent = {host: 'alpha', unreachable: 'no answer within 5 s'}
  const record = recordOf('secondary', {marks: {notPromotable: 'the NBD connection was lost'}})
  const status = assess('web1', [silent, ...seen(memberOf('secondary', {record}))], now)
  assert.is(status.state, 'failed')
  assert.ok(status.reasons.some(({code}) => code === 'not-promotable'))
  const remedies = status.reasons.flatMap(({remedy}) => remedy ?? [])
  assert.equal(remedies, ['bring alpha back: its copy may be the only one with every write'], 'no resync without alpha')
})

test('both alone in unrelated generations is split-brain, whichever number is higher', () => {
  const base = firstGeneration('gen-1')
  const a = memberOf('primary', {
    record: recordOf('primary', {alone: true, generation: nextGeneration(base, 'gen-2a')}),
  })
  const higher = nextGeneration(nextGeneration(base, 'gen-2b'), 'gen-3b')
  const b = memberOf('secondary', {record: recordOf('secondary', {role: 'primary', alone: true, generation: higher})})
  assert.is(state(a, b).state, 'split-brain')
})

test('the descendant is authoritative and the ancestor is not', () => {
  const base = firstGeneration('gen-1')
  const record = recordOf('secondary', {role: 'primary', alone: true, generation: nextGeneration(base, 'gen-2')})
  const {primary: leader} = authorityOf(seen(primary, memberOf('secondary', {record})))
  assert.is(leader?.host, 'beta')
})

test('alone and running is unprotected; with overlays still merging it is committing', () => {
  const vm = {status: 'running', coloMode: 'none', migration: 'completed', qemuVersion: '11.1.3'} as const
  const alone = recordOf('primary', {alone: true})
  assert.is(state(memberOf('primary', {record: alone, vm})).state, 'unprotected')
  const marks = {incomplete: {why: 'commit', detail: 'merging'}} as const
  assert.is(state(memberOf('primary', {record: {...alone, marks}, vm})).state, 'committing')
})

test('the new generation written but QEMU not promoted is failing-over, with the command that finishes', () => {
  const record = recordOf('secondary', {
    role: 'primary',
    alone: true,
    generation: nextGeneration(firstGeneration('gen-1'), 'gen-2'),
    marks: {incomplete: {why: 'commit', detail: 'merging'}},
  })
  const status = state(primary, memberOf('secondary', {record}))
  assert.is(status.state, 'failing-over')
  assert.is(status.reasons[0]?.remedy, 'colo pair failover web1 --to beta')
})

test('an intent nobody works on is named with the command that finishes it', () => {
  const intent = {
    plan: 'p1',
    kind: 'resync',
    title: 'protect web1 again',
    startedAtMs: 1,
    owner: 'x',
    done: [],
    committed: false,
    finish: 'colo pair resync web1',
  }
  const status = state(memberOf('primary', {intent}), secondary)
  assert.is(status.state, 'suspect')
  assert.is(status.reasons[0]?.code, 'interrupted')
  assert.is(status.reasons[0]?.remedy, 'colo pair resync web1')
})

test('a running resync shows as resyncing', () => {
  const intent = {
    plan: 'p1',
    kind: 'resync',
    title: 'protect web1 again',
    startedAtMs: 1,
    owner: 'x',
    done: [],
    committed: false,
    finish: 'colo pair resync web1',
  }
  const lock = {owner: 'root@a pid 1', purpose: 'resync', sinceMs: 1}
  assert.is(state(memberOf('primary', {intent, lock}), secondary).state, 'resyncing')
})

function withoutObject(member: MemberObservation, id: string): MemberObservation {
  return {...member, nics: member.nics.map((nic) => ({...nic, objects: nic.objects.filter((each) => each.id !== id)}))}
}

function withObject(
  member: MemberObservation,
  id: string,
  change: {on?: boolean; vnetHdr?: boolean},
): MemberObservation {
  const objects = (nic: MemberObservation['nics'][number]) =>
    nic.objects.map((each) => (each.id === id ? {...each, ...change} : each))
  return {...member, nics: member.nics.map((nic) => ({...nic, objects: objects(nic)}))}
}

function withChardev(
  member: MemberObservation,
  id: string,
  change: {connected?: boolean; frontendOpen?: boolean},
): MemberObservation {
  const chardevs = (nic: MemberObservation['nics'][number]) =>
    nic.chardevs.map((each) => (each.id === id ? {...each, ...change} : each))
  return {...member, nics: member.nics.map((nic) => ({...nic, chardevs: chardevs(nic)}))}
}

function withNic(member: MemberObservation, change: Partial<MemberObservation['nics'][number]>): MemberObservation {
  return {...member, nics: member.nics.map((nic, index) => (index === 0 ? {...nic, ...change} : nic))}
}

function withDisk(member: MemberObservation, change: Partial<MemberObservation['disks'][number]>): MemberObservation {
  return {...member, disks: member.disks.map((disk, index) => (index === 0 ? {...disk, ...change} : disk))}
}

test.run()

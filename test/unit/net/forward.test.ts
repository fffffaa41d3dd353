import assert from 'node:assert/strict'
import {
  conflictsOf,
  stepsDown,
  stepsRelease,
  stepsRestore,
  stepsUp,
  type NetStep,
} from '../../../src/net/forward/converge.js'
import {
  hooksOf,
  parseLinks,
  parseQdiscs,
  parseRules,
  type ObservedLink,
  type ObservedNetwork,
} from '../../../src/net/forward/observed.js'
import type {Dialect} from '../../../src/net/forward/rules.js'
import {wishOf} from '../../../src/net/forward/wish.js'
import * as xen from '../../../src/net/forward/xen.js'
import type {ForwardPath} from '../../../src/plan/action.js'
import {apply} from '../../support/fake-kernel.js'
import {assertGolden} from '../../support/golden.js'
import {suite} from '../../support/suite.js'

const test = suite('net/forward')

const path: ForwardPath = {
  owner: 'web1/net0',
  cookie: '636f6c6f525400770010',
  tap: 'co525400770010',
  ifb: 'ci525400770010',
  feedTap: 'cf525400770010',
  vlanDevice: 'cv525400770010',
  nic: 'eth2',
  bridge: 'br0',
  vnetHdr: true,
}
const vlan: ForwardPath = {...path, vlan: 101}
const primary = {role: 'primary', mirror: true, uid: 64_055} as const
const secondary = {role: 'secondary', mirror: false, uid: 64_055} as const

function link(name: string, change: Partial<ObservedLink> = {}): ObservedLink {
  return {
    name,
    index: 3,
    kind: '',
    up: true,
    carrier: true,
    promiscuous: false,
    mtu: 1500,
    master: undefined,
    alias: undefined,
    below: undefined,
    addresses: [],
    rxPackets: 0,
    txPackets: 0,
    ...change,
  }
}

const host: ObservedNetwork = {links: [link('eth2'), link(path.tap, {kind: 'tun'})], qdiscs: [], rules: []}

test('all rules, for every kernel, role and engine, as a person could type them', () => {
  const blocks: Array<readonly [string, readonly string[]]> = []
  for (const dialect of ['clsact', 'ingress-prio'] as const satisfies readonly Dialect[]) {
    for (const [name, each] of [
      ['', path],
      [' on a VLAN', vlan],
    ] as const) {
      for (const role of [primary, secondary]) {
        const steps = stepsUp(wishOf(each, role), host, dialect)
        const after = apply(host, steps)
        blocks.push([`${role.role}${name}, ${dialect}`, steps.map(text)])
        blocks.push([`${role.role}${name}, ${dialect}: down`, stepsDown(each, after).map(text)])
      }
    }
    blocks.push([`failover, ${dialect}`, stepsRelease(path, dialect).map(text)])
  }
  const plain = stepsUp(wishOf({...path, vnetHdr: false}, primary), host, 'clsact')
  blocks.push(['primary, a NIC without vnet header, clsact', plain.map(text)])
  const vif = {vif: 'vif1.0-emu', forward: 'eth2', bridge: 'xenbr0'}
  const buffer = {vif: 'vif1.0', ifb: 'ifb0'}
  blocks.push(['Xen kernel proxy, primary', xen.xenPrimaryUp(vif).map((argv) => argv.join(' '))])
  blocks.push(['Xen kernel proxy, primary: down', xen.xenPrimaryDown(vif).map((argv) => argv.join(' '))])
  blocks.push(['Xen kernel proxy, secondary', xen.xenSecondaryUp(vif).map((argv) => argv.join(' '))])
  blocks.push(['Xen kernel proxy, secondary: down', xen.xenSecondaryDown(vif).map((argv) => argv.join(' '))])
  blocks.push(['Remus network buffer', xen.remusBufferUp(buffer).map((argv) => argv.join(' '))])
  blocks.push(['Remus network buffer: down', xen.remusBufferDown(buffer).map((argv) => argv.join(' '))])
  const all = blocks.map(([title, lines]) => `# ${title}\n${lines.map((line) => `${line}\n`).join('')}`).join('\n')
  assertGolden(new URL('../../golden/net/rules.txt', import.meta.url), all)
})

for (const dialect of ['clsact', 'ingress-prio'] as const) {
  for (const role of [primary, secondary]) {
    for (const [name, each] of [
      ['NIC', path],
      ['VLAN', vlan],
    ] as const) {
      test(`${role.role} on a ${name}, ${dialect}: cut off after any step it is completed, and down leaves nothing`, () => {
        const wish = wishOf(each, role)
        const all = stepsUp(wish, host, dialect).filter((step) => 'argv' in step)
        for (let done = 0; done <= all.length; done++) {
          const cut = apply(host, all.slice(0, done))
          assert.deepEqual(conflictsOf(wish, cut, true), [], `after ${done} steps`)
          const whole = apply(cut, stepsUp(wish, cut, dialect))
          assert.deepEqual(
            stepsUp(wish, whole, dialect).filter((step) => 'argv' in step),
            [],
            `after ${done} steps`,
          )
          const down = apply(cut, stepsDown(each, cut))
          const saved = {
            nic: 'eth2',
            users: [],
            before: {up: true, promiscuous: false, ipv6: '0' as const},
            proven: {carrierChanges: '1', index: 3},
          }
          const restored = apply(down, stepsRestore(saved, down))
          assert.deepEqual(restored.qdiscs, [], `after ${done} steps`)
          assert.deepEqual(restored.rules, [], `after ${done} steps`)
          assert.deepEqual(restored.links, host.links, `after ${done} steps`)
        }
      })
    }
  }
}

test('a former role leaves nothing: what was a secondary becomes a primary, without the mirror until it is wanted', () => {
  const was = apply(host, stepsUp(wishOf(path, secondary), host, 'clsact'))
  const wish = wishOf(path, {...primary, mirror: false})
  const now = apply(was, stepsUp(wish, was, 'clsact'))
  const kept = now.rules.map(({device, hook, verb, to}) => `${device} ${hook} ${verb ?? ''} ${to ?? ''}`).sort()
  assert.deepEqual(kept, ['ci525400770010 egress redirect cf525400770010', 'eth2 ingress redirect ci525400770010'])
})

test('a rule of an older release, without the leveller or with another one, is replaced', () => {
  const wish = wishOf(path, primary)
  const now = apply(host, stepsUp(wish, host, 'clsact'))
  for (const old of [
    {kind: 'u32', program: undefined},
    {kind: 'bpf', program: 'colo_level_0.o:[colo_level_0]'},
  ]) {
    const was = {...now, rules: now.rules.map((rule) => (rule.kind === 'bpf' ? {...rule, ...old} : rule))}
    const lines = stepsUp(wish, was, 'clsact')
      .map(text)
      .filter((line) => line.startsWith('tc'))
    assert.equal(lines.length, 2, lines.join('\n'))
    assert.equal(lines[0], `tc filter del dev ${path.ifb} egress protocol all prio 10 ${old.kind}`)
    assert.match(
      lines[1] ?? '',
      /^tc filter add dev ci525400770010 egress .* bpf object-file \/run\/colo\/tc\/colo_level_1\.o /,
    )
  }
})

test('on a secondary nothing is switched on before its output is taken away from the tap', () => {
  const off = {...host, links: [link('eth2', {up: false}), link(path.tap, {kind: 'tun', up: false})]}
  const lines = stepsUp(wishOf(path, secondary), off, 'clsact').map(text)
  const redirect = lines.findIndex((line) => line.includes(`dev ${path.tap} ingress`))
  const up = lines.indexOf(`ip link set dev ${path.tap} up`)
  assert.ok(redirect >= 0 && up > redirect, lines.join('\n'))
})

const conflicts: ReadonlyArray<readonly [string, Partial<ObservedNetwork> & {nic?: Partial<ObservedLink>}, RegExp]> = [
  ['an address', {nic: {addresses: ['192.0.2.7']}}, /^eth2 has the address 192\.0\.2\.7$/],
  ['a bridge', {nic: {master: 'br7'}}, /^eth2 belongs to br7$/],
  [
    'a VLAN of somebody else',
    {links: [link('eth2'), link('eth2.5', {below: 'eth2', kind: 'vlan'})]},
    /^eth2\.5 is stacked on eth2$/,
  ],
  [
    'a root qdisc',
    {qdiscs: [{device: 'eth2', kind: 'tbf', handle: '8001:', root: true}]},
    /^eth2 has the root qdisc tbf 8001:$/,
  ],
  ['a clsact', {qdiscs: [{device: 'eth2', kind: 'clsact', handle: 'ffff:', root: false}]}, /^eth2 has a clsact qdisc$/],
  [
    'a filter',
    {
      qdiscs: [{device: 'eth2', kind: 'clsact', handle: 'ffff:', root: false}],
      rules: [
        {
          device: 'eth2',
          hook: 'egress',
          protocol: 'ip',
          preference: 49_152,
          kind: 'bpf',
          program: undefined,
          action: undefined,
          verb: undefined,
          to: undefined,
          cookie: undefined,
          packets: 0,
          bytes: 0,
          drops: 0,
        },
      ],
    },
    /^eth2 egress has a filter \(protocol ip pref 49152 bpf\)$/,
  ],
  [
    'a device of our name',
    {links: [link('eth2'), link(path.ifb, {kind: 'bridge'})]},
    /^ci525400770010 exists and is not ours/,
  ],
  ['no NIC', {links: []}, /^there is no interface eth2$/],
]

for (const [name, {nic, ...seen}, expected] of conflicts) {
  test(`refused by name: ${name}`, () => {
    const links = seen.links ?? [link('eth2', nic), link(path.tap, {kind: 'tun'})]
    const found = conflictsOf(wishOf(path, primary), {...host, ...seen, links}, false)
    assert.equal(found.length, 1, found.join('\n'))
    assert.match(found[0] ?? '', expected)
  })
}

test('rules of another NIC of colo are in the way on a NIC, but not on one that carries VLANs', () => {
  const other = {...path, owner: 'db/net0', cookie: '636f6c6f525400770099', tap: 'co525400770099'}
  const both = {...host, links: [...host.links, link(other.tap, {kind: 'tun'})]}
  const seen = apply(both, stepsUp(wishOf(other, secondary), both, 'clsact'))
  assert.match(conflictsOf(wishOf(path, secondary), seen, true).join('\n'), /another NIC of colo/)
  const first = apply(host, stepsUp(wishOf(vlan, secondary), host, 'clsact'))
  const second = wishOf({...other, vlanDevice: 'cv525400770099', vlan: 102}, secondary)
  assert.deepEqual(conflictsOf(second, first, true), [])
})

test('down never touches what is foreign', () => {
  const up = apply(host, stepsUp(wishOf(path, primary), host, 'clsact'))
  const foreign = {...(up.rules[0] ?? assert.fail()), device: path.tap, cookie: undefined, preference: 7}
  const down = apply({...up, rules: [...up.rules, foreign]}, stepsDown(path, {...up, rules: [...up.rules, foreign]}))
  assert.deepEqual(down.rules, [foreign])
  assert.deepEqual(
    down.qdiscs.filter(({device}) => device === path.tap).map(({kind}) => kind),
    ['clsact'],
  )
})

test('what tc and ip print is read', () => {
  const [rule, ...more] = parseRules(
    '[{"protocol":"all","pref":10,"kind":"u32","chain":0},{"protocol":"all","pref":10,"kind":"u32","chain":0,"options":{"fh":"800:","ht_divisor":1}},{"protocol":"all","pref":10,"kind":"u32","chain":0,"options":{"fh":"800::800","order":2048,"key_ht":"800","bkt":"0","not_in_hw":true,"match":{"value":"0","mask":"0","offmask":"","off":0},"actions":[{"order":1,"kind":"mirred","mirred_action":"redirect","direction":"egress","to_dev":"ci1","control_action":{"type":"stolen"},"index":1,"ref":1,"bind":1,"installed":0,"last_used":0,"stats":{"bytes":396,"packets":9,"drops":1,"overlimits":9,"requeues":0,"backlog":0,"qlen":0},"cookie":"636f6c6f525400770010"}]}}]\n',
    [{device: 'f0', hook: 'ingress', dialect: 'clsact'}],
  )
  assert.deepEqual(more, [])
  assert.deepEqual(rule, {
    device: 'f0',
    hook: 'ingress',
    protocol: 'all',
    preference: 10,
    kind: 'u32',
    action: 'mirred',
    program: undefined,
    verb: 'redirect',
    to: 'ci1',
    cookie: '636f6c6f525400770010',
    packets: 9,
    bytes: 396,
    drops: 1,
  })
  const qdiscs = parseQdiscs(
    '[{"kind":"noqueue","handle":"0:","dev":"f1","root":true,"refcnt":2,"options":{}},{"kind":"clsact","handle":"ffff:","dev":"f0","parent":"ffff:fff1","options":{}},{"kind":"ingress","handle":"ffff:","dev":"f2","parent":"ffff:fff1","options":{}},{"kind":"prio","handle":"1:","dev":"f2","root":true}]',
  )
  assert.deepEqual(
    hooksOf(qdiscs).map(({device, hook, dialect}) => `${device} ${hook} ${dialect}`),
    ['f0 ingress clsact', 'f0 egress clsact', 'f2 ingress ingress-prio', 'f2 egress ingress-prio'],
  )
  const [tap] = parseLinks(
    '[{"ifindex":5,"ifname":"cf1","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP","PROMISC"],"mtu":1500,"linkinfo":{"info_kind":"tun"},"ifalias":"colo web1/net0","addr_info":[{"family":"inet6","local":"fe80::1"},{"family":"inet","local":"192.0.2.1"}],"stats64":{"rx":{"packets":3},"tx":{"packets":4}}},{}]',
  )
  assert.deepEqual(
    tap,
    link('cf1', {
      index: 5,
      kind: 'tun',
      carrier: false,
      promiscuous: true,
      alias: 'colo web1/net0',
      addresses: ['192.0.2.1'],
      rxPackets: 3,
      txPackets: 4,
    }),
  )
})

test('anything else is an error that names its source', () => {
  assert.throws(() => parseLinks('no'), /ip.*JSON/)
  assert.throws(() => parseQdiscs('[{"dev":"f0"}]'), /tc.*a qdisc/)
  assert.throws(() => parseRules('', [{device: 'f0', hook: 'ingress', dialect: 'clsact'}]), /1 lists of filters, not 0/)
})

function text(step: NetStep): string {
  return 'argv' in step ? step.argv.join(' ') : `echo ${step.text} >${step.path}`
}

test.run()

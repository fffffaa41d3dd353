import assert from 'node:assert/strict'
import {checkForwarding, checkPairForwarding} from '../../../src/host/rules/forwarding.js'
import {allowsTun, kernelOf, kernelPieces, offloadsIn} from '../../../src/host/probe/forwarding.js'
import type {ForwardFacts, HostFacts} from '../../../src/host/facts.js'
import type {PairName} from '../../../src/pair/spec.js'
import {recordOf, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {entryOf, factsOf as sampleOf, probedQemu} from './samples.js'

const test = suite('host/forwarding')

const kernel = Object.fromEntries(Object.keys(kernelPieces).map((name) => [name, 'built-in']))
const qemu = await probedQemu('11.1.3')
const factsOf = (host: string, more: Partial<HostFacts>) => sampleOf(host, qemu, more)
const fine: ForwardFacts = {kernel, tunForQemu: true, routed: [], offloads: {}}
const entry = {...entryOf('alpha'), forward: ['fwd0']}
const fwd0 = {name: 'fwd0', kind: '', carrier: true, mtu: 1500, master: undefined}
const spec = specOf({
  nics: specOf()
    .nics.slice(0, 1)
    .map((nic) => ({...nic, forward: {via: 'tc', nic: {same: 'fwd0'}}})),
})

test('pieces of the kernel: loaded, built in, loadable, missing, each by looking', () => {
  const found = kernelOf({
    modules: 'act_mirred 16384 2 - Live 0x0\nsch_prio 12288 0 - Live 0x0\n',
    builtin: 'kernel/net/sched/cls_u32.ko\nkernel/drivers/net/tun.ko\n',
    symbols:
      '0000000000000000 t ingress_init\n0000000000000000 t ifb_xmit\t[ifb]\n0000000000000000 t basic_classify.isra.0\n',
    loadable: 'kernel/drivers/net/ifb.ko.xz:\nkernel/net/8021q/8021q.ko.xz: kernel/net/802/garp.ko.xz\n',
  })
  assert.deepEqual(found, {
    sch_ingress: 'built-in',
    cls_u32: 'built-in',
    cls_bpf: 'missing',
    act_mirred: 'loaded',
    ifb: 'loadable',
    tun: 'built-in',
    '8021q': 'loadable',
    sch_prio: 'loaded',
    sch_plug: 'missing',
    cls_basic: 'built-in',
    cls_tcindex: 'missing',
    blktap2: 'missing',
  })
})

test('qemu.conf: QEMU may open /dev/net/tun where it is listed, or nothing is held against it', () => {
  assert.equal(allowsTun(''), false)
  assert.equal(allowsTun('#cgroup_device_acl = [ "/dev/net/tun" ]\n'), false)
  assert.equal(allowsTun('cgroup_device_acl = [\n  "/dev/null", "/dev/kvm",\n  "/dev/net/tun"\n]\n'), true)
  assert.equal(allowsTun('namespaces = []\n'), false)
  assert.equal(allowsTun('namespaces = [ ]\ncgroup_controllers = [ "cpu" ]\n'), true)
  assert.equal(allowsTun('namespaces = []\ncgroup_controllers = [ "cpu", "devices" ]\n'), false)
})

test('features of a NIC that change frames', () => {
  const text =
    'Features for eth2:\nrx-checksumming: on\nlarge-receive-offload: on\nrx-gro-hw: off [fixed]\nhw-tc-offload: on\n'
  assert.deepEqual(offloadsIn(text), ['lro', 'hw-tc-offload'])
})

test('a host without forward NICs is not asked; one with them passes and tells what it saw', () => {
  assert.deepEqual(checkForwarding(factsOf('alpha', {forwarding: fine}), {...entry, forward: []}), [])
  const checks = checkForwarding(factsOf('alpha', {forwarding: fine, links: [fwd0]}), entry)
  assert.deepEqual(
    checks.map(({id, verdict}) => `${id} ${verdict}`),
    ['forward-kernel pass', 'forward-tun pass'],
  )
  assert.match(checks[0]?.message ?? '', /act_mirred built-in.*only for old engines: sch_prio/)
})

const faults: ReadonlyArray<readonly [string, Partial<ForwardFacts>, RegExp, RegExp]> = [
  ['no ifb', {kernel: {...kernel, ifb: 'missing'}}, /the kernel has no ifb/, /CONFIG_NET_SCH_INGRESS/],
  ['no tun for QEMU', {tunForQemu: false}, /libvirt keeps \/dev\/net\/tun from QEMU/, /cgroup_device_acl/],
  ['a route', {routed: ['fwd0']}, /a route leads over fwd0/, /ip route flush dev fwd0/],
  ['LRO', {offloads: {fwd0: ['lro']}}, /fwd0 has lro on/, /ethtool -K fwd0 lro off/],
]

for (const [name, change, message, remedy] of faults) {
  test(`${name}: named with the remedy`, () => {
    const checks = checkForwarding(factsOf('alpha', {forwarding: {...fine, ...change}, links: [fwd0]}), entry)
    const bad = checks.filter(({verdict}) => verdict !== 'pass')
    assert.equal(bad.length, 1)
    assert.match(bad[0]?.message ?? '', message)
    assert.match(bad[0]?.remedy ?? '', remedy)
  })
}

test('of a pair: the VLAN module, the MTU of its bridge, and other pairs on the NIC', () => {
  const links = [
    {...fwd0, mtu: 1400},
    {...fwd0, name: 'br0', kind: 'bridge'},
  ]
  const other = recordOf('primary', {spec: {...spec, name: 'db' as PairName}, host: 'alpha'})
  const checks = checkPairForwarding(spec, factsOf('alpha', {forwarding: fine, links}), [other])
  assert.deepEqual(
    checks.filter(({verdict}) => verdict === 'fail').map(({message}) => message),
    ['fwd0 has MTU 1400, less than 1500 of br0: large frames would be lost', 'fwd0 already forwards for pair db'],
  )
  const tagged = specOf({
    nics: spec.nics.map((nic) => ({...nic, forward: {via: 'tc', nic: {same: 'fwd0'}, vlan: 7}})),
  })
  const noVlan = {...fine, kernel: {...kernel, '8021q': 'missing'}}
  const [first] = checkPairForwarding(tagged, factsOf('alpha', {forwarding: noVlan, links: [fwd0]}), [])
  assert.match(first?.message ?? '', /the kernel has no 8021q/)
})

test.run()

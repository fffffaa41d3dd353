import * as assert from 'uvu/assert'
import {blocking, checkHost, checkPair, checkTwoHosts, pathsToProbe, type Check} from '../../../src/host/preflight.js'
import type {HostFacts, ImageFacts, QemuFacts} from '../../../src/host/facts.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {PairName, PairSpec} from '../../../src/pair/spec.js'
import {suite} from '../../support/suite.js'
import {entryOf, factsOf, imagePath, probedQemu, recordOf, specOf} from './samples.js'

const test = suite('host/preflight')
const gib = 1024 ** 3

/** One change to a situation in which everything is right, and the one finding it must cause. */
interface Case {
  readonly title: string
  readonly a?: (facts: HostFacts) => Partial<HostFacts>
  readonly b?: (facts: HostFacts) => Partial<HostFacts>
  readonly spec?: (spec: PairSpec) => Partial<PairSpec>
  readonly limits?: {readonly pairs?: number; readonly memoryBytes?: number}
  readonly records?: readonly PairRecord[]
  readonly reuse?: boolean
  readonly expect: readonly [verdict: 'warn' | 'fail', id: string, host: 'alpha' | 'beta' | undefined, text: RegExp]
  /** `--force ID` does not help */
  readonly absolute?: true
}

const other = (host: string, more: Partial<PairSpec> = {}): PairRecord =>
  recordOf(host, specOf({name: 'db1' as PairName, nics: [], disks: [], ...more}))
const qemu = (facts: HostFacts, more: Partial<QemuFacts>): Partial<HostFacts> =>
  facts.qemu === undefined ? {} : {qemu: {...facts.qemu, ...more}}
const image = (facts: HostFacts, more: Partial<ImageFacts>): Partial<HostFacts> => ({
  images: facts.images.map((known) => (known.path === imagePath ? {...known, ...more} : known)),
})
const vm = (spec: PairSpec, more: Partial<PairSpec['vm']>): Partial<PairSpec> => ({vm: {...spec.vm, ...more}})
const kernel = {image: '/boot/vmlinuz', cmdline: 'quiet'}

const cases: readonly Case[] = [
  {title: 'no QEMU', b: () => ({qemu: undefined}), expect: ['fail', 'qemu', 'beta', /not installed/], absolute: true},
  {
    title: 'a QEMU that does not answer in time',
    b: () => ({qemu: undefined, problems: [{probe: 'qemu', message: 'no result after 20000 ms', timedOut: true}]}),
    expect: ['fail', 'qemu', 'beta', /is installed, .* no result after 20000 ms/],
    absolute: true,
  },
  {
    title: 'a QEMU that does not run',
    b: () => ({qemu: undefined, problems: [{probe: 'qemu', message: 'libfoo.so: cannot open'}]}),
    expect: ['fail', 'qemu', 'beta', /is installed, .* cannot open/],
    absolute: true,
  },
  {
    title: 'a broken release',
    a: (facts) => qemu(facts, {version: '10.0.2'}),
    b: (facts) => qemu(facts, {version: '10.0.2'}),
    expect: ['fail', 'qemu-version', 'alpha', /10\.0\.2.*broken/],
  },
  {
    title: 'an untested release',
    a: (facts) => qemu(facts, {version: '10.2.2'}),
    b: (facts) => qemu(facts, {version: '10.2.2'}),
    expect: ['warn', 'qemu-version', 'alpha', /10\.2\.2.*not tried/],
  },
  {
    title: 'a build without COLO',
    b: (facts) => qemu(facts, {objectTypes: []}),
    expect: ['fail', 'qemu-colo', 'beta', /lacks filter-mirror, filter-redirector, filter-rewriter, colo-compare/],
    absolute: true,
  },
  {
    title: 'two versions of QEMU',
    b: (facts) => qemu(facts, {version: '11.1.2'}),
    expect: ['fail', 'same-qemu', undefined, /alpha has QEMU 11\.1\.3, beta has 11\.1\.2/],
  },
  {
    title: 'two CPUs',
    b: () => ({cpu: {model: 'Intel Xeon', count: 8}}),
    expect: ['warn', 'same-cpu', undefined, /Xeon/],
  },
  {
    title: 'two CPUs passed through',
    b: () => ({cpu: {model: 'Intel Xeon', count: 8}}),
    spec: (spec) => vm(spec, {cpu: 'host-passthrough'}),
    expect: ['fail', 'same-cpu', undefined, /host-passthrough/],
  },
  {
    title: 'two agents',
    b: () => ({agentVersion: '0.2.0'}),
    expect: ['fail', 'same-agent', undefined, /0\.1\.0.*0\.2\.0/],
  },
  {
    title: 'libvirt does not answer',
    a: () => ({libvirt: {problem: 'Failed to connect socket'}}),
    expect: ['fail', 'libvirt', 'alpha', /Failed to connect socket/],
    absolute: true,
  },
  {
    title: 'no nft',
    a: (facts) => ({tools: {...facts.tools, nft: false}}),
    expect: ['fail', 'tools', 'alpha', /^nft: not/],
    absolute: true,
  },
  {
    title: 'domain name taken',
    b: () => ({domains: ['web1']}),
    expect: ['fail', 'domain-name', 'beta', /domain web1/],
    absolute: true,
  },
  {
    title: 'replication address absent',
    b: () => ({addresses: [{dev: 'eth0', address: '192.0.2.7', up: true, mtu: 1500}]}),
    expect: ['fail', 'replication-address', 'beta', /10\.88\.0\.2 is on no interface/],
    absolute: true,
  },
  {
    title: 'replication interface down',
    a: (facts) => ({addresses: facts.addresses.map((address) => ({...address, up: false}))}),
    expect: ['fail', 'replication-address', 'alpha', /repl0 with 10\.88\.0\.1 is down/],
    absolute: true,
  },
  {title: 'no bridge', b: () => ({bridges: []}), expect: ['fail', 'bridge', 'beta', /no bridge br0/], absolute: true},
  {
    title: 'an interface that is no bridge',
    b: () => ({bridges: [], links: [{name: 'br0', kind: 'veth', carrier: true, mtu: 1500, master: undefined}]}),
    expect: ['fail', 'bridge', 'beta', /br0 is not a bridge/],
    absolute: true,
  },
  {
    title: 'bridge down',
    b: () => ({bridges: [{name: 'br0', up: false, stp: false, ports: []}]}),
    expect: ['fail', 'bridge', 'beta', /br0 is down/],
    absolute: true,
  },
  {
    title: 'STP',
    a: () => ({bridges: [{name: 'br0', up: true, stp: true, ports: []}]}),
    expect: ['warn', 'bridge', 'alpha', /STP/],
  },
  {
    title: 'no bridge for one host',
    spec: (spec) => ({nics: spec.nics.map((nic) => ({...nic, bridge: {byHost: {alpha: 'br0'}}}))}),
    expect: ['fail', 'bridge', 'beta', /net0 has no bridge/],
    absolute: true,
  },
  {
    title: 'forward NIC in a bridge',
    spec: (spec) => ({nics: spec.nics.map((nic) => ({...nic, forward: {via: 'tc', nic: {same: 'fwd0'}}}))}),
    a: () => ({links: [{name: 'fwd0', kind: 'veth', carrier: true, mtu: 1500, master: 'br0'}]}),
    expect: ['fail', 'forward-nic', 'alpha', /belongs to br0/],
    absolute: true,
  },
  {
    title: 'no netdev filters',
    b: () => ({nftNetdev: false}),
    expect: ['fail', 'nft-netdev', 'beta', /net0/],
    absolute: true,
  },
  {
    title: 'no netdev filters, and none needed',
    b: () => ({nftNetdev: false}),
    spec: (spec) => ({nics: spec.nics.map((nic) => ({...nic, uncompared: 'pass'}))}),
    expect: ['warn', 'nft-netdev', 'beta', /cannot filter/],
  },
  {
    title: 'too little memory for twice the guest',
    b: () => ({memory: {totalBytes: 64 * gib, availableBytes: 3 * gib}}),
    expect: ['fail', 'memory', 'beta', /needs 4 GiB \(twice the guest's 2 GiB\), 3 GiB/],
  },
  {
    title: 'enough for a primary, not for a secondary',
    a: () => ({memory: {totalBytes: 64 * gib, availableBytes: 3 * gib}}),
    expect: ['warn', 'memory', 'alpha', /after a failover/],
  },
  {
    title: 'memory promised to other pairs',
    b: () => ({committedMemoryBytes: 61 * gib}),
    expect: ['fail', 'memory-limit', 'beta', /hold 61 GiB of 64 GiB/],
  },
  {
    title: 'memory limit of the inventory',
    limits: {memoryBytes: 3 * gib},
    expect: ['fail', 'memory-limit', 'beta', /of 3 GiB \(limits\.memory\)/],
  },
  {
    title: 'pair limit',
    limits: {pairs: 1},
    records: [other('beta')],
    expect: ['fail', 'pair-limit', 'beta', /1 pairs already/],
  },
  {
    title: 'scratch on a disk',
    b: (facts) => scratch(facts, {memoryBacked: false}),
    expect: ['warn', 'scratch', 'beta', /on a disk/],
  },
  {
    title: 'scratch full',
    b: (facts) => scratch(facts, {availableBytes: 1024}),
    expect: ['fail', 'scratch', 'beta', /1 KiB free/],
  },
  {
    title: 'little scratch',
    b: (facts) => scratch(facts, {availableBytes: gib}),
    expect: ['warn', 'scratch', 'beta', /less than a tenth/],
  },
  {
    title: 'KVM is asked for and absent',
    b: () => ({kvm: 'absent'}),
    spec: (spec) => vm(spec, {accel: 'kvm'}),
    expect: ['fail', 'accelerator', undefined, /KVM does not run guests on beta/],
    absolute: true,
  },
  {title: 'TCG by itself', b: () => ({kvm: 'unusable'}), expect: ['warn', 'accelerator', undefined, /TCG/]},
  {
    title: 'TCG before 11.1',
    a: (facts) => qemu(facts, {version: '10.0.13'}),
    b: (facts) => ({...qemu(facts, {version: '10.0.13'}), kvm: 'absent'}),
    expect: ['fail', 'accelerator', undefined, /deadlocks or loses memory under COLO before 11\.1/],
    absolute: true,
  },
  {
    title: 'q35 before 11.0',
    a: (facts) => qemu(facts, {version: '10.0.13'}),
    b: (facts) => qemu(facts, {version: '10.0.13'}),
    spec: (spec) => vm(spec, {machine: 'q35'}),
    expect: ['fail', 'machine', undefined, /q35 needs 11\.0/],
    absolute: true,
  },
  {
    title: 'unknown machine type',
    spec: (spec) => vm(spec, {machine: 'pc-i440fx-99.0'}),
    expect: ['fail', 'machine', undefined, /neither host knows/],
    absolute: true,
  },
  {
    title: 'more CPUs than there are',
    spec: (spec) => vm(spec, {vcpus: 9}),
    expect: ['warn', 'vcpus', 'alpha', /9 virtual CPUs on 8/],
  },
  {
    title: 'clocks apart',
    b: () => ({clock: {offsetMs: -1500, uncertaintyMs: 3}}),
    expect: ['warn', 'clock-difference', undefined, /beta is behind/],
  },
  {
    title: 'no free ports',
    a: () => ({allotted: [{pair: 'db1', ports: Array.from({length: 900}, (_, index) => 9100 + index)}]}),
    expect: ['fail', 'ports', undefined, /no 4 free ports/],
    absolute: true,
  },
  {
    title: 'pair exists',
    records: [recordOf('alpha', specOf())],
    expect: ['fail', 'pair-name', undefined, /alpha has a record/],
    absolute: true,
  },
  {
    title: 'MAC of another pair',
    records: [other('beta', {nics: specOf().nics})],
    expect: ['fail', 'mac', undefined, /52:54:00:12:34:56 is that of pair db1/],
    absolute: true,
  },
  {
    title: 'image absent',
    a: (facts) => image(facts, {exists: false}),
    expect: ['fail', 'image', 'alpha', /does not exist/],
    absolute: true,
  },
  {
    title: 'image of another format',
    a: (facts) => image(facts, {format: 'raw'}),
    expect: ['fail', 'image', 'alpha', /is raw, not qcow2/],
    absolute: true,
  },
  {
    title: 'image one sector too large',
    a: (facts) => image(facts, {virtualSizeBytes: 20 * gib + 512}),
    expect: ['fail', 'image', 'alpha', /21474836992 bytes, disks\[\]\.size says 21474836480/],
    absolute: true,
  },
  {
    title: 'image in use',
    a: (facts) => image(facts, {inUse: true}),
    expect: ['fail', 'image', 'alpha', /in use by another process/],
    absolute: true,
  },
  {
    title: 'backing file',
    a: (facts) => image(facts, {backing: 'base.qcow2'}),
    expect: ['fail', 'image', 'alpha', /backing file base\.qcow2/],
    absolute: true,
  },
  {
    title: 'internal snapshots',
    a: (facts) => image(facts, {snapshots: 2}),
    expect: ['fail', 'image', 'alpha', /2 internal snapshots/],
  },
  {
    title: 'image that cannot be read',
    a: (facts) => image(facts, {problem: 'corrupt'}),
    expect: ['fail', 'image', 'alpha', /corrupt/],
    absolute: true,
  },
  {
    title: 'image of another pair',
    records: [other('alpha', {disks: specOf().disks})],
    expect: ['fail', 'image', 'alpha', /belongs to pair db1/],
    absolute: true,
  },
  {
    title: 'image not asked for',
    a: () => ({images: []}),
    expect: ['fail', 'image', 'alpha', /told nothing/],
    absolute: true,
  },
  {
    title: 'the secondary has an image already',
    b: (facts) => image(facts, {exists: true, format: 'qcow2', virtualSizeBytes: 20 * gib}),
    expect: ['fail', 'image-secondary', 'beta', /would be overwritten/],
  },
  {
    title: 'the secondary has an image that may be overwritten',
    reuse: true,
    b: (facts) => image(facts, {exists: true, format: 'qcow2', virtualSizeBytes: 20 * gib}),
    expect: ['warn', 'image-secondary', 'beta', /would be overwritten/],
  },
  {
    title: 'the secondary has an image that does not fit',
    reuse: true,
    b: (facts) => image(facts, {exists: true, format: 'qcow2', virtualSizeBytes: gib}),
    expect: ['fail', 'image-secondary', 'beta', /virtual size/],
    absolute: true,
  },
  {
    title: 'little room for the secondary',
    b: (facts) => image(facts, {directory: {path: '/x', exists: true, memoryBacked: false, availableBytes: gib}}),
    expect: ['warn', 'image-secondary', 'beta', /may grow/],
  },
  {
    title: 'an empty file of an interrupted create is no image; little room for one',
    b: (facts) =>
      image(facts, {
        exists: true,
        format: 'raw',
        virtualSizeBytes: 0,
        directory: {path: '/x', exists: true, memoryBacked: false, availableBytes: gib},
      }),
    expect: ['warn', 'image-secondary', 'beta', /may grow/],
  },
  {
    title: 'kernel file absent on one host',
    spec: (spec) => vm(spec, {kernel}),
    a: (facts) => ({images: [...facts.images, {path: kernel.image, exists: true}]}),
    b: (facts) => ({images: [...facts.images, {path: kernel.image, exists: false}]}),
    expect: ['fail', 'kernel-files', 'beta', /vmlinuz does not exist/],
    absolute: true,
  },
  {
    title: 'another host answers',
    b: () => ({host: 'gamma'}),
    expect: ['fail', 'host-name', 'beta', /calls itself gamma/],
    absolute: true,
  },
  {
    title: 'a probe failed',
    a: () => ({problems: [{probe: 'nft', message: 'timed out'}]}),
    expect: ['warn', 'probe', 'alpha', /nft: timed out/],
  },
]

function scratch(facts: HostFacts, more: Partial<HostFacts['scratch']>): Partial<HostFacts> {
  const directory = {...facts.scratch, ...more}
  return {
    scratch: directory,
    images: facts.images.map((known) => (known.path === imagePath ? known : {...known, directory})),
  }
}

async function checksOf(of: Omit<Case, 'title' | 'expect'>): Promise<Check[]> {
  const probed = await probedQemu('11.1.3')
  const alpha = factsOf('alpha', probed)
  const beta = factsOf('beta', probed)
  const spec = specOf()
  const limits = of.limits ?? {}
  return checkPair({
    spec: {...spec, ...of.spec?.(spec)},
    entries: {primary: entryOf('alpha'), secondary: entryOf('beta', {limits})},
    facts: {primary: {...alpha, ...of.a?.(alpha)}, secondary: {...beta, ...of.b?.(beta)}},
    records: of.records ?? [],
    reuseSecondaryImages: of.reuse ?? false,
  })
}

test('nothing is wrong when everything is right, and each rule says so', async () => {
  const checks = await checksOf({})
  assert.equal(
    checks.filter(({verdict}) => verdict !== 'pass'),
    [],
  )
  assert.ok(checks.length > 20)
})

const seen = new Set<string>()
for (const {title, expect, absolute, ...change} of cases) {
  test(title, async () => {
    const [verdict, id, host, text] = expect
    const found = (await checksOf(change)).filter((check) => check.verdict !== 'pass')
    const check = found.find((one) => one.id === id && one.verdict === verdict && one.host === host)
    assert.ok(check, `found ${JSON.stringify(found)}`)
    assert.match(check.message, text)
    seen.add(id)
    if (verdict === 'warn') return
    assert.ok(check.remedy !== undefined && check.remedy.length > 10, 'a remedy')
    assert.is(blocking([check], [id]).length, absolute === true ? 1 : 0, 'what --force does')
    assert.is(blocking([check], ['something-else']).length, 1)
  })
}

test('every finding of a good pair also has a bad case', async () => {
  const ids = new Set((await checksOf({})).map(({id}) => id))
  assert.equal(
    [...ids].filter((id) => !seen.has(id)),
    [],
  )
})

test('one host alone', async () => {
  const facts = factsOf('alpha', await probedQemu('11.1.3'))
  assert.equal(
    checkHost(facts, entryOf('alpha')).filter(({verdict}) => verdict !== 'pass'),
    [],
  )
  const bare = checkHost({...facts, kvm: 'absent', bridges: [], links: [], nftNetdev: false}, entryOf('alpha'))
  assert.equal(
    bare.filter(({verdict}) => verdict !== 'pass').map(({id, verdict}) => `${id} ${verdict}`),
    ['accelerator warn', 'bridge fail', 'forward-nic fail', 'nft-netdev warn'],
  )
  const old = checkHost({...facts, qemu: await probedQemu('7.2.22'), kvm: 'unusable'}, entryOf('alpha'))
  assert.is(old.find(({id}) => id === 'accelerator')?.verdict, 'fail')
})

test('an IPv6 replication address in another notation is found', async () => {
  const facts = factsOf('alpha', await probedQemu('11.1.3'), {
    addresses: [{dev: 'repl0', address: 'fd00::1', up: true, mtu: 1500}],
  })
  const checks = checkHost(facts, entryOf('alpha', {replication: 'FD00:0:0:0:0:0:0:1'}))
  assert.is(checks.find(({id}) => id === 'replication-address')?.verdict, 'pass')
})

test('two hosts', async () => {
  const [new_, old] = [await probedQemu('11.1.3'), await probedQemu('7.2.22')]
  const checks = checkTwoHosts(factsOf('alpha', new_), factsOf('beta', old))
  assert.equal(
    checks.map(({id, verdict}) => `${id} ${verdict}`),
    ['same-agent pass', 'same-qemu fail', 'same-cpu pass', 'machine pass', 'clock-difference pass'],
  )
})

test('a clock difference within the uncertainty of the measurement is none', async () => {
  const probed = await probedQemu('11.1.3')
  const slow = factsOf('beta', probed, {clock: {offsetMs: 1800, uncertaintyMs: 900}})
  assert.is(checkTwoHosts(factsOf('alpha', probed), slow).find(({id}) => id === 'clock-difference')?.verdict, 'pass')
})

test('paths to probe: image, overlay, kernel files, scratch; each once', () => {
  const spec = specOf({vm: {...specOf().vm, kernel: {...kernel, initrd: '/boot/initrd'}}})
  assert.equal(pathsToProbe(spec, entryOf('alpha')), [
    imagePath,
    '/run/colo/scratch/web1-root.active.qcow2',
    '/boot/vmlinuz',
    '/boot/initrd',
    '/run/colo/scratch/.colo',
    '/var/lib/colo/images/.colo',
  ])
})

test('what is left of a host for a further pair: memory, ports, the place of images', async () => {
  const facts = factsOf('alpha', await probedQemu('11.1.3'))
  const entry = entryOf('alpha', {ports: {from: 9100, to: 9103}})
  const taken = {
    ...facts,
    listening: [9102],
    allotted: [{pair: 'web1', ports: [9101]}],
    committedMemoryBytes: 10 ** 15,
    images: [],
  }
  const found = checkHost(taken, entry).filter(({id}) => ['memory', 'ports', 'images'].includes(id))
  assert.equal(
    found.map(({id, verdict}) => [id, verdict]),
    [
      ['memory', 'warn'],
      ['images', 'warn'],
      ['ports', 'warn'],
    ],
  )
  assert.match(found.find(({id}) => id === 'ports')?.message ?? '', /^1 of 3 ports in 9100-9103 are free$/)
  assert.ok(found.every(({remedy}) => remedy !== undefined))
})

test.run()

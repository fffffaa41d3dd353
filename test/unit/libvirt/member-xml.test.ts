import assert from 'node:assert/strict'

import {UsageError} from '../../../src/errors.js'
import {readDomain} from '../../../src/libvirt/domain-read.js'
import {memberArgs} from '../../../src/libvirt/member-args.js'
import {buildMemberXml, skeletonName, type MemberXmlInput} from '../../../src/libvirt/member-xml.js'
import {child, children, element, remove, textOf, type XmlElement} from '../../../src/libvirt/xml-tree.js'
import {buildXml, parseXml} from '../../../src/libvirt/xml.js'
import {layoutOf} from '../../../src/pair/layout.js'
import type {Role} from '../../../src/pair/record.js'
import type {PairSpec} from '../../../src/pair/spec.js'
import {specOf} from '../../support/pair-fixtures.js'
import {memberCases, memberInput, memberXml} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('domain XML')
const example = memberCases.find((each) => each.name === 'two-virtio')!
const perHost = memberCases.find((each) => each.name === 'per-host')!

const parse = (xml: string): XmlElement => parseXml(xml, {source: 'a test', root: 'domain'})

/** Values after one option. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.filter((_, at) => args[at - 1] === option)
}

/** Everything a guest can see: the domain without bridges, and QEMU's disk devices. */
function guestHardware(xml: string): unknown {
  const domain = parse(xml)
  const devices = child(domain, 'devices')!
  const nics = children(devices, 'interface').map((nic) => remove(nic, ({name}) => name === 'source').children)
  const rest = remove(devices, ({name}) => name === 'interface')
  return {
    domain: buildXml(remove(domain, ({name}) => /^(devices|qemu:commandline|on_.*)$/.test(name))),
    devices: buildXml(rest),
    nics,
    // what QEMU does about a failed write is no hardware
    disks: valuesOf(readDomain(xml).qemuArgs, '-device').map((text) => text.replace('"werror":"report",', '')),
  }
}

test('a failed write stops a primary for lack of room, and no secondary', () => {
  for (const each of memberCases) {
    const reporting = (role: 'primary' | 'secondary'): number =>
      valuesOf(readDomain(memberXml(each, role)).qemuArgs, '-device').filter((text) =>
        text.includes('"werror":"report"'),
      ).length
    assert.deepEqual([reporting('primary'), reporting('secondary')], [0, each.spec.disks.length])
  }
})

for (const each of memberCases) {
  test(`both members of ${each.name} have the same guest hardware`, () => {
    assert.deepEqual(guestHardware(memberXml(each, 'primary')), guestHardware(memberXml(each, 'secondary')))
  })
}

test('PCI slots and MACs are unique within a member', () => {
  for (const each of memberCases) {
    const {interfaces, qemuArgs} = readDomain(memberXml(each, 'primary'))
    const addresses = [...memberXml(each, 'primary').matchAll(/slot='(0x..)'/g)].map((found) => found[1])
    const places = valuesOf(qemuArgs, '-device').map((text) => {
      const {addr, bus, unit} = JSON.parse(text) as {addr?: string; bus: string; unit?: number}
      return addr ?? `${bus}/${unit}`
    })
    assert.equal(new Set([...addresses, ...places]).size, each.spec.disks.length + each.spec.nics.length, each.name)
    assert.equal(new Set(interfaces.map(({mac}) => mac)).size, each.spec.nics.length)
  }
})

test('the primary is born plain: one child per quorum, no filters, no chardevs, not incoming', () => {
  const args = memberArgs(memberInput(example, 'primary'))
  assert.deepEqual(
    new Set(args.filter((arg) => arg.startsWith('-'))),
    new Set(['-action', '-qmp', '-blockdev', '-device']),
  )
  const quorums = valuesOf(args, '-blockdev').map((text) => JSON.parse(text) as {driver: string; children?: string[]})
  assert.deepEqual(
    quorums.filter(({driver}) => driver === 'quorum').map(({children: nodes}) => nodes),
    [['parent0'], ['parent1']],
  )
})

test('vnet_hdr_support is on every filter of a virtio NIC and on none of another', () => {
  for (const [name, expected] of [
    ['two-virtio', true],
    ['one-e1000', undefined],
  ] as const) {
    const each = memberCases.find((found) => found.name === name)!
    const filters = valuesOf(memberArgs(memberInput(each, 'secondary')), '-object').map(
      (text) => JSON.parse(text) as {vnet_hdr_support?: boolean},
    )
    assert.ok(filters.length === 3 * each.spec.nics.length)
    for (const filter of filters) assert.equal(filter.vnet_hdr_support, expected)
  }
})

test('the secondary dials the primary, with the reconnect option its QEMU has', () => {
  const links = (reconnect: 'ms' | 'seconds'): string[] =>
    valuesOf(memberArgs(memberInput({...example, reconnect}, 'secondary')), '-chardev')
  assert.equal(links('ms')[0], 'socket,id=nic0-mirror-link,host=10.88.0.1,port=9103,nodelay=on,reconnect-ms=1000')
  assert.equal(links('seconds')[3], 'socket,id=nic1-compare-link,host=10.88.0.1,port=9106,nodelay=on,reconnect=1')
})

test('filters are inject, divert, rewriter in this order', () => {
  const ids = valuesOf(memberArgs(memberInput(example, 'secondary')), '-object').map(
    (text) => (JSON.parse(text) as {id: string}).id,
  )
  assert.deepEqual(ids.slice(0, 3), ['nic0-inject', 'nic0-divert', 'nic0-rewriter'])
})

test('with forwarding by tc the secondary keeps only a gate and the rewriter, and its tap is in no bridge', () => {
  const input = memberInput(perHost, 'secondary')
  const ids = valuesOf(memberArgs(input), '-object').map((text) => (JSON.parse(text) as {id: string}).id)
  assert.deepEqual(ids, ['nic0-gate', 'nic0-rewriter', 'nic1-inject', 'nic1-divert', 'nic1-rewriter'])
  assert.deepEqual(
    readDomain(memberXml(perHost, 'secondary')).interfaces.map(({bridge}) => bridge),
    [undefined, 'br1'],
  )
  assert.deepEqual(
    readDomain(memberXml(perHost, 'primary')).interfaces.map(({bridge}) => bridge),
    ['lan', 'br1'],
  )
})

test('values by host: each member gets its own', () => {
  const files = (role: Role): Array<string | undefined> =>
    valuesOf(memberArgs(memberInput(perHost, role)), '-blockdev').map(
      (text) => (JSON.parse(text) as {filename?: string}).filename,
    )
  assert.deepEqual(files('primary').filter(Boolean), ['/srv/alpha.qcow2'])
  assert.deepEqual(files('secondary').filter(Boolean), [
    '/mnt/beta.qcow2',
    '/dev/shm/beta/per-host-root.hidden.qcow2',
    '/dev/shm/beta/per-host-root.active.qcow2',
  ])
})

test('the first disk boots, unless a kernel is given', () => {
  const bootOf = (change: Partial<MemberXmlInput['spec']['vm']>): unknown[] => {
    const spec = specOf({vm: {...specOf().vm, ...change}})
    const input = memberInput({name: 'x', machine: 'pc-i440fx-9.0', spec}, 'primary')
    return valuesOf(memberArgs(input), '-device').map((text) => (JSON.parse(text) as {bootindex?: number}).bootindex)
  }
  assert.deepEqual(bootOf({}), [1, undefined])
  assert.deepEqual(bootOf({kernel: {image: '/k', cmdline: ''}}), [undefined, undefined])
})

const refused = (title: string, change: Partial<MemberXmlInput>, message: RegExp): void => {
  test(`refused: ${title}`, () => {
    assert.throws(
      () => buildMemberXml({...memberInput(example, 'secondary'), ...change}),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    )
  })
}

refused(
  'a host without an image',
  {...memberInput(perHost, 'secondary'), host: 'gamma'},
  /image is not given for host gamma/,
)
refused('a peer without an address', {peer: 'gamma'}, /replication address is not given for host gamma/)
refused(
  'a template that is cut',
  {template: '<domain>', templateSource: '/etc/x.xml'},
  /\/etc\/x\.xml: document is not well-formed/,
)
refused('a template of something else', {template: '<network/>'}, /one <domain> element/)
refused('a disk in the template', {template: '<domain><devices><disk/></devices></domain>'}, /<disk> cannot be part/)
refused(
  'a display in the template',
  {template: "<domain><devices><graphics type='vnc'/></devices></domain>"},
  /<graphics>/,
)
const restartStop = specOf({vm: {...specOf().vm, onPoweroff: 'restart', onReboot: 'stop'}})
refused(
  'restart after power-off, stop after reboot',
  {spec: restartStop, layout: layoutOf(restartStop)},
  /onPoweroff restart with onReboot stop/,
)

const passthrough = specOf({vm: {...specOf().vm, cpu: 'host-passthrough'}})
refused(
  'the CPU of the host without KVM',
  {spec: passthrough, layout: layoutOf(passthrough)},
  /host-passthrough needs KVM/,
)

test('what the user put into the template stays, and goes before our arguments', () => {
  const template = `<domain><cputune><shares>5</shares></cputune><devices><rng model='virtio'/>
    <serial type='file'><source path='/my.log'/></serial><serial type='pty'/></devices>
    <qemu:commandline xmlns:qemu='u'><qemu:arg value='-global'/><qemu:arg value='x.y=z'/></qemu:commandline></domain>`
  const xml = buildMemberXml({...memberInput(example, 'primary'), template})
  const domain = parse(xml)
  assert.equal(textOf(child(domain, 'cputune', 'shares') ?? element('none')), '5')
  assert.deepEqual(
    children(child(domain, 'devices')!).map(({name}) => name),
    ['rng', 'serial', 'serial', 'interface', 'interface'],
  )
  assert.match(xml, /path='\/my\.log'/)
  assert.deepEqual(readDomain(xml).qemuArgs.slice(0, 3), ['-global', 'x.y=z', '-action'])
})

test('a pair that says what follows a panic has one panic device, an imported guest what it had; libvirt and QEMU do nothing by themselves', () => {
  const panics = (vm: Partial<PairSpec['vm']>, template?: string): number => {
    const input = memberInput({...example, spec: specOf({vm: {...specOf().vm, ...vm}})}, 'primary')
    const xml = buildMemberXml(template === undefined ? input : {...input, template})
    assert.match(xml, /<on_crash>preserve<\/on_crash>[^]*value='-action'\/>\s*<qemu:arg value='panic=none'/)
    return children(child(parse(xml), 'devices')!, 'panic').length
  }
  assert.deepEqual([panics({}), panics({onCrash: 'report'})], [0, 1])
  assert.equal(panics({onCrash: 'report'}, `<domain><devices><panic model='hyperv'/></devices></domain>`), 1)
  const imported = {skeleton: '<domain><devices/></domain>', dropped: [], files: []}
  assert.equal(panics({onCrash: 'stop', imported}), 0)
})

test('the skeleton follows the machine type', () => {
  assert.deepEqual(['pc', 'pc-i440fx-9.0', 'q35', 'pc-q35-9.0'].map(skeletonName), [
    'pc.xml',
    'pc.xml',
    'q35.xml',
    'q35.xml',
  ])
})

test.run()

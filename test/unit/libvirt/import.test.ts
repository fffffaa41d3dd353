import assert from 'node:assert/strict'
import fc from 'fast-check'

import {DecodeError, UsageError} from '../../../src/errors.js'
import {importDomain, type DomainImport} from '../../../src/libvirt/import.js'
import {refusals} from '../../../src/libvirt/import-pair.js'
import {element, type XmlElement, type XmlNode} from '../../../src/libvirt/xml-tree.js'
import {buildXml, parseXml} from '../../../src/libvirt/xml.js'
import {importCase, importCases, readFixture} from '../../support/import-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('import of a domain')
const options = {source: 'a test', drop: [], uncompared: 'drop'} as const
const read = (xml: string): DomainImport => importDomain(xml, options)
const parse = (xml: string): XmlElement => parseXml(xml, {source: 'a test', root: 'domain'})
const good = readFixture('pxe-first')

/** Hostile and broken documents, and what the refusal says. */
const hostile: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a DOCTYPE': [`<!DOCTYPE domain [<!ENTITY a "b">]>${good}`, /without a DOCTYPE/],
  'an external entity': [`<!DOCTYPE d SYSTEM "file:///etc/shadow"><domain>&d;</domain>`, /without a DOCTYPE/],
  'an unknown entity': [good.replace('thin-client<', '&shadow;<'), /entity/],
  'a cut-off document': [good.slice(0, good.length / 2), /well-formed/],
  'a document cut in a tag': [good.slice(0, good.lastIndexOf('</domain') + 5), /well-formed/],
  'two roots': [`${good}${good}`, /one <domain> element|well-formed/],
  'text after the root': [`${good}rm -rf /`, /one <domain> element|well-formed/],
  'another root': ['<network><name>default</name></network>', /one <domain> element/],
  nothing: ['', /well-formed|one <domain>/],
  'a control character': [good.replace('thin-client', 'thin\u0001client'), /control character/],
  'a reference to NUL': [good.replace('thin-client', 'thin&#0;client'), /entity/],
  'a name of the object prototype': ['<domain><__proto__ a="b"/></domain>', /reserved name|well-formed/],
  'the same attribute twice': [good.replace("<domain type='qemu'", "<domain type='qemu' type='kvm'"), /well-formed/],
}

for (const [title, [xml, says]] of Object.entries(hostile)) {
  test(`${title} is refused`, () => {
    assert.throws(
      () => read(xml),
      (error) => error instanceof DecodeError && says.test(error.message),
    )
  })
}

test('what is too large or too deep is refused before it is parsed', () => {
  assert.throws(() => read(`<domain>${' '.repeat(1024 * 1024)}</domain>`), UsageError)
  const deep = `<domain>${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}</domain>`
  assert.throws(() => read(deep), /nested deeper than 24/)
  assert.throws(
    () => read(`<domain><metadata>${"<a b='>'>".repeat(30)}${'</a>'.repeat(30)}</metadata></domain>`),
    /nested/,
  )
})

test('a word of --drop that names nothing refused is an error that lists what may be dropped', () => {
  const drop = (word: string): DomainImport => importDomain(readFixture('virt-install'), {...options, drop: [word]})
  assert.throws(
    () => drop('grafics'),
    (error) => error instanceof UsageError && /devices\/memballoon/.test(error.hint ?? ''),
  )
  assert.throws(() => drop('uuid'), UsageError)
  assert.deepEqual(refusals(drop('devices/memballoon').findings), [])
  assert.deepEqual(drop('memballoon').vm.imported?.dropped, ['devices/memballoon'])
})

test('what can never be dropped stays refused', () => {
  for (const [name, word] of [
    ['windows-11', 'tpm'],
    ['q35-ovmf', 'nvram'],
    ['tinkered', 'qemu:commandline'],
    ['ceph-rbd', 'disk/@type'],
  ] as const) {
    assert.throws(() => importDomain(readFixture(name), {...options, drop: [word]}), UsageError)
  }
})

/** Every attribute, text and empty element of a document, with its place. */
function leavesOf(node: XmlElement, place = ''): string[] {
  const at = (name: string): string => (place === '' ? name : `${place}/${name}`)
  const below = node.children.filter((part): part is XmlElement => part.kind === 'element')
  const text = node.children.some((part) => part.kind === 'text' && part.text.trim() !== '')
  const own = [...Object.keys(node.attributes).map((name) => at(`@${name}`)), ...(text ? [at('text()')] : [])]
  const inner = below.flatMap((each) => {
    const alike = below.filter(({name}) => name === each.name)
    return leavesOf(each, at(alike.length === 1 ? each.name : `${each.name}[${alike.indexOf(each) + 1}]`))
  })
  return own.length + inner.length === 0 && place !== '' ? [place] : [...own, ...inner]
}

/** Each leaf has a finding of its own, or lies below a part that has one that is no `carried` of something else. */
function assertAccounted(xml: string): void {
  const places = new Set(read(xml).findings.map(({place}) => place))
  for (const leaf of leavesOf(parse(xml))) {
    const parents = leaf.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
    assert.ok(
      parents.some((place) => places.has(place)),
      `${leaf} is in no finding`,
    )
  }
}

for (const {name} of importCases) {
  test(`${name}: every leaf is carried, changed or refused`, () => {
    assertAccounted(readFixture(name))
  })
}

/** Applies `change` to the element at `index` in document order. */
function changeAt(root: XmlElement, index: number, change: (node: XmlElement) => XmlElement): XmlElement {
  let seen = 0
  const walk = (node: XmlElement): XmlElement => {
    const here = seen++ === index
    const children = node.children.map((part): XmlNode => (part.kind === 'element' ? walk(part) : part))
    const walked = {...node, children}
    return here ? change(walked) : walked
  }
  return walk(root)
}

const countOf = (node: XmlElement): number =>
  node.children.reduce((sum, part) => sum + (part.kind === 'element' ? countOf(part) : 0), 1)

test('an unknown attribute or element anywhere but in metadata is refused at its place', () => {
  const names = fc.constantFrom(...importCases.map(({name}) => name))
  const odd = fc.stringMatching(/^[a-z]{3,8}$/).map((word) => `zz-${word}`)
  fc.assert(
    fc.property(names, fc.nat(), odd, fc.boolean(), (name, seed, word, asElement) => {
      const document = parse(readFixture(name))
      const changed = changeAt(document, seed % countOf(document), (node) =>
        asElement
          ? {...node, children: [...node.children.filter(({kind}) => kind !== 'text'), element(word, {a: 'b'})]}
          : {...node, attributes: {...node.attributes, [word]: 'b'}},
      )
      const xml = buildXml(changed)
      assertAccounted(xml)
      const {findings, vm} = read(xml)
      const place = leavesOf(parse(xml)).find((leaf) => leaf.includes(word))!
      const parents = findings.filter((finding) => place === finding.place || place.startsWith(`${finding.place}/`))
      if (parents.some(({place: found}) => found === 'metadata')) assert.ok(vm.imported?.skeleton.includes(word))
      else {
        assert.ok(!JSON.stringify(vm).includes(word), `${place} got through`)
        assert.ok(
          parents.some(({outcome}) => outcome !== 'carried'),
          `${place} was taken for carried`,
        )
      }
    }),
    {numRuns: 120},
  )
})

/** What libvirt takes for granted: leaving it out changes nothing. */
const defaults = [
  /^@(id|xmlns:.*)$/,
  /^name\//,
  /^(memory|currentMemory)\/@unit$/,
  /^currentMemory\//,
  /^vcpu\//,
  /^os\/type\//,
  /^on_/,
  /^pm\//,
  /^os\/boot/,
  /^devices\/emulator/,
  /^devices\/disk(\[\d+\])?\/(@device|@type|@model|driver\/@(name|type)|backingStore|address\/.*)$/,
  /^devices\/interface(\[\d+\])?\/(@type|source\/.*|link\/@state|model\/@type|driver\/@(name|queues)|mac\/@(type|check))$/,
  /^devices\/memballoon/,
]

test('nothing is called carried that has no effect: without it the import is another one', () => {
  const tried = new Set<string>()
  for (const each of importCases.filter(({importable}) => importable)) {
    const whole = importCase(each, 'accepted')
    const document = parse(readFixture(each.name))
    for (const {place, outcome, value} of whole.findings) {
      if (outcome !== 'carried' || value === undefined || defaults.some((known) => known.test(place))) continue
      const kind = place.replace(/\[\d+\]/g, '')
      if (tried.has(kind)) continue
      tried.add(kind)
      const {vm, disks, nics} = importDomain(buildXml(withoutLeaf(document, place)), {
        ...options,
        drop: each.drop,
        ...(each.bridges && {bridges: each.bridges}),
      })
      assert.notDeepEqual(
        {vm, disks, nics},
        {vm: whole.vm, disks: whole.disks, nics: whole.nics},
        `${each.name}: ${place}`,
      )
    }
  }
})

function withoutLeaf(node: XmlElement, place: string): XmlElement {
  const [head = '', ...rest] = place.split('/')
  if (head === 'text()') return {...node, children: node.children.filter(({kind}) => kind !== 'text')}
  if (head.startsWith('@')) {
    const {[head.slice(1)]: _, ...attributes} = node.attributes
    return {...node, attributes}
  }
  const [, name, index = '1'] = /^([^[]+)(?:\[(\d+)\])?$/.exec(head)!
  let seen = 0
  return {
    ...node,
    children: node.children.map((part) =>
      part.kind === 'element' && part.name === name && ++seen === Number(index)
        ? withoutLeaf(part, rest.join('/'))
        : part,
    ),
  }
}

test('the same definition gives the same import, and its skeleton is imported unchanged', () => {
  for (const each of importCases.filter(({importable}) => importable)) {
    const first = importCase(each, 'accepted')
    assert.deepEqual(importCase(each, 'accepted'), first)
    const again = parse(first.vm.imported?.skeleton ?? '')
    assert.equal(buildXml(again), first.vm.imported?.skeleton)
  }
})

test('settings of disks arrive as they were', () => {
  const {disks} = importCase(
    importCases.find(({name}) => name === 'proxmox')!,
    'accepted',
  )
  assert.deepEqual(
    disks.map(({device}) => device),
    [
      {
        bootIndex: 1,
        address: {bus: 0, slot: 10, function: 0},
        cache: 'writethrough',
        io: 'threads',
        detectZeroes: 'on',
      },
      {
        serial: 'erp data 1',
        address: {bus: 0, slot: 11, function: 0},
        cache: 'writeback',
        discard: 'unmap',
        detectZeroes: 'unmap',
      },
    ],
  )
})

test('a balloon that holds memory, and memory that is none, are refused', () => {
  const places = (xml: string): string[] => refusals(read(xml).findings).map(({place}) => place)
  assert.deepEqual(places(good.replace("<currentMemory unit='MiB'>256", "<currentMemory unit='MiB'>128")), [
    'currentMemory',
  ])
  assert.deepEqual(places(good.replace("<memory unit='MiB'>256", "<memory unit='YiB'>256")), [
    'memory',
    'currentMemory',
  ])
  assert.deepEqual(places(good.replace("machine='pc-i440fx-11.0'", "machine='microvm'")), ['os/type/@machine'])
  assert.deepEqual(places(good.replace('thin-client.qcow2', 'a.active.qcow2')), ['devices/disk[1]/source/@file'])
})

test.run()

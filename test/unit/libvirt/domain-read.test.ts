import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'

import {DecodeError} from '../../../src/errors.js'
import {readDomain} from '../../../src/libvirt/domain-read.js'
import {memberCases, memberXml} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('reading a domain')

test('reads back what was built', () => {
  const facts = readDomain(memberXml(memberCases[0]!, 'primary'))
  assert.deepEqual(
    {...facts, qemuArgs: facts.qemuArgs.length > 0},
    {
      name: 'one-e1000',
      uuid: '6d1f7a52-0000-4000-8000-000000000001',
      accel: 'qemu',
      machine: 'pc-i440fx-7.2',
      pair: {name: 'one-e1000', uuid: '6d1f7a52-0000-4000-8000-000000000001'},
      qemuArgs: true,
      qmpSockets: ['/run/colo/pairs/one-e1000/agent.qmp', '/run/colo/pairs/one-e1000/yank.qmp'],
      interfaces: [{mac: '52:54:00:00:00:10', tap: 'co525400000010', bridge: 'br0'}],
    },
  )
})

test('reads what libvirt 11.3 makes of it', () => {
  const facts = readDomain(
    readFileSync(new URL('../../fixtures/libvirt/libvirt-11.3.0-dumpxml-primary.xml', import.meta.url), 'utf8'),
  )
  assert.deepEqual(facts.pair, {name: facts.name, uuid: facts.uuid})
  assert.deepEqual(facts.qmpSockets, [
    `/run/colo/pairs/${facts.name}/agent.qmp`,
    `/run/colo/pairs/${facts.name}/yank.qmp`,
  ])
  assert.equal(facts.machine, 'pc-i440fx-9.0')
  assert.equal(facts.interfaces[0]?.bridge, 'br0')
  assert.match(facts.interfaces[0]?.tap ?? '', /^co525400/)
})

test('a foreign domain is not ours, whatever its metadata looks like', () => {
  for (const metadata of ['', "<colo:pair xmlns:colo='urn:other' name='x' uuid='y'/>", "<pair name='x' uuid='y'/>"]) {
    const facts = readDomain(`<domain type='kvm'><name>x</name><uuid>y</uuid><metadata>${metadata}</metadata></domain>`)
    assert.equal(facts.pair, undefined)
    assert.deepEqual([facts.qemuArgs, facts.qmpSockets, facts.interfaces], [[], [], []])
  }
})

test('another prefix for our namespace is fine', () => {
  const mark = "<metadata><c:pair xmlns:c='urn:colo:1' name='x' uuid='y'/></metadata>"
  assert.deepEqual(readDomain(`<domain><name>x</name><uuid>y</uuid>${mark}</domain>`).pair, {name: 'x', uuid: 'y'})
})

test('a domain without name or uuid is refused', () => {
  assert.throws(() => readDomain('<domain><name>x</name></domain>'), DecodeError)
  assert.throws(() => readDomain('<domain><uuid>x</uuid><name> </name></domain>'), DecodeError)
})

test.run()

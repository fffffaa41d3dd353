import assert from 'node:assert/strict'

import {buildXml, parseXml} from '../../../src/libvirt/xml.js'
import {plainXml} from '../../../src/libvirt/import-origin.js'
import {child, children, attribute} from '../../../src/libvirt/xml-tree.js'
import {firstGeneration} from '../../../src/pair/generation.js'
import {identityOf} from '../../../src/pair/identity.js'
import type {Origin} from '../../../src/pair/record.js'
import type {Action} from '../../../src/plan/action.js'
import {planCreate} from '../../../src/plan/create.js'
import {planDestroy} from '../../../src/plan/destroy.js'
import type {Plan} from '../../../src/plan/plan.js'
import {importCases, memberCaseOf, readFixture} from '../../support/import-cases.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('plan: adoption of a domain')

const {spec: read, machine} = memberCaseOf(importCases.find(({name}) => name === 'pxe-first')!)
const spec = {...read, disks: read.disks.map((disk) => ({...disk, scratch: {same: '/run/colo/scratch'}}))}
const origin: Origin = {
  domain: 'thin-client',
  uuid: '9eafb0c1-d2e3-4e5f-8a6b-7c8d9eafb016',
  host: 'alpha',
  xml: readFixture('pxe-first'),
  autostart: true,
}
const identity = identityOf(recordOf('primary', {spec, machine, origin}))
const create = (running: boolean): Plan =>
  planCreate({
    planId: 'p',
    identity,
    generation: firstGeneration('g'),
    xml: () => '<domain/>',
    freshSecondaryImages: true,
    nowMs: 0,
    adopt: {running},
  })

/** Actions in the order they are done, with their host. */
const doneBy = (plan: Plan): Array<Action & {readonly host: string}> =>
  plan.steps.flatMap(({host, actions}) => actions.map((action) => ({...action, host})))
/** What undoing everything before the point of no return does, in its order. */
function takenBack(plan: Plan): Array<Action & {readonly host: string}> {
  const last = plan.steps.findIndex(({id}) => id === plan.pointOfNoReturn)
  return plan.steps
    .slice(0, last)
    .reverse()
    .flatMap(({host, undo}) => (undo ?? []).map((action) => ({...action, host})))
}
const at = (actions: readonly Action[], kind: Action['kind']): number => actions.findIndex((each) => each.kind === kind)

test('the definition is in both records before libvirt loses it, and libvirt loses it before the pair starts', () => {
  for (const running of [true, false]) {
    const actions = doneBy(create(running))
    const records = actions.filter(({kind}) => kind === 'record-create')
    for (const action of records) {
      assert.ok(action.kind === 'record-create')
      assert.deepEqual(action.record.origin, origin)
    }
    assert.deepEqual(records.map(({host}) => host).sort(), ['alpha', 'beta'])
    const gone = at(actions, 'domain-undefine')
    assert.ok(actions.lastIndexOf(records.at(-1)!) < gone)
    assert.ok(gone < at(actions, 'domain-create'))
    assert.equal(
      actions.some(({kind}) => kind === 'domain-shutdown'),
      running,
    )
    if (running) assert.ok(at(actions, 'domain-shutdown') < gone)
  }
})

test('taking back ends the copy, defines the domain again, forgets the pair, and starts what ran, in this order', () => {
  const actions = takenBack(create(true)).filter(({host}) => host === 'alpha')
  const order = (['domain-shutdown', 'domain-destroy', 'domain-define', 'record-remove', 'domain-start'] as const).map(
    (kind) => at(actions, kind),
  )
  assert.ok(order.every((place) => place >= 0))
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  )
  assert.equal(at(takenBack(create(false)), 'domain-start'), -1)
  const define = actions[order[2]!]!
  assert.ok(define.kind === 'domain-define' && define.xml === origin.xml && define.autostart)
})

test('destroy defines the domain on the kept side only, after both copies ended and before its record goes', () => {
  for (const keep of ['alpha', 'beta']) {
    const plain = plainXml(origin, spec, keep)
    const plan = planDestroy({planId: 'p', identity, keep, hosts: ['alpha', 'beta'], deleteCopies: false, plain})
    const actions = doneBy(plan)
    const defined = actions.filter(({kind}) => kind === 'domain-define')
    assert.deepEqual(
      defined.map(({host}) => host),
      [keep],
    )
    const place = actions.indexOf(defined[0]!)
    const ends = actions.flatMap(({kind}, index) => (kind === 'domain-destroy' ? [index] : []))
    assert.ok(ends.every((end) => end < place))
    assert.ok(place < actions.findIndex(({kind, host}) => kind === 'record-remove' && host === keep))
  }
})

test('a pair that was no domain before gives none back', () => {
  const {origin: _, ...plain} = identity
  const plan = planDestroy({planId: 'p', identity: plain, keep: 'alpha', hosts: ['alpha'], deleteCopies: false})
  assert.equal(at(doneBy(plan), 'domain-define'), -1)
})

test('the definition is given back word for word where it came from, with the images and bridges of the pair elsewhere', () => {
  const moved = {
    ...spec,
    disks: spec.disks.map((disk, index) =>
      index > 0 ? disk : {...disk, image: {byHost: {alpha: '/srv/vm/thin-client.qcow2', beta: '/data/thin.qcow2'}}},
    ),
    nics: spec.nics.map((nic, index) => (index > 0 ? nic : {...nic, bridge: {byHost: {alpha: 'br0', beta: 'vmbr7'}}})),
  }
  assert.equal(plainXml(origin, moved, 'alpha'), origin.xml)
  const parsed = parseXml(plainXml(origin, moved, 'beta'), {source: 'a test', root: 'domain'})
  const devices = child(parsed, 'devices')!
  const sources = ['disk', 'interface'].flatMap((name) => children(devices, name).map((node) => child(node, 'source')!))
  assert.deepEqual(
    sources.map((source) => attribute(source, 'file') ?? attribute(source, 'bridge')),
    ['/data/thin.qcow2', '/srv/vm/thin-client-cache.qcow2', 'vmbr7', 'br1'],
  )
  const same = buildXml(parsed).replace('/data/thin.qcow2', '/srv/vm/thin-client.qcow2').replace('vmbr7', 'br0')
  assert.equal(same, buildXml(parseXml(origin.xml, {source: 'a test', root: 'domain'})), 'nothing else changed')
})

test.run()

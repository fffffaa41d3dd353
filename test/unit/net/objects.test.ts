import assert from 'node:assert/strict'
import {UsageError} from '../../../src/errors.js'
import {filterOn, objectAdd, objectSet} from '../../../src/net/objects.js'
import {suite} from '../../support/suite.js'

const test = suite('net/objects')

test('object-add has its properties beside type and id, and its place', () => {
  const properties = {netdev: 'hostnet0', queue: 'tx', outdev: 'c', vnet_hdr_support: true, status: 'off'}
  assert.deepEqual(objectAdd({type: 'filter-mirror', id: 'm', properties, before: 'rew'}), {
    command: 'object-add',
    arguments: {'qom-type': 'filter-mirror', id: 'm', ...properties, insert: 'before', position: 'id=rew'},
  })
  assert.deepEqual(objectAdd({type: 'iothread', id: 'io', properties: {}}).arguments, {
    'qom-type': 'iothread',
    id: 'io',
  })
})

test('the status of a filter is a string', () => {
  assert.deepEqual(filterOn('m').arguments, {path: '/objects/m', property: 'status', value: 'on'})
  assert.deepEqual(objectSet('c', 'compare_timeout', 5).arguments?.['value'], 5)
})

const bad: ReadonlyArray<readonly [string, string, Record<string, string | boolean>]> = [
  ['a type we do not make', 'secret', {}],
  ['a missing netdev', 'filter-rewriter', {queue: 'all'}],
  ['a missing iothread', 'colo-compare', {primary_in: 'a', secondary_in: 'b', outdev: 'c'}],
  ['an unknown property', 'filter-rewriter', {netdev: 'n', outdev: 'c'}],
  ['an unknown queue', 'filter-mirror', {netdev: 'n', outdev: 'c', queue: 'both'}],
  ['a boolean status', 'filter-mirror', {netdev: 'n', outdev: 'c', status: true}],
  ['vnet_hdr_support in words', 'filter-mirror', {netdev: 'n', outdev: 'c', vnet_hdr_support: 'on'}],
]
for (const [what, type, properties] of bad) {
  test(`${what} is refused before QEMU sees it`, () => {
    assert.throws(() => objectAdd({type, id: 'x', properties}), UsageError)
  })
}

test.run()

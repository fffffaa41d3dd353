import assert from 'node:assert/strict'
import {exportAdd, mirrorStart, nbdNodeAdd, nbdServerStart} from '../../../src/block/commands.js'
import {childrenOf, hasNode, isChild} from '../../../src/block/graph.js'
import {createArgv, infoArgv, mergeArgvs, parseInfo} from '../../../src/block/qemu-img.js'
import {DecodeError, UsageError} from '../../../src/errors.js'
import {suite} from '../../support/suite.js'

const test = suite('block')

test('the NBD client is as the manual of QEMU 11.1 has it', () => {
  assert.deepEqual(nbdNodeAdd({node: 'nbd0', address: '10.88.0.2', port: 9102, exportName: 'parent0'}).arguments, {
    driver: 'nbd',
    'node-name': 'nbd0',
    server: {type: 'inet', host: '10.88.0.2', port: '9102'},
    export: 'parent0',
    'detect-zeroes': 'on',
  })
})

test('server, export and mirror', () => {
  assert.deepEqual(nbdServerStart({address: '10.88.0.2', port: 9102, maxConnections: 2}).arguments, {
    addr: {type: 'inet', data: {host: '10.88.0.2', port: '9102'}},
    'max-connections': 2,
  })
  assert.throws(() => nbdServerStart({address: '10.88.0.2', port: 9102, maxConnections: 0}), UsageError)
  assert.equal(exportAdd({id: 'export0', node: 'parent0', name: 'parent0'}).arguments?.['writable'], true)
  const mirror = mirrorStart({job: 'resync0', quorum: 'colo-disk0', target: 'nbd0'}).arguments
  assert.deepEqual([mirror?.['sync'], mirror?.['auto-dismiss']], ['full', false])
})

test('qemu-img gets argument lists', () => {
  assert.deepEqual(createArgv({path: '/img/a b', format: 'raw', sizeBytes: 512}).slice(-2), ['/img/a b', '512'])
  assert.ok(!infoArgv('/img/a', 'exclusive').includes('--force-share'))
  assert.throws(() => createArgv({path: '-f', format: 'raw', sizeBytes: 512}), UsageError)
  for (const sizeBytes of [0, -512, 100, 1.5, Number.NaN]) {
    assert.throws(() => createArgv({path: '/a', format: 'raw', sizeBytes}), UsageError)
  }
})

test('a merge names the whole chain, and survives odd file names', () => {
  const [first, second] = mergeArgvs({active: '/s/a"b', hidden: '/s/h', disk: '/img/d,x', format: 'raw'})
  assert.equal(first?.at(3), '-d')
  assert.deepEqual(JSON.parse(first?.at(-1)?.replace('json:', '') ?? ''), {
    driver: 'qcow2',
    file: {driver: 'file', filename: '/s/a"b'},
    backing: {
      driver: 'qcow2',
      file: {driver: 'file', filename: '/s/h'},
      backing: {driver: 'raw', file: {driver: 'file', filename: '/img/d,x'}},
    },
  })
  assert.match(second?.at(-1) ?? '', /"\/s\/h"/)
  assert.ok(!second?.at(-1)?.includes('/s/a'))
})

test('qemu-img info is decoded strictly', () => {
  const info = parseInfo('{"format": "qcow2", "virtual-size": 512, "backing-filename": "x"}')
  assert.deepEqual(info, {format: 'qcow2', virtualSizeBytes: 512, backingFile: 'x'})
  for (const text of ['', '[]', '{"format": "qcow2"}']) assert.throws(() => parseInfo(text), DecodeError)
})

test('children of a quorum by role, also under a mirror', () => {
  const graph = {
    nodes: [
      {id: 1, type: 'block-driver', name: 'colo-disk0'},
      {id: 2, type: 'block-driver', name: 'parent0'},
      {id: 3, type: 'block-driver', name: 'nbd0'},
      {id: 4, type: 'block-job', name: 'resync0'},
    ],
    edges: [
      {parent: 1, child: 2, name: 'children.0'},
      {parent: 4, child: 3, name: 'target'},
    ],
  }
  assert.deepEqual([...childrenOf(graph, 'colo-disk0')], [['children.0', 'parent0']])
  assert.deepEqual([isChild(graph, 'colo-disk0', 'nbd0'), hasNode(graph, 'resync0')], [false, false])
  assert.equal(childrenOf(graph, 'none').size, 0)
})

test.run()

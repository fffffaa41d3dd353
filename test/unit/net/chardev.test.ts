import assert from 'node:assert/strict'
import {UsageError} from '../../../src/errors.js'
import {chardevAdd, fitsBackend, reconnectOption} from '../../../src/net/chardev.js'
import {suite} from '../../support/suite.js'

const test = suite('net/chardev')
const v11 = {major: 11, minor: 1, micro: 3}

test('reconnect-ms from 9.2 on', () => {
  const names = [
    [7, 2],
    [9, 1],
    [9, 2],
    [10, 0],
    [11, 1],
  ].map(([major = 0, minor = 0]) => reconnectOption({major, minor}))
  assert.deepEqual(names, ['reconnect', 'reconnect', 'reconnect-ms', 'reconnect-ms', 'reconnect-ms'])
})

test('a server does not wait, a TCP client reconnects, a local client does not', () => {
  const tcp = {address: '10.88.0.1', port: 9103}
  assert.deepEqual(chardevAdd('s', {type: 'tcp-server', ...tcp}, v11).arguments, {
    id: 's',
    backend: {
      type: 'socket',
      data: {
        addr: {type: 'inet', data: {host: '10.88.0.1', port: '9103'}},
        server: true,
        wait: false,
        nodelay: true,
      },
    },
  })
  const dataOf = (type: 'tcp-client', version: typeof v11): unknown =>
    (chardevAdd('c', {type, ...tcp}, version).arguments?.['backend'] as {data: unknown}).data
  const addr = {type: 'inet', data: {host: '10.88.0.1', port: '9103'}}
  assert.deepEqual(dataOf('tcp-client', v11), {addr, server: false, 'reconnect-ms': 1000, nodelay: true})
  assert.deepEqual(dataOf('tcp-client', {major: 7, minor: 2, micro: 0}), {
    addr,
    server: false,
    reconnect: 1,
    nodelay: true,
  })
  assert.deepEqual(chardevAdd('u', {type: 'unix-client', path: '/run/u.sock'}, v11).arguments?.['backend'], {
    type: 'socket',
    data: {addr: {type: 'unix', data: {path: '/run/u.sock'}}, server: false},
  })
})

const bad = [
  () => chardevAdd('1x', {type: 'unix-client', path: '/run/u'}, v11),
  () => chardevAdd('a,b', {type: 'unix-client', path: '/run/u'}, v11),
  () => chardevAdd('c', {type: 'tcp-server', address: 'alpha', port: 1}, v11),
  () => chardevAdd('c', {type: 'tcp-server', address: '10.0.0.256', port: 1}, v11),
  () => chardevAdd('c', {type: 'tcp-server', address: '10.0.0.1', port: 0}, v11),
  () => chardevAdd('c', {type: 'tcp-server', address: '10.0.0.1', port: 70_000}, v11),
  () => chardevAdd('c', {type: 'unix-server', path: 'run/u'}, v11),
  () => chardevAdd('c', {type: 'unix-server', path: '/run/../etc/u'}, v11),
  () => chardevAdd('c', {type: 'unix-server', path: '/run/u\nquit'}, v11),
]
for (const [index, build] of bad.entries()) {
  test(`bad input ${index} is refused`, () => {
    assert.throws(build, UsageError)
  })
}

// as query-chardev of 7.2.22 and 11.1.3 tells them
const seen: ReadonlyArray<readonly [string, 'tcp-server' | 'tcp-client' | 'unix-server' | 'unix-client']> = [
  ['disconnected:tcp:127.0.0.1:9103,server=on', 'tcp-server'],
  ['tcp:127.0.0.1:9103,server=on <-> 127.0.0.1:54970', 'tcp-server'],
  ['disconnected:tcp:::1:9103,server=on', 'tcp-server'],
  ['tcp:127.0.0.1:54970 <-> 127.0.0.1:9103', 'tcp-client'],
  ['disconnected:tcp:127.0.0.1:9103', 'tcp-client'],
  ['unix:/tmp/u.sock,server=on', 'unix-server'],
  ['unix:', 'unix-client'],
  ['unix:/tmp/u.sock', 'unix-client'],
]
for (const [filename, type] of seen) {
  test(`${filename} is a ${type} and nothing else`, () => {
    const tcp = {address: '127.0.0.1', port: 9103}
    const wanted = [
      {type: 'tcp-server', ...tcp},
      {type: 'tcp-client', ...tcp},
      {type: 'unix-server', path: '/tmp/u.sock'},
      {type: 'unix-client', path: '/tmp/u.sock'},
    ] as const
    assert.deepEqual(
      wanted.filter((backend) => fitsBackend(filename, backend)).map((backend) => backend.type),
      [type],
    )
  })
}

test('another port or path does not fit', () => {
  const name = 'disconnected:tcp:127.0.0.1:9103,server=on'
  assert.ok(!fitsBackend(name, {type: 'tcp-server', address: '127.0.0.1', port: 103}))
  assert.ok(!fitsBackend('unix:/tmp/u.sock,server=on', {type: 'unix-server', path: '/tmp/v.sock'}))
})

test.run()

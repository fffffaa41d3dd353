import assert from 'node:assert/strict'
import fc from 'fast-check'
import {Freshness, openDatagram, packWords, sealWord, type BeaconWord} from '../../../src/agent/beacon.js'
import * as counter from '../../../src/agent/checkpoint-counter.js'
import {layoutAt} from '../../../src/agent/member-layout.js'
import {compareConnections, connectionsOf} from '../../../src/agent/nbd-connections.js'
import {diskView} from '../../../src/agent/observe-vm.js'
import {classify} from '../../../src/agent/qemu-facts.js'
import {readTap, setTap} from '../../../src/agent/tap.js'
import {hexEndpoint, parseTcpTable, TcpTable} from '../../../src/agent/tcp-table.js'
import {remoteErrorOf, StepError} from '../../../src/agent/wire.js'
import {ConflictError} from '../../../src/errors.js'
import {systemClock} from '../../../src/os/clock.js'
import type {Files} from '../../../src/os/files.js'
import type {PairName} from '../../../src/pair/spec.js'
import {sampleRecord, sampleSpec} from '../../support/sample-record.js'
import {suite} from '../../support/suite.js'

const test = suite('agent: pure parts')

test('checkpoints are pairs of STOP and RESUME while COLO is on', () => {
  let state = counter.begin()
  state = counter.resumed(state, 1) // COLO's own start
  assert.equal(state.count, 0)
  state = counter.stopped(state, 10)
  state = counter.stopped(state, 12) // somebody typed stop
  assert.deepEqual(counter.observationOf(state, 15), {
    count: 0,
    lastAtMs: undefined,
    lastPauseMs: undefined,
    openForMs: 5,
  })
  state = counter.resumed(state, 50)
  state = counter.resumed(state, 60)
  assert.deepEqual([state.count, state.lastAtMs, state.lastPauseMs, state.openSinceMs], [1, 50, 40, undefined])
  state = counter.end(counter.stopped(state, 70))
  assert.equal(counter.resumed(state, 80).count, 1)
  assert.equal(counter.resumed(counter.stopped(counter.noCheckpoints, 1), 2).count, 0)
})

test('never more checkpoints than STOPs, nor than RESUMEs', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('STOP', 'RESUME')), (events) => {
      let state = counter.begin()
      for (const [at, event] of events.entries()) {
        state = event === 'STOP' ? counter.stopped(state, at) : counter.resumed(state, at)
      }
      const of = (name: string): number => events.filter((event) => event === name).length
      assert.ok(state.count <= Math.min(of('STOP'), of('RESUME')))
    }),
  )
})

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0202580A:238E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1658 1 0 100 0 0 10 0
   1: 0202580A:238E 0102580A:9C40 01 00000000:00000000 02:000000A0 00000000     0        0 4711 2 0 20 4 30 10 -1
   2: 0202580A:238E 0102580A:9C41 08 00000000:00000000 02:000000A0 00000000     0        0 4712 2 0 20 4 30 10 -1
`

test('only established connections of the kernel table count', () => {
  assert.deepEqual(parseTcpTable(tcp), [{local: '0202580A:238E', remote: '0102580A:9C40', inode: '4711'}])
  assert.equal(hexEndpoint('10.88.2.2', 9102), '0202580A:238E')
  assert.equal(hexEndpoint('2001:db8::1', 1), 'B80D0120000000000000000001000000:0001')
})

test('connections are found on either side of the replication link', () => {
  const addresses = {alpha: '10.88.2.1', beta: '10.88.2.2'}
  const secondary = sampleRecord({host: 'beta', peer: 'alpha', role: 'secondary', addresses})
  assert.deepEqual(connectionsOf(secondary, parseTcpTable(tcp)), {
    nbd: ['0202580A:238E 0102580A:9C40 4711'],
    migration: false,
  })
  const primary = sampleRecord({addresses})
  const mirrored = parseTcpTable(tcp).map(({local, remote, inode}) => ({local: remote, remote: local, inode}))
  assert.equal(connectionsOf(primary, mirrored).nbd.length, 1)
  assert.equal(connectionsOf(primary, parseTcpTable(tcp)).nbd.length, 0)
})

test('an NBD connection is the one noted, lost, or another one', () => {
  assert.equal(compareConnections([], []), 'none')
  assert.equal(compareConnections([], ['a']), 'connected')
  assert.equal(compareConnections(['a', 'b'], ['b', 'a', 'c']), 'connected')
  assert.equal(compareConnections(['a', 'b'], ['a']), 'lost')
  assert.equal(compareConnections(['a'], ['b']), 'changed')
})

test('whoever asks for the table gets a reading that began after the question', async () => {
  let reads = 0
  const files = {readText: () => Promise.resolve(`${++reads}`)} as unknown as Files
  const table = new TcpTable(files, systemClock)
  await Promise.all(Array.from({length: 50}, () => table.read('10.0.0.1')))
  assert.equal(reads, 1)
  await table.read('10.0.0.1')
  assert.equal(reads, 2)
})

test('many questions in a row are spaced', async () => {
  let reads = 0
  const files = {readText: () => Promise.resolve(`${++reads}`)} as unknown as Files
  let sleptMs = 0
  const clock = {...systemClock, monotonic: () => sleptMs, sleep: (ms: number) => Promise.resolve(void (sleptMs += ms))}
  const table = new TcpTable(files, clock)
  for (let at = 0; at < 30; at++) await table.read('10.0.0.1')
  assert.equal(reads, 30)
  assert.ok(sleptMs >= 2400 && sleptMs <= 2600, `${sleptMs} ms`)
})

const word: BeaconWord = {
  format: 1,
  pair: 'web1' as PairName,
  from: 'alpha',
  role: 'primary',
  generation: {epoch: 2, id: 'g2', ancestors: ['g1']},
  complete: true,
  alone: true,
  stale: false,
  domain: 'running',
  qemuAlive: true,
  missedWrites: false,
  atMs: 1000,
  nonce: 'n',
  seq: 1,
}

test('a beacon is opened with its key only, and any change breaks the seal', () => {
  const key = 'aa'.repeat(32)
  const [datagram] = packWords([sealWord(word, key)])
  assert.ok(datagram)
  assert.deepEqual(
    openDatagram(datagram, () => key),
    [word],
  )
  assert.deepEqual(
    openDatagram(datagram, () => 'bb'.repeat(32)),
    [],
  )
  assert.deepEqual(
    openDatagram(datagram, () => undefined),
    [],
  )
  fc.assert(
    fc.property(fc.nat(datagram.length - 1), fc.integer({min: 1, max: 255}), (at, flip) => {
      const bad = Buffer.from(datagram)
      bad[at] = (bad[at] ?? 0) ^ flip
      const opened = openDatagram(bad, () => key)
      assert.ok(opened.length === 0 || JSON.stringify(opened[0]) === JSON.stringify(word))
    }),
    {numRuns: 500},
  )
})

test('words of many pairs share datagrams of one frame, a long one travels alone', () => {
  const key = 'aa'.repeat(32)
  const sealed = Array.from({length: 20}, () => sealWord(word, key))
  const ancestors = Array.from({length: 256}, () => '6a2c6f0e-6d3f-4f0f-8a1a-0c5c0f3c7d10')
  const long = sealWord({...word, generation: {...word.generation, ancestors}}, key)
  const datagrams = packWords([...sealed, long])
  assert.ok(datagrams.slice(0, -1).every(({length}) => length <= 1472))
  assert.ok(datagrams.length <= 12)
  assert.equal(datagrams.flatMap((one) => openDatagram(one, () => key)).length, 21)
})

test('repeated words are not fresh', () => {
  const fresh = new Freshness('mine')
  assert.equal(fresh.accept({nonce: 'a', seq: 1, atMs: 10}), true)
  assert.equal(fresh.accept({nonce: 'a', seq: 1, atMs: 10}), false)
  assert.equal(fresh.accept({nonce: 'a', seq: 2, atMs: 5}), true)
  assert.equal(fresh.accept({nonce: 'b', seq: 1, atMs: 20}), true)
  assert.equal(fresh.accept({nonce: 'a', seq: 9, atMs: 11}), false)
})

test('a peer that came back with its clock behind is heard once it answers; what it said before is not heard again', () => {
  const fresh = new Freshness('mine')
  fresh.accept({nonce: 'before', seq: 7, atMs: 1000, heard: 'mine'})
  assert.equal(fresh.accept({nonce: 'after', seq: 1, atMs: 20}), false)
  assert.equal(fresh.accept({nonce: 'after', seq: 2, atMs: 21, heard: 'another'}), false)
  assert.equal(fresh.accept({nonce: 'after', seq: 3, atMs: 22, heard: 'mine'}), true)
  assert.equal(fresh.accept({nonce: 'before', seq: 8, atMs: 1001, heard: 'mine'}), false)
  assert.equal(fresh.accept({nonce: 'after', seq: 4, atMs: 22}), true)
})

test('a tap is set by its flags and read back', async () => {
  const kernel = new Map([['/sys/class/net/co1/flags', '0x1003\n']])
  const files = {
    readText: (path: string) => Promise.resolve(kernel.get(path)),
    writeText: (path: string, text: string) => Promise.resolve(void kernel.set(path, text)),
  } as unknown as Files
  assert.equal(await readTap(files, 'co1'), 'up')
  assert.equal(await setTap(files, 'co1', 'down'), 'changed')
  assert.equal(kernel.get('/sys/class/net/co1/flags'), '0x1002')
  assert.equal(await setTap(files, 'co1', 'down'), 'unchanged')
  assert.equal(await setTap(files, 'gone', 'down'), 'unchanged')
  await assert.rejects(setTap(files, 'gone', 'up'), /tap gone is absent, not up/)
  await assert.rejects(setTap(files, '../../x', 'down'), /not the name of an interface/)
  const stuck = {...files, writeText: () => Promise.resolve()}
  await assert.rejects(setTap(stuck, 'co1', 'up'), /is down, not up/)
})

test('a disk is read from the block graph', () => {
  const nodes = ['colo-disk0', 'parent0', 'nbd0', 'active0'].map((name, id) => ({id, name, type: 'block-driver'}))
  const edges = [
    {parent: 0, child: 2, name: 'children.1'},
    {parent: 0, child: 1, name: 'children.0'},
  ]
  const disk = {quorum: 'colo-disk0', active: 'active0', hidden: 'hidden0'}
  assert.deepEqual(diskView({nodes, edges}, disk), {quorum: true, children: ['parent0', 'nbd0'], overlays: false})
  const chained = [...edges, {parent: 1, child: 3, name: 'backing'}]
  assert.equal(diskView({nodes, edges: chained}, disk).overlays, true)
  assert.deepEqual(diskView({nodes: [], edges: []}, disk), {quorum: false, children: [], overlays: false})
})

test('events are sorted into what decides and what does not', () => {
  const layout = layoutAt(sampleSpec, {stateRoot: '/s', runRoot: '/r'})
  assert.equal(layout.agentSocket, '/r/web1/agent.qmp')
  assert.equal(layout.nics[0]?.captureSocket, '/r/web1/nic0-capture.sock')
  const of = (event: string, data: Record<string, unknown>) => classify({event, data, atUs: 0}, layout)
  assert.deepEqual(of('QUORUM_REPORT_BAD', {'node-name': 'nbd0', type: 'write', error: 'EIO'}), {
    kind: 'quorum-report-bad',
    detail: 'write on nbd0: EIO',
    missedWrites: true,
  })
  const local = of('QUORUM_REPORT_BAD', {'node-name': 'parent0', type: 'write'})
  assert.equal(typeof local === 'object' && local.missedWrites, false)
  assert.equal(of('COLO_EXIT', {mode: 'primary', reason: 'request'}), 'other')
  assert.equal(of('RTC_CHANGE', {}), 'noise')
  assert.equal(of('STOP', {}), 'other')
})

test('an error keeps code, exit status and hint over the wire, and names its step', () => {
  const step = new StepError({id: 'alpha/x', label: 'do x'}, 'tap', new ConflictError('no', {hint: 'yes'}))
  assert.deepEqual(remoteErrorOf(step), {
    code: 'conflict',
    exit: 4,
    message: 'do x (alpha/x, tap): no',
    hint: 'yes',
    step: 'alpha/x',
  })
  assert.deepEqual(remoteErrorOf(Object.assign(new Error('full'), {code: 'ENOSPC'})), {
    code: 'enospc',
    exit: 1,
    message: 'full',
  })
})

test.run()

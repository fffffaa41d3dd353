import assert from 'node:assert/strict'
import {
  QmpClosedError,
  QmpCommandError,
  QmpConnectError,
  QmpOobError,
  QmpTimeoutError,
} from '../../../src/qmp/errors.js'
import {connectQmp, type QmpOptions, type QmpSession} from '../../../src/qmp/session.js'
import {FakeQmp, type FakeQmpOptions, type FakeReply} from '../../support/fake-qmp.js'
import {suite, type T} from '../../support/suite.js'

const test = suite('qmp session')

/** A fake and a session on it, both gone with the test. */
async function pair(
  t: T,
  fakeOptions?: FakeQmpOptions,
  options?: QmpOptions,
): Promise<{fake: FakeQmp; qmp: QmpSession; reports: string[]}> {
  const fake = await FakeQmp.start(t, fakeOptions)
  const reports: string[] = []
  const qmp = await connectQmp({path: fake.path, report: (text) => reports.push(text), ...options})
  t.defer(() => {
    qmp.close()
  })
  return {fake, qmp, reports}
}

/** A promise and the function that settles it. */
function gate<V>(): {promise: Promise<V>; open: (value: V) => void} {
  let open: (value: V) => void = () => undefined
  const promise = new Promise<V>((resolve) => {
    open = resolve
  })
  return {promise, open}
}

/** The error a promise is rejected with, which must be of this class. */
async function rejected<E extends Error>(promise: Promise<unknown>, type: new (...args: never[]) => E): Promise<E> {
  const error: unknown = await promise.then(
    () => assert.fail(`expected ${type.name}, but it was fulfilled`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof type, `expected ${type.name}, got ${String(error)}`)
  return error
}

test('negotiates without oob unless asked', async (t) => {
  const {fake, qmp} = await pair(t, {package: 'Debian 1'})
  assert.deepEqual(qmp.greeting, {
    version: {major: 11, minor: 1, micro: 3, package: 'Debian 1'},
    capabilities: ['oob'],
  })
  assert.deepEqual(fake.received, [{command: 'qmp_capabilities', args: {}, oob: false}])
})

test('negotiates oob when asked and offered', async (t) => {
  const {fake, qmp} = await pair(t, {handlers: {'query-yank': () => ({return: []})}}, {oob: true})
  assert.deepEqual(fake.received[0]?.args, {enable: ['oob']})
  await qmp.execute('query-yank', undefined, {oob: true})
  assert.equal(fake.received[1]?.oob, true)
})

test('oob asked and not offered: a session, but no exec-oob', async (t) => {
  const {fake, qmp} = await pair(t, {capabilities: []}, {oob: true})
  assert.deepEqual(fake.received[0]?.args, {})
  await rejected(qmp.execute('yank', {}, {oob: true}), QmpOobError)
  assert.equal(fake.received.length, 1)
})

test('arguments go out and the return comes back', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.on('qom-get', (args) => ({return: args}))
  assert.deepEqual(await qmp.execute('qom-get', {path: '/', property: 'ü€😀'}), {path: '/', property: 'ü€😀'})
})

test('a refusal carries what was sent and the words of QEMU', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.refuse('blockdev-del', 'Node nbd0 is in use')
  const error = await rejected(qmp.execute('blockdev-del', {'node-name': 'nbd0'}), QmpCommandError)
  assert.deepEqual(error.sent, {command: 'blockdev-del', arguments: {'node-name': 'nbd0'}})
  assert.equal(error.class, 'GenericError')
  assert.equal(error.desc, 'Node nbd0 is in use')
  assert.match(error.message, /^blockdev-del on .*qmp\.sock: Node nbd0 is in use$/)
  assert.equal(error.exit, 1)
})

test('an out-of-band reply overtakes a command that hangs', async (t) => {
  const {fake, qmp} = await pair(t, {}, {oob: true})
  const blocked = gate<FakeReply>()
  fake.on('x-blockdev-change', () => blocked.promise)
  fake.on('yank', () => {
    blocked.open({return: {}})
    return {return: {}}
  })
  const change = qmp.execute('x-blockdev-change', {parent: 'colo-disk0', child: 'children.1'})
  await fake.seen('x-blockdev-change')
  await qmp.execute('yank', {instances: []}, {oob: true})
  await change
})

test('a time-out names command and limit; the late reply is dropped and the session goes on', async (t) => {
  const {fake, qmp, reports} = await pair(t)
  const late = gate<FakeReply>()
  fake.on('query-status', () => late.promise)
  fake.answer('query-name', {name: 'web1'})
  const error = await rejected(qmp.execute('query-status', undefined, {timeoutMs: 20}), QmpTimeoutError)
  assert.equal(error.command, 'query-status')
  assert.equal(error.waitedMs, 20)
  assert.equal(error.exit, 21)
  late.open({return: {status: 'running'}})
  assert.deepEqual(await qmp.execute('query-name'), {name: 'web1'})
  assert.equal(reports.length, 1)
  assert.match(reports[0] ?? '', /dropped a reply nobody waits for/)
})

test('a signal ends the wait with its reason; aborted before, nothing is sent', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.hang('query-status')
  const stop = new AbortController()
  const wait = qmp.execute('query-status', undefined, {signal: stop.signal})
  await fake.seen('query-status')
  stop.abort(new RangeError('enough'))
  await rejected(wait, RangeError)
  await rejected(qmp.execute('query-status', undefined, {signal: stop.signal}), RangeError)
  assert.equal(fake.received.filter(({command}) => command === 'query-status').length, 1)
})

test('a reply with an id we never sent is reported and dropped', async (t) => {
  const {fake, qmp, reports} = await pair(t)
  fake.answer('query-name', {})
  fake.sendRaw('{"return": {}, "id": "libvirt-7"}\r\n{"return": {}}\r\n')
  await qmp.execute('query-name')
  assert.equal(reports.length, 2)
})

test('an error without an id ends the session: QEMU could not parse us', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.hang('query-status')
  const wait = qmp.execute('query-status')
  fake.sendRaw('{"error": {"class": "GenericError", "desc": "JSON parse error"}}\r\n')
  const error = await rejected(wait, QmpClosedError)
  assert.equal(error.end, 'protocol')
  assert.match(error.message, /JSON parse error/)
})

test('what is not JSON ends the session, and what follows it is not looked at', async (t) => {
  const {fake, qmp} = await pair(t)
  const events: string[] = []
  qmp.onEvent(({event}) => events.push(event))
  fake.sendRaw('{"timestamp"\r\n{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}}\r\n')
  assert.equal((await qmp.closed).end, 'protocol')
  assert.deepEqual(events, [])
})

test('the death of QEMU rejects everything that waits, and everything after', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.hang('migrate')
  fake.hang('stop')
  await using listener = qmp.listen(['STOP'])
  const waits = [qmp.execute('migrate'), qmp.execute('stop'), listener.next({timeoutMs: 5000})]
  const errors = Promise.all(waits.map((wait) => rejected(wait, QmpClosedError)))
  await fake.seen('migrate')
  fake.die()
  for (const error of await errors) assert.equal(error.end, 'peer')
  assert.equal((await qmp.closed).exit, 20)
  await rejected(qmp.execute('query-status'), QmpClosedError)
})

test('replies that came before the end are still delivered', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.on('quit', () => {
    setImmediate(() => {
      fake.die()
    })
    return {return: {}}
  })
  assert.deepEqual(await qmp.execute('quit'), {})
  assert.equal((await qmp.closed).end, 'peer')
})

test('close ends our side: waits are rejected, the server sees the client go', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.hang('stop')
  const wait = qmp.execute('stop')
  qmp.close()
  qmp.close()
  assert.equal((await rejected(wait, QmpClosedError)).end, 'local')
  const again = await connectQmp({path: fake.path}) // possible only when the first client is gone
  again.close()
})

test('replies and events split at every byte are understood', async (t) => {
  const chop = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((byte) => Uint8Array.of(byte))
  const {fake, qmp} = await pair(t, {chop, handlers: {'query-name': () => ({return: {name: 'ü€😀'}})}})
  await using stops = qmp.listen(['STOP'])
  fake.emit('STOP', {}, 1_000_001)
  assert.deepEqual(await qmp.execute('query-name'), {name: 'ü€😀'})
  assert.equal((await stops.next({timeoutMs: 1000})).atUs, 1_000_001)
})

test('a socket that is missing, and one nobody listens on', async (t) => {
  const fake = await FakeQmp.start(t)
  const missing = await rejected(connectQmp({path: `${fake.path}-absent`}), QmpConnectError)
  assert.deepEqual([missing.failure, missing.exit], ['missing', 20])
  assert.equal(missing.message, `cannot open QMP socket ${fake.path}-absent: no such socket`)
})

test('a second client gets no greeting; once the first is gone it does', async (t) => {
  const {fake, qmp} = await pair(t)
  const error = await rejected(connectQmp({path: fake.path, timeoutMs: 30}), QmpConnectError)
  assert.deepEqual([error.failure, error.exit], ['no-greeting', 21])
  assert.match(error.hint ?? '', /one client per socket/)
  const waiting = connectQmp({path: fake.path, timeoutMs: 5000})
  qmp.close()
  ;(await waiting).close()
})

test('a peer that does not speak QMP, one that refuses to negotiate, one that hangs up', async (t) => {
  const fake = await FakeQmp.start(t)
  fake.refuse('qmp_capabilities', 'Capability oob is not available')
  assert.equal((await rejected(connectQmp({path: fake.path}), QmpConnectError)).failure, 'not-qmp')
  fake.on('qmp_capabilities', () => {
    fake.sendRaw('SSH-2.0-OpenSSH_9.2\r\n')
    return {return: {}}
  })
  assert.equal((await rejected(connectQmp({path: fake.path}), QmpConnectError)).failure, 'not-qmp')
  fake.on('qmp_capabilities', () => {
    fake.disconnect()
    return {return: {}}
  })
  assert.equal((await rejected(connectQmp({path: fake.path}), QmpConnectError)).failure, 'ended')
})

test('a signal ends connecting with its reason', async (t) => {
  const {fake} = await pair(t)
  const stop = new AbortController()
  const waiting = connectQmp({path: fake.path, signal: stop.signal})
  stop.abort(new RangeError('enough'))
  await rejected(waiting, RangeError)
})

test('a thousand commands at once are matched to their replies', async (t) => {
  const {fake, qmp} = await pair(t)
  fake.on('qom-get', (args) => ({return: args['property']}))
  const numbers = Array.from({length: 1000}, (_, n) => n)
  assert.deepEqual(await Promise.all(numbers.map((property) => qmp.execute('qom-get', {property}))), numbers)
})

test.run()

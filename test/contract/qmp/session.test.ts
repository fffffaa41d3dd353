import assert from 'node:assert/strict'
import {connectUnix} from '../../../src/os/sockets.js'
import {blockdevAdd} from '../../../src/qmp/commands/block-nodes.js'
import {chardevAdd, chardevRemove, queryChardev, socketBackend} from '../../../src/qmp/commands/chardevs.js'
import {coloLostHeartbeat, queryColoStatus} from '../../../src/qmp/commands/colo.js'
import {qomListTypes, queryBlockDrivers, queryCommands, queryVersion} from '../../../src/qmp/commands/introspection.js'
import {queryMigrate} from '../../../src/qmp/commands/migration.js'
import {nbdServerStart, nbdServerStop} from '../../../src/qmp/commands/nbd.js'
import {objectAdd, objectDel, qomList} from '../../../src/qmp/commands/objects.js'
import {cont, queryStatus, quit, stop} from '../../../src/qmp/commands/status.js'
import {humanMonitorCommand} from '../../../src/qmp/commands/trace.js'
import {queryYank} from '../../../src/qmp/commands/yank.js'
import {shutdownEvent} from '../../../src/qmp/event-kinds.js'
import {
  QmpClosedError,
  QmpCommandError,
  QmpConnectError,
  QmpOobError,
  QmpTimeoutError,
} from '../../../src/qmp/errors.js'
import {connectQmp, openSession, type QmpOptions, type QmpSession} from '../../../src/qmp/session.js'
import {suite, type T} from '../../support/suite.js'
import {labQemu, ownQemu, startFake, startQemu, type Subject} from './subjects.js'

/** What `colo` relies on, held against the fake and against a real QEMU. */
function contract(name: string, start: (t: T) => Promise<Subject>): void {
  const test = suite(`qmp contract, ${name}`)

  async function open(t: T, options: QmpOptions = {}): Promise<{subject: Subject; qmp: QmpSession}> {
    const subject = await start(t)
    const qmp = await connectQmp({path: subject.path, report: () => undefined, ...options})
    t.defer(() => {
      qmp.close()
    })
    return {subject, qmp}
  }

  test('greeting and query-version tell the same', async (t) => {
    const {qmp} = await open(t)
    assert.deepEqual(await queryVersion(qmp), qmp.greeting.version)
    assert.ok(qmp.greeting.version.major >= 7)
    assert.deepEqual(qmp.greeting.capabilities, ['oob'])
  })

  test('the probes find what COLO needs', async (t) => {
    const {qmp} = await open(t)
    const commands = await queryCommands(qmp)
    for (const command of [
      'x-colo-lost-heartbeat',
      'query-colo-status',
      'x-blockdev-change',
      'yank',
      'block-export-add',
    ]) {
      assert.ok(commands.includes(command), command)
    }
    const filters = await qomListTypes(qmp, 'netfilter')
    for (const filter of ['filter-mirror', 'filter-redirector', 'filter-rewriter']) {
      assert.ok(filters.includes(filter), filter)
    }
    const drivers = await queryBlockDrivers(qmp)
    for (const driver of ['replication', 'quorum', 'nbd']) assert.ok(drivers.includes(driver), driver)
  })

  test('an empty machine is not in COLO and never migrated', async (t) => {
    const {qmp} = await open(t)
    assert.deepEqual(await queryColoStatus(qmp), {mode: 'none', lastMode: 'none', reason: 'none'})
    assert.equal((await queryMigrate(qmp)).status, 'none')
    await assert.rejects(coloLostHeartbeat(qmp), QmpCommandError)
  })

  test('stop and cont, and the events they make, once each', async (t) => {
    const {qmp} = await open(t)
    const all: string[] = []
    qmp.onEvent(({event}) => all.push(event))
    await using events = qmp.listen(['STOP', 'RESUME'])
    const beforeUs = Date.now() * 1000
    await stop(qmp)
    await stop(qmp)
    assert.deepEqual(await queryStatus(qmp), {status: 'paused', running: false})
    await cont(qmp)
    await cont(qmp)
    assert.deepEqual(await queryStatus(qmp), {status: 'running', running: true})
    const first = await events.next({timeoutMs: 5000})
    const second = await events.next({timeoutMs: 5000})
    assert.deepEqual([first.event, second.event], ['STOP', 'RESUME'])
    assert.ok(first.atUs >= beforeUs - 1000 && second.atUs >= first.atUs)
    assert.deepEqual(all, ['STOP', 'RESUME'])
  })

  test('an unknown command is refused with its own class', async (t) => {
    const {qmp} = await open(t)
    await assert.rejects(qmp.execute('no-such-command'), (error) => {
      assert.ok(error instanceof QmpCommandError)
      assert.deepEqual([error.class, error.desc], ['CommandNotFound', 'The command no-such-command has not been found'])
      return true
    })
  })

  test('an object comes and goes; gone twice is an error', async (t) => {
    const {qmp} = await open(t)
    const thread = {'qom-type': 'iothread', id: 'iothread1'}
    await objectAdd(qmp, thread)
    assert.ok(
      (await qomList(qmp, '/objects')).some(({name: id, type}) => id === 'iothread1' && type === 'child<iothread>'),
    )
    await assert.rejects(objectAdd(qmp, thread), {class: 'GenericError'})
    await objectDel(qmp, 'iothread1')
    await assert.rejects(objectDel(qmp, 'iothread1'), {desc: `object 'iothread1' not found`})
  })

  test('a chardev that listens is not connected', async (t) => {
    const {subject, qmp} = await open(t)
    await chardevAdd(qmp, 'mirror0', socketBackend({address: {path: `${subject.path}-m`}, role: 'server'}))
    const found = (await queryChardev(qmp)).find(({label}) => label === 'mirror0')
    assert.deepEqual([found?.connected, found?.frontendOpen], [false, false])
    await chardevRemove(qmp, 'mirror0')
    await assert.rejects(chardevRemove(qmp, 'mirror0'), {desc: `Chardev 'mirror0' not found`})
  })

  test('the NBD server starts once and stops once', async (t) => {
    const {qmp} = await open(t)
    const server = {host: '127.0.0.1', port: 0}
    await nbdServerStart(qmp, server)
    await assert.rejects(nbdServerStart(qmp, server), {desc: 'NBD server already running'})
    await nbdServerStop(qmp)
    await assert.rejects(nbdServerStop(qmp), {desc: 'NBD server not running'})
  })

  test('query-yank out of band when negotiated, refused by us when not', async (t) => {
    const {subject, qmp} = await open(t, {oob: true})
    await queryYank(qmp, {oob: true})
    qmp.close()
    const plain = await connectQmp({path: subject.path})
    await assert.rejects(queryYank(plain, {oob: true}), QmpOobError)
    plain.close()
  })

  test('out of band overtakes a command that takes its time, in band waits for it', async (t) => {
    const {qmp} = await open(t, {oob: true})
    await blockdevAdd(qmp, {driver: 'null-co', 'node-name': 'null0'})
    const order: string[] = []
    const note = (what: string) => () => void order.push(what)
    await Promise.all([
      humanMonitorCommand(qmp, 'qemu-io null0 "sleep 300"').then(note('slow')),
      queryStatus(qmp).then(note('in band')),
      queryYank(qmp, {oob: true}).then(note('out of band')),
    ])
    assert.deepEqual(order, ['out of band', 'slow', 'in band'])
  })

  test('many commands at once are matched to their replies', async (t) => {
    const {qmp} = await open(t)
    const calls = Array.from({length: 60}, async (_, n) => {
      if (n % 3 === 0) return (await queryStatus(qmp)).status
      if (n % 3 === 1) return (await queryColoStatus(qmp)).mode
      return String((await queryVersion(qmp)).major)
    })
    const major = String(qmp.greeting.version.major)
    assert.deepEqual(await Promise.all(calls), Array.from({length: 20}, () => ['running', 'none', major]).flat())
  })

  test('one client at a time: the second waits for its greeting', async (t) => {
    const {subject, qmp} = await open(t)
    await assert.rejects(connectQmp({path: subject.path, timeoutMs: 50}), {code: 'qmp-connect', failure: 'no-greeting'})
    const second = connectQmp({path: subject.path})
    qmp.close()
    ;(await second).close()
  })

  test('what we send is not JSON: an error without an id, and the session ends', async (t) => {
    const subject = await start(t)
    const port = await connectUnix({path: subject.path, timeoutMs: 5000})
    const qmp = await openSession(port, subject.path)
    port.write('{"execute": "query-status"]\n')
    const error = await qmp.closed
    assert.equal(error.end, 'protocol')
    assert.match(error.message, /JSON parse error/)
  })

  test('a stopped process: time-out, late reply dropped, then all is well', async (t) => {
    const {subject, qmp} = await open(t)
    subject.pause()
    await assert.rejects(queryStatus(qmp, {timeoutMs: 30}), QmpTimeoutError)
    subject.resume()
    assert.equal((await queryStatus(qmp)).status, 'running')
  })

  test('a stopped process gives no greeting', async (t) => {
    const subject = await start(t)
    subject.pause()
    await assert.rejects(connectQmp({path: subject.path, timeoutMs: 50}), QmpConnectError)
    subject.resume()
    const qmp = await connectQmp({path: subject.path})
    assert.equal((await queryStatus(qmp)).status, 'running')
    qmp.close()
  })

  test('quit: reply, SHUTDOWN, end, and nobody listens any more', async (t) => {
    const {subject, qmp} = await open(t)
    await using shutdown = qmp.listen(['SHUTDOWN'])
    await quit(qmp)
    assert.deepEqual(shutdownEvent(await shutdown.next({timeoutMs: 5000})), {guest: false, reason: 'host-qmp-quit'})
    assert.equal((await qmp.closed).end, 'peer')
    await assert.rejects(shutdown.next({timeoutMs: 5000}), QmpClosedError)
    await assert.rejects(connectQmp({path: subject.path, timeoutMs: 5000}), QmpConnectError)
  })

  test('killed: what waits is rejected at once', async (t) => {
    const {subject, qmp} = await open(t)
    subject.pause()
    const waiting = assert.rejects(queryStatus(qmp, {timeoutMs: 5000}), {end: 'peer'})
    subject.kill()
    await waiting
  })

  test.run()
}

contract('fake', startFake)
contract('QEMU of this machine', (t) => startQemu(t, ownQemu))
const newer = labQemu()
if (newer === undefined) suite('qmp contract').skip('QEMU of the lab', 'no root file system of colo lab here')
else contract('QEMU of the lab', (t) => startQemu(t, newer))

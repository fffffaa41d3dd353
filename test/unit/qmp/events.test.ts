import assert from 'node:assert/strict'
import {QmpClosedError, QmpOverflowError, QmpTimeoutError} from '../../../src/qmp/errors.js'
import {EventHub, type QmpEvent} from '../../../src/qmp/events.js'
import {suite} from '../../support/suite.js'

const test = suite('qmp events')
const limit = {timeoutMs: 1000}

function hub(): {events: EventHub; reports: string[]} {
  const reports: string[] = []
  return {events: new EventHub('a.qmp', (text) => reports.push(text)), reports}
}

function event(name: string, data: Record<string, unknown> = {}): QmpEvent {
  return {event: name, data, atUs: 0}
}

test('a listener gets its events, oldest first, those before next() too', async () => {
  const {events} = hub()
  await using listener = events.listen(['STOP', 'RESUME'])
  events.deliver(event('STOP', {n: 1}))
  events.deliver(event('RESET'))
  events.deliver(event('RESUME', {n: 2}))
  const later = [listener.next(limit), listener.next(limit), listener.next(limit), listener.next(limit)]
  events.deliver(event('STOP', {n: 3}))
  events.deliver(event('STOP', {n: 4}))
  assert.deepEqual(
    (await Promise.all(later)).map(({data}) => data['n']),
    [1, 2, 3, 4],
  )
})

test('each listener has a queue of its own and its own filter', async () => {
  const {events} = hub()
  await using all = events.listen(['JOB_STATUS_CHANGE'])
  await using ready = events.listen(['JOB_STATUS_CHANGE'], ({data}) => data['status'] === 'ready')
  events.deliver(event('JOB_STATUS_CHANGE', {status: 'running'}))
  events.deliver(event('JOB_STATUS_CHANGE', {status: 'ready'}))
  assert.equal((await ready.next(limit)).data['status'], 'ready')
  assert.equal((await all.next(limit)).data['status'], 'running')
  assert.equal((await all.next(limit)).data['status'], 'ready')
})

test('a time-out names the events; the next event goes to the next wait', async () => {
  const {events} = hub()
  await using listener = events.listen(['STOP', 'RESUME'])
  await assert.rejects(listener.next({timeoutMs: 5}), (error) => {
    assert.ok(error instanceof QmpTimeoutError)
    assert.equal(error.message, 'event STOP or RESUME on a.qmp: not seen after 5 ms')
    return true
  })
  events.deliver(event('STOP'))
  assert.equal((await listener.next(limit)).event, 'STOP')
})

test('a signal ends the wait with its reason', async () => {
  const {events} = hub()
  await using listener = events.listen(['STOP'])
  const stop = new AbortController()
  const wait = listener.next({...limit, signal: stop.signal})
  stop.abort(new RangeError('enough'))
  await assert.rejects(wait, RangeError)
  await assert.rejects(listener.next({...limit, signal: stop.signal}), RangeError)
})

test('after the end queued events are delivered, then next throws, for ever', async () => {
  const {events} = hub()
  await using listener = events.listen(['SHUTDOWN'])
  events.deliver(event('SHUTDOWN'))
  events.end(new QmpClosedError('a.qmp', 'peer', 'QEMU closed it'))
  assert.equal((await listener.next(limit)).event, 'SHUTDOWN')
  await assert.rejects(listener.next(limit), QmpClosedError)
  await assert.rejects(listener.next(limit), QmpClosedError)
})

test('a listener made after the end does not wait for nothing', async () => {
  const {events} = hub()
  events.end(new QmpClosedError('a.qmp', 'peer', 'QEMU closed it'))
  await using listener = events.listen(['STOP'])
  await assert.rejects(listener.next(limit), QmpClosedError)
})

test('a listener nobody reads loses events loudly', async () => {
  const {events} = hub()
  await using listener = events.listen(['STOP'])
  for (let n = 0; n <= 10_000; n++) events.deliver(event('STOP', {n}))
  for (let n = 0; n < 10_000; n++) assert.equal((await listener.next(limit)).data['n'], n)
  await assert.rejects(listener.next(limit), QmpOverflowError)
})

test('a disposed listener takes no more events', async () => {
  const {events} = hub()
  const listener = events.listen(['STOP'])
  await listener[Symbol.asyncDispose]()
  events.deliver(event('STOP'))
  await assert.rejects(listener.next({timeoutMs: 1}), QmpTimeoutError)
})

test('callbacks see every event in order until they unsubscribe; one function may subscribe twice', () => {
  const {events} = hub()
  const seen: string[] = []
  const note = ({event: name}: QmpEvent): void => void seen.push(name)
  const first = events.onEvent(note)
  const second = events.onEvent(note)
  events.deliver(event('STOP'))
  first()
  events.deliver(event('RESUME'))
  second()
  events.deliver(event('RESET'))
  assert.deepEqual(seen, ['STOP', 'STOP', 'RESUME'])
})

test('a callback that throws is reported and keeps nobody else from the event', async () => {
  const {events, reports} = hub()
  events.onEvent(() => {
    throw new Error('disk full')
  })
  await using listener = events.listen(['COLO_EXIT'])
  events.deliver(event('COLO_EXIT'))
  await listener.next(limit)
  assert.deepEqual(reports, ['a subscriber to COLO_EXIT of a.qmp threw: Error: disk full'])
})

test.run()

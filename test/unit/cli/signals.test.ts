import assert from 'node:assert/strict'
import {EventEmitter} from 'node:events'
import {watchInterrupts} from '../../../src/cli/signals.js'
import {InterruptedError} from '../../../src/errors.js'
import {suite} from '../../support/suite.js'

const test = suite('signals')

test('the first aborts, the second ends at once with 130, whichever they are', () => {
  for (const [first, second] of [
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ] as const) {
    const source = new EventEmitter()
    const exits: number[] = []
    const notes: string[] = []
    const {signal} = watchInterrupts(
      source,
      (status) => exits.push(status),
      (text) => notes.push(text),
    )
    assert.equal(signal.aborted, false)
    source.emit(first)
    assert.ok(signal.reason instanceof InterruptedError)
    assert.deepEqual(exits, [])
    assert.match(notes.join('\n'), new RegExp(`^${first}: `))
    source.emit(second)
    assert.deepEqual(exits, [130])
    assert.equal(notes.length, 1)
  }
})

test('stop takes the handlers away', () => {
  const source = new EventEmitter()
  const interrupts = watchInterrupts(source, unexpected, unexpected)
  interrupts.stop()
  source.emit('SIGINT')
  assert.equal(interrupts.signal.aborted, false)
  assert.deepEqual(source.eventNames(), [])
})

function unexpected(what: unknown): never {
  throw new Error(`unexpected: ${String(what)}`)
}

test.run()

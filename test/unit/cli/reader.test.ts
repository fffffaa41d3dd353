import assert from 'node:assert/strict'
import {EventEmitter} from 'node:events'
import {endWithReader} from '../../../src/cli/reader.js'
import {suite} from '../../support/suite.js'

const test = suite('a reader that goes away')

test('ends what prints without end; other errors are not its business', () => {
  const stdout = new EventEmitter()
  const ends: number[] = []
  endWithReader(stdout, (status) => ends.push(status))
  stdout.emit('error', Object.assign(new Error('disk full'), {code: 'ENOSPC'}))
  assert.deepEqual(ends, [])
  stdout.emit('error', Object.assign(new Error('broken pipe'), {code: 'EPIPE'}))
  assert.deepEqual(ends, [0])
})

test.run()

import assert from 'node:assert/strict'
import {checkedName, timeLimit} from '../../../src/cli/flags.js'
import {prose} from '../../../src/cli/prose.js'
import {UsageError} from '../../../src/errors.js'
import {suite} from '../../support/suite.js'

const test = suite('flags')

test('times have a unit, are not zero, and fit a timer', async () => {
  assert.equal(await timeLimit('500ms'), 500)
  assert.equal(await timeLimit('5m'), 300_000)
  assert.equal(await timeLimit('576h'), 2_073_600_000)
  for (const bad of ['', '5', '5 minutes', '-1s', '1.5s', '0s', '1000h', '9'.repeat(40) + 's']) {
    await assert.rejects(timeLimit(bad), UsageError, bad)
  }
})

test('names of pairs are checked before anything else, and quoted safely', async () => {
  assert.equal(await checkedName('web-1_a'), 'web-1_a')
  for (const bad of ['', '../web1', 'a b', 'a;rm', '-x', 'x'.repeat(41), 'a\u001b[2J']) {
    await assert.rejects(checkedName(bad), (error: unknown) => {
      assert.ok(error instanceof UsageError)
      assert.ok(!error.message.includes('\u001b'))
      return true
    })
  }
})

test('prose joins lines and keeps paragraphs', () => {
  assert.equal(prose('one\ntwo\n\n  three\n'), 'one two\n\nthree')
})

test.run()

import assert from 'node:assert/strict'
import {createConfirm} from '../../../src/cli/confirm.js'
import {RefusedError} from '../../../src/errors.js'
import type {Question} from '../../../src/operation/context.js'
import {suite} from '../../support/suite.js'

const test = suite('confirm')
const plain: Question = {text: 'This ends web1.', expected: 'web1'}
const named: Question = {...plain, force: 'peer-unknown'}
const never = (): Promise<string> => Promise.reject(new Error('must not ask'))
const typing = (answer: string) => async (): Promise<string> => answer

test('--yes answers a plain question without asking', async () => {
  await createConfirm({yes: true, force: [], ask: never})(plain)
})

test('--yes alone does not answer a question with a word; the word alone does not, either', async () => {
  const cases: ReadonlyArray<readonly [boolean, readonly string[]]> = [
    [true, []],
    [true, ['something-else']],
    [false, ['peer-unknown']],
  ]
  for (const [yes, force] of cases) {
    await assert.rejects(createConfirm({yes, force, ask: undefined})(named), (error: unknown) => {
      assert.ok(error instanceof RefusedError)
      assert.equal(error.exit, 22)
      assert.equal(error.hint, 'Give --yes --force peer-unknown when that is what you want.')
      return true
    })
  }
  await createConfirm({yes: true, force: ['peer-unknown'], ask: never})(named)
})

test('without a terminal it fails and says what to give', async () => {
  await assert.rejects(createConfirm({yes: false, force: [], ask: undefined})(plain), {
    code: 'refused',
    hint: 'Give --yes when that is what you want.',
  })
})

test('on a terminal the typed name counts, nothing else', async () => {
  await createConfirm({yes: false, force: [], ask: typing(' web1 \n')})(plain)
  for (const answer of ['', 'y', 'yes', 'WEB1', 'web10']) {
    await assert.rejects(createConfirm({yes: false, force: [], ask: typing(answer)})(plain), {code: 'refused'}, answer)
  }
})

test('the question shows what to type', async () => {
  const shown: string[] = []
  const ask = async (text: string): Promise<string> => {
    shown.push(text)
    return 'web1'
  }
  await createConfirm({yes: false, force: [], ask})(named)
  assert.deepEqual(shown, ['This ends web1.\nType web1 to go on: '])
})

test.run()

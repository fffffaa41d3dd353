import assert from 'node:assert/strict'
import {fail, failUnlessForced} from '../../../src/host/check.js'
import {preflightError} from '../../../src/operation/preflight-error.js'
import {suite} from '../../support/suite.js'

const test = suite('preflight error')

test('the first failed check is the message and its remedy the hint, told once; the others follow with theirs', () => {
  const image = fail({id: 'image', host: 'alpha'}, '/a.qcow2 does not exist', 'copy it there')
  const clocks = failUnlessForced({id: 'clock-difference'}, 'the clocks are 90 s apart', 'set them')
  const alone = preflightError('cannot create web1', image, [])
  assert.deepEqual(
    [alone.message, alone.hint, alone.check, alone.exit],
    ['cannot create web1: alpha: /a.qcow2 does not exist', 'copy it there', 'image', 6],
  )
  assert.equal(
    preflightError('cannot create web1', clocks, [image]).hint,
    'set them; --force clock-difference goes on all the same\nalso wrong:\n  alpha: /a.qcow2 does not exist (copy it there)',
  )
})

test.run()

import * as assert from 'uvu/assert'

import {checkXlCfg} from '../../../src/xen/check-config.js'
import {configCases} from '../../support/xen/config-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('xl.cfg: what colo checks')

for (const [name, {text, xl, colo}] of Object.entries(configCases)) {
  test(name, () => {
    const problems = checkXlCfg(text)
    assert.is(problems.length === 0 ? 'accepts' : 'refuses', colo, JSON.stringify(problems))
    if (colo === 'refuses') {
      // what xl refuses is no laxity of xl, and the other way round
      assert.is(
        problems.every(({laxity}) => laxity),
        xl === 'accepts',
        JSON.stringify(problems),
      )
    }
  })
}

test('forty configurations at least', () => {
  assert.ok(Object.keys(configCases).length >= 40)
})

test.run()

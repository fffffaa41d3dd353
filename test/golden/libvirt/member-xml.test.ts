import assert from 'node:assert/strict'
import {existsSync, readdirSync} from 'node:fs'

import {assertGolden} from '../../support/golden.js'
import {memberCases, memberXml, roles} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('golden: domain XML')
const directory = new URL('./domains/', import.meta.url)

for (const each of memberCases) {
  for (const role of roles) {
    test(`${each.name}, ${role}`, () => {
      assertGolden(new URL(`${each.name}-${role}.xml`, directory), memberXml(each, role))
    })
  }
}

test('no golden file is left over', () => {
  const expected = memberCases.flatMap((each) => roles.map((role) => `${each.name}-${role}.xml`))
  if (existsSync(directory)) assert.deepEqual(readdirSync(directory).sort(), expected.sort())
})

test.run()

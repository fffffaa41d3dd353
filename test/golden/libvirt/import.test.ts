import assert from 'node:assert/strict'

import {findingsText} from '../../../src/cli/import-text.js'
import {refusals} from '../../../src/libvirt/import-pair.js'
import {assertGolden} from '../../support/golden.js'
import {importCase, importCases, memberCaseOf} from '../../support/import-cases.js'
import {memberXml, roles} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('import of domains')
const golden = (name: string): URL => new URL(`./imports/${name}`, import.meta.url)

test('there are at least a dozen styles, some of which cannot be imported', () => {
  assert.ok(importCases.filter(({importable}) => importable).length >= 10)
  assert.ok(importCases.filter(({importable}) => !importable).length >= 6)
})

for (const each of importCases) {
  test(`${each.name}: what becomes of each part`, () => {
    const {findings} = importCase(each, 'plain')
    assertGolden(golden(`${each.name}.txt`), `${findingsText(findings)}\n`)
    if (!each.importable)
      assert.notDeepEqual(
        refusals(findings).filter(({final}) => final === true),
        [],
      )
  })
  if (!each.importable) continue
  test(`${each.name}: both members`, () => {
    assert.deepEqual(refusals(importCase(each, 'accepted').findings), [])
    for (const role of roles) assertGolden(golden(`${each.name}-${role}.xml`), memberXml(memberCaseOf(each), role))
  })
}

test.run()

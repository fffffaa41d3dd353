import * as assert from 'uvu/assert'
import {assertGolden} from '../../support/golden.js'
import {suite} from '../../support/suite.js'
import {screens} from './screens.js'

const test = suite('screens of top')

test('lists, details, hosts, help and a dialog at three sizes, as in docs/screens', () => {
  for (const [name, text] of screens()) {
    assertGolden(new URL(`../../../docs/screens/${name}.txt`, import.meta.url), text)
  }
})

test('no screen is wider or higher than its terminal', () => {
  for (const [name, text] of screens()) {
    const [, columns, rows] = /-(\d+)x(\d+)$/.exec(name) ?? []
    const lines = text.replace(/\n$/, '').split('\n')
    assert.ok(lines.length <= Number(rows), `${name} has ${lines.length} lines`)
    for (const line of lines) assert.ok(line.length <= Number(columns), `${name}: ${line}`)
  }
})

test.run()

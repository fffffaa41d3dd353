import assert from 'node:assert/strict'
import {renderTable, type Column} from '../../../src/ui/table.js'
import {suite} from '../../support/suite.js'

const test = suite('table')

interface Row {
  readonly pair: string
  readonly epoch: number | undefined
  readonly reason: string
}
const columns: readonly Column<Row>[] = [
  {title: 'PAIR', value: (row) => row.pair},
  {title: 'EPOCH', value: (row) => row.epoch, align: 'right'},
  {title: 'QEMU', value: () => '11.1.3', wide: true},
  {title: 'REASON', value: (row) => row.reason},
]
const rows: readonly Row[] = [
  {pair: 'web1', epoch: 12, reason: ''},
  {pair: 'database', epoch: undefined, reason: 'peer gone'},
]

test('aligns, draws what is missing as a dash, ends lines without blanks', () => {
  assert.equal(
    renderTable(columns, rows),
    ['PAIR      EPOCH  REASON', 'web1         12  -', 'database      -  peer gone'].join('\n'),
  )
})

test('wide shows more columns, header false leaves the titles out', () => {
  assert.match(renderTable(columns, rows, {wide: true}), /^PAIR +EPOCH +QEMU +REASON\n/)
  assert.equal(renderTable(columns, rows, {header: false}).split('\n').length, 2)
})

test('a cell cannot break the line or steer the terminal', () => {
  const evil = renderTable(columns, [{pair: 'a', epoch: 1, reason: 'two\nlines \u001b[2J\u0007\u009b1m'}], {
    header: false,
  })
  assert.equal(evil, 'a  1  two; lines ?[2J??1m')
})

test('cuts at the width of the terminal, and nowhere else', () => {
  const long = [{pair: 'web1', epoch: 1, reason: 'x'.repeat(200)}]
  const lines = renderTable(columns, long, {width: 40}).split('\n')
  assert.equal(lines[1]?.length, 40)
  assert.ok(lines[1]?.endsWith('...'))
  assert.ok((renderTable(columns, long).split('\n')[1] ?? '').length > 200)
})

test('no rows: the titles alone', () => {
  assert.equal(renderTable(columns, []), 'PAIR  EPOCH  REASON')
})

test.run()

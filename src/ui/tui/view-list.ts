import type {ColumnKey} from './columns.js'
import {rowsOf, type Row} from './rows.js'
import {selectedName} from './keys.js'
import type {Model} from './model.js'
import {fitted, span, type Line} from './text.js'

interface ColumnShape {
  readonly key: ColumnKey
  readonly title: string
  readonly width: number
  readonly right?: true
  /** lower ones are left out first */
  readonly rank: number
}

const shapes: readonly ColumnShape[] = [
  {key: 'pair', title: 'PAIR', width: 10, rank: 99},
  {key: 'state', title: 'STATE', width: 12, rank: 99},
  {key: 'primary', title: 'PRIMARY', width: 7, rank: 90},
  {key: 'secondary', title: 'SECONDARY', width: 9, rank: 89},
  {key: 'rate', title: 'CKPT/S', width: 6, right: true, rank: 80},
  {key: 'p50', title: 'P50 MS', width: 6, right: true, rank: 79},
  {key: 'p99', title: 'P99 MS', width: 6, right: true, rank: 81},
  {key: 'div', title: 'DIV/S', width: 5, right: true, rank: 70},
  {key: 'resync', title: 'RESYNC', width: 11, rank: 75},
  {key: 'links', title: 'LINKS', width: 5, rank: 60},
  {key: 'gen', title: 'GEN', width: 4, right: true, rank: 61},
  {key: 'agents', title: 'AGENTS', width: 6, rank: 65},
]

/** what REASON needs to be of use */
const reasonWidth = 24
const gap = 1

export function listLines(model: Model, room: number): readonly Line[] {
  const rows = rowsOf(model)
  const columns = shownColumns(model.columns, rows)
  const used = columns.reduce((sum, {width}) => sum + width + gap, 2)
  const rest = Math.max(0, model.columns - used)
  const head = `  ${columns.map(({title, width, right}) => fitted(title, width, right ? 'right' : 'left')).join(' ')} ${fitted('REASON', rest)}`
  if (rows.length === 0) return [[span(head, 'head')], [], [span(`  ${emptyText(model)}`)]]
  const selected = selectedName(model)
  const at = Math.max(
    0,
    rows.findIndex(({name}) => name === selected),
  )
  const page = Math.max(1, room - 1)
  const first = Math.min(Math.max(0, rows.length - page), Math.max(0, at - Math.floor(page / 2)))
  return [
    [span(head, 'head')],
    ...rows.slice(first, first + page).map((row) => rowLine(row, columns, rest, row.name === selected)),
  ]
}

function emptyText({data, filter, typing, problemsOnly}: Model): string {
  if (data.pairs.size === 0) {
    const waiting = [...data.hosts.values()].some(({state}) => state === 'connecting')
    return waiting ? 'asking the hosts ...' : 'no pairs on the hosts that answer'
  }
  if ((typing ?? filter) !== '') return 'no pair fits the filter: Esc clears it'
  return problemsOnly ? 'no problems: p shows all pairs' : 'none of the named pairs is known'
}

/** A row's state is a word and, before it, a mark: never a colour alone. */
function rowLine(row: Row, columns: readonly ColumnShape[], rest: number, isSelected: boolean): Line {
  const mark = row.stale ? '? ' : row.problem ? '! ' : '  '
  const cell = ({key, width, right}: ColumnShape): string => fitted(row.cells[key], width, right ? 'right' : 'left')
  const reason = fitted(row.cells.reason, rest)
  if (isSelected) return [span(`${mark.replace('  ', '> ')}${columns.map(cell).join(' ')} ${reason}`, 'selected')]
  const styled = columns.flatMap((column) => [
    span(cell(column), row.stale ? 'dim' : column.key === 'state' ? row.style : undefined),
    span(' '),
  ])
  return [span(mark, row.style), ...styled, span(reason, row.stale ? 'dim' : undefined)]
}

/** As many columns as fit, the less important ones left out first; names get what they need up to a third of the screen. */
function shownColumns(width: number, rows: readonly Row[]): readonly ColumnShape[] {
  const widest = (key: ColumnKey, least: number, most: number): number =>
    Math.min(most, Math.max(least, ...rows.map(({cells}) => cells[key].length)))
  const most = Math.max(8, Math.floor(width / 6))
  const sized = shapes.map((shape) => {
    const names = shape.key === 'pair' || shape.key === 'primary' || shape.key === 'secondary'
    if (names) return {...shape, width: widest(shape.key, shape.title.length, most)}
    return shape.key === 'state' ? {...shape, width: widest('state', 9, 14)} : shape
  })
  const chosen = new Set<ColumnKey>()
  let left = width - 2 - reasonWidth
  for (const shape of [...sized].sort((a, b) => b.rank - a.rank)) {
    const resyncing = shape.key !== 'resync' || rows.some(({cells}) => cells.resync !== '-') || width >= 150
    if (!resyncing || shape.width + gap > left) continue
    chosen.add(shape.key)
    left -= shape.width + gap
  }
  return sized.filter(({key}) => chosen.has(key))
}

import {detailLines} from './view-detail.js'
import {helpLines} from './view-help.js'
import {hostLines} from './view-hosts.js'
import {listLines} from './view-list.js'
import {shownData, type ActionView, type Model} from './model.js'
import {formatClock, formatDuration} from '../time.js'
import {bar, cutLine, fitted, plainOf, span, type Line} from './text.js'
import {withDialog} from './view-dialog.js'

/** What stands on the screen: exactly `rows` lines of at most `columns` columns. Pure. */
export function viewOf(model: Model): readonly Line[] {
  const {columns, rows} = model
  if (columns < 40 || rows < 10) return filled([[span(`40x10 at least; this is ${columns}x${rows}`)]], rows)
  const foot = footLines(model)
  const room = Math.max(1, rows - 1 - foot.length)
  const lines = [titleLine(model), ...filled(bodyLines(model, room), room), ...foot]
  const drawn = model.dialog === undefined ? lines : withDialog(lines, model.dialog, {columns, rows})
  return drawn.map((line) => cutLine(line, columns)).slice(0, rows)
}

/** The screen as text, for tests and captures. */
export function screenText(model: Model): string {
  return plainOf(viewOf(model))
}

/** What `--plain` prints: the same lines, as many as there are, without keys. */
export function plainView(model: Model): string {
  const all = {...model, rows: 100_000, scroll: 0}
  const body = bodyLines(all, all.rows)
  return plainOf([titleLine(model), ...body].map((line) => cutLine(line, model.columns)))
}

function bodyLines(model: Model, room: number): readonly Line[] {
  if (model.help) return scrolled(helpLines(model), model.scroll, room)
  switch (model.place.kind) {
    case 'list':
      return listLines(model, room)
    case 'hosts':
      return scrolled(hostLines(model), model.scroll, room)
    case 'detail':
      return scrolled(detailLines(model, model.place.pair, room), model.scroll, room)
  }
}

function titleLine(model: Model): Line {
  const data = shownData(model)
  const hosts = [...data.hosts.values()]
  const up = hosts.filter(({state}) => state === 'up').length
  const states = [...data.pairs.values()].map(({status}) => status?.state ?? 'unknown')
  const fine = states.filter((state) => state === 'protected').length
  const words = [
    `colo top  ${formatClock(data.atMs).slice(0, 8)} UTC`,
    `${states.length} ${states.length === 1 ? 'pair' : 'pairs'}, ${fine} protected`,
    `${up}/${hosts.length} hosts`,
    `every ${model.settings.intervalMs / 1000} s`,
    ...(model.settings.readOnly ? ['READ-ONLY'] : []),
    ...(model.frozen === undefined ? [] : ['FROZEN (Tab goes on)']),
    ...(model.problemsOnly ? ['PROBLEMS ONLY'] : []),
    ...(model.filter === '' ? [] : [`filter: ${model.filter}`]),
    ...(model.sort.key === 'pair' && !model.sort.reverse
      ? []
      : [`by ${model.sort.key}${model.sort.reverse ? ' reversed' : ''}`]),
  ]
  return [span(fitted(words.join('   '), model.columns), 'head')]
}

/** Running actions, a note or the filter being typed, and the keys. */
function footLines(model: Model): readonly Line[] {
  const actions = model.actions.slice(-3).map((action) => actionLine(action, model))
  const {typing, note} = model
  const middle: Line[] =
    typing !== undefined
      ? [
          [
            span('/', 'key'),
            span(typing),
            span('_', 'selected'),
            span('   Enter keeps, Esc drops   text ~regex column:value !not', 'dim'),
          ],
        ]
      : note === undefined
        ? []
        : [[span(note.text, 'strong')]]
  return [...actions, ...middle, keysLine(model)]
}

function actionLine(action: ActionView, {nowMs, settings}: Model): Line {
  const {state, title, text, startedAtMs, endedAtMs, steps} = action
  const took = formatDuration((endedAtMs ?? nowMs) - startedAtMs)
  const share =
    steps.total > 0 ? ` ${bar(steps.done / steps.total, 10, settings.ascii)} ${steps.done}/${steps.total}` : ''
  const style = state === 'failed' ? 'bad' : state === 'done' ? 'good' : 'warn'
  return [span(`${state.toUpperCase()} `, style), span(`${title}${share} (${took}) ${text}`)]
}

function keysLine(model: Model): Line {
  const keys: [string, string][] = model.help
    ? [['any key', 'back']]
    : model.place.kind === 'list'
      ? [
          ['Enter', 'detail'],
          ['/', 'filter'],
          ['p', 'problems'],
          ['Tab', 'freeze'],
          ['v', 'hosts'],
        ]
      : [
          ['Esc', 'back'],
          ['j/k', 'scroll'],
          ['Tab', 'freeze'],
        ]
  const actions: [string, string][] =
    model.settings.readOnly || model.help || model.place.kind === 'hosts'
      ? []
      : [
          ['f', 'failover'],
          ['t', 'test'],
          ['c', 'checkpoint'],
          ['r', 'resync'],
          ['s/u', 'suspend/resume'],
        ]
  const all: [string, string][] = model.help ? keys : [['?', 'help'], ['q', 'quit'], ...keys, ...actions]
  return all.flatMap(([key, what]) => [span(key, 'key'), span(` ${what}  `)])
}

/** Lines from `scroll` on; never beyond the last page. */
function scrolled(lines: readonly Line[], scroll: number, room: number): readonly Line[] {
  const last = Math.max(0, lines.length - room)
  const at = Math.min(scroll, last)
  if (at >= last) return lines.slice(at, at + room)
  return [...lines.slice(at, at + room - 1), [span(`  ${lines.length - at - room + 1} more lines: j or PgDn`, 'dim')]]
}

function filled(lines: readonly Line[], rows: number): readonly Line[] {
  return [...lines, ...Array<Line>(Math.max(0, rows - lines.length)).fill([])].slice(0, rows)
}

import {actionKeys, dialogFor, dialogKey, refusal} from './dialog.js'
import type {ActionKind, Effect, Key, Model, Place, Step} from './model.js'
import type {SortKey} from './columns.js'
import {rowsOf} from './rows.js'

/** Shift-letter: sort by; once more: the other way round. */
export const sortLetters: Readonly<Record<string, SortKey>> = {
  N: 'pair',
  S: 'state',
  P: 'primary',
  O: 'secondary',
  C: 'rate',
  L: 'p99',
  D: 'div',
  R: 'resync',
  A: 'agents',
}

/** Milliseconds between two screens, for + and -. */
export const rates = [250, 500, 1000, 2000, 5000, 10_000] as const

export function pressed(model: Model, key: Key): Step {
  if (model.dialog !== undefined) return dialogKey(model, model.dialog, key)
  if (model.typing !== undefined) return {model: typed(model, model.typing, key), effects: []}
  if (key.name === 'C-c') return quit(model)
  if (model.help) return helpKey(model, key)
  return commonKey(model, key) ?? placeKey(model, key)
}

/** The line of the filter: Backspace here never does anything else. */
function typed(model: Model, text: string, key: Key): Model {
  switch (key.name) {
    case 'enter':
      return {...model, filter: text, typing: undefined}
    case 'escape':
    case 'C-c':
      return {...model, typing: undefined}
    case 'backspace':
      return {...model, typing: text.slice(0, -1)}
    default:
      return key.char === undefined || text.length >= 80 ? model : {...model, typing: text + key.char}
  }
}

function helpKey(model: Model, key: Key): Step {
  const lines = scrollBy(key.name, model.rows)
  if (lines !== undefined) return only({...model, scroll: Math.max(0, model.scroll + lines)})
  return only({...model, help: false, scroll: 0})
}

/** Keys that mean the same everywhere. */
function commonKey(model: Model, key: Key): Step | undefined {
  switch (key.name) {
    case 'q':
      return quit(model)
    case '?':
    case 'f1':
    case 'h':
      return only({...model, help: true, scroll: 0})
    case 'tab':
      return only({...model, frozen: model.frozen === undefined ? model.data : undefined})
    case '+':
      return rate(model, -1)
    case '-':
      return rate(model, 1)
    case 'f':
    case 'c':
    case 'r':
    case 't':
    case 's':
    case 'u':
      return act(model, actionKeys[key.name])
    case 'v':
      return goTo(model, model.place.kind === 'list' ? {kind: 'hosts'} : {kind: 'list'})
    default:
      return undefined
  }
}

function placeKey(model: Model, key: Key): Step {
  if (model.place.kind !== 'list') {
    if (key.name === 'escape' || key.name === 'left' || key.name === 'backspace') return goTo(model, {kind: 'list'})
    const lines = scrollBy(key.name, model.rows)
    return only(lines === undefined ? model : {...model, scroll: Math.max(0, model.scroll + lines)})
  }
  switch (key.name) {
    case 'enter':
    case 'right': {
      const pair = selectedName(model)
      return pair === undefined ? only(model) : goTo({...model, selected: pair}, {kind: 'detail', pair})
    }
    case '/':
      return only({...model, typing: model.filter})
    case 'p':
      return only({...model, problemsOnly: !model.problemsOnly})
    case 'escape':
      return only({...model, filter: '', problemsOnly: false})
    default:
      return only(listKey(model, key))
  }
}

function listKey(model: Model, key: Key): Model {
  const sort = sortLetters[key.name]
  if (sort !== undefined) return {...model, sort: {key: sort, reverse: model.sort.key === sort && !model.sort.reverse}}
  const lines = scrollBy(key.name, model.rows)
  return lines === undefined ? model : moved(model, lines)
}

/** Lines a key moves by. */
function scrollBy(name: string, rows: number): number | undefined {
  const page = Math.max(1, rows - 8)
  switch (name) {
    case 'up':
    case 'k':
      return -1
    case 'down':
    case 'j':
      return 1
    case 'pageup':
      return -page
    case 'pagedown':
    case 'space':
      return page
    case 'home':
    case 'g':
      return -1e6
    case 'end':
    case 'G':
      return 1e6
    default:
      return undefined
  }
}

/** The selection is a name, so that it stays on its pair when rows move. */
function moved(model: Model, lines: number): Model {
  const rows = rowsOf(model)
  const at = Math.max(
    0,
    rows.findIndex(({name}) => name === model.selected),
  )
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + lines))]
  return next === undefined ? model : {...model, selected: next.name}
}

/** The selected pair, or the first when the selected one is not shown. */
export function selectedName(model: Model): string | undefined {
  if (model.place.kind === 'detail') return model.place.pair
  const rows = rowsOf(model)
  return (rows.find(({name}) => name === model.selected) ?? rows[0])?.name
}

function goTo(model: Model, place: Place): Step {
  const focus: Effect = {kind: 'focus', pair: place.kind === 'detail' ? place.pair : undefined}
  return {model: {...model, place, scroll: 0, data: {...model.data, log: []}}, effects: [focus]}
}

function act(model: Model, action: ActionKind): Step {
  const pair = selectedName(model)
  if (pair === undefined || model.place.kind === 'hosts') return only(model)
  const status = model.data.pairs.get(pair)?.status
  const why = refusal(action, status, model)
  if (why !== undefined || status === undefined) return only(noted(model, `${action}: ${why ?? 'not known'}`))
  return only({...model, selected: pair, dialog: dialogFor(action, status)})
}

function rate(model: Model, by: 1 | -1): Step {
  const current = model.settings.intervalMs
  const at = rates.findIndex((ms) => ms >= current)
  const index = at === -1 ? rates.length - 1 : at
  const intervalMs = rates[Math.min(rates.length - 1, Math.max(0, index + by))] ?? current
  const changed = noted({...model, settings: {...model.settings, intervalMs}}, `every ${intervalMs / 1000} s`)
  return {model: changed, effects: [{kind: 'interval', intervalMs}]}
}

/** Leaving interrupts what still runs, so it takes two presses then. */
function quit(model: Model): Step {
  const running = model.actions.find(({state}) => state === 'running')
  const text = running === undefined ? '' : `${running.title} is running: once more interrupts it and quits`
  if (running === undefined || model.note?.text === text) return {model, effects: [{kind: 'quit'}]}
  return only(noted(model, text))
}

export function noted(model: Model, text: string): Model {
  return {...model, note: {text, untilMs: model.nowMs + 4000}}
}

function only(model: Model): Step {
  return {model, effects: []}
}

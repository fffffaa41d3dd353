import type {Dialog} from './model.js'
import {cutLine, fitted, lengthOf, span, type Line, type Span} from './text.js'

/** Draws the dialog over the middle of the screen. ASCII frame: it looks the same everywhere. */
export function withDialog(
  lines: readonly Line[],
  dialog: Dialog,
  size: {columns: number; rows: number},
): readonly Line[] {
  const width = Math.min(size.columns - 4, 72)
  const box = boxLines(dialog, width - 4)
  const top = Math.max(0, Math.floor((size.rows - box.length) / 2))
  const left = Math.floor((size.columns - width) / 2)
  return lines.map((line, n) => {
    const inside = box[n - top]
    if (inside === undefined) return line
    const before = cutLine(line, left)
    return [...before.slice(0, before.length), span(' '.repeat(Math.max(0, left - lengthOf(before)))), ...inside]
  })
}

function boxLines(dialog: Dialog, width: number): readonly Line[] {
  const edge = `+${'-'.repeat(width + 2)}+`
  const row = (...content: Span[]): Line => {
    const cut = cutLine(content, width)
    return [span('| '), ...cut, span(' '.repeat(width - lengthOf(cut))), span(' |')]
  }
  const typing: Line[] =
    dialog.expected === undefined
      ? []
      : [
          row(),
          row(
            span(`Type ${dialog.expected} to confirm: `),
            span(fitted(dialog.typed, Math.max(12, dialog.expected.length)), 'strong'),
          ),
        ]
  const keys =
    dialog.expected === undefined
      ? 'Tab chooses, Enter presses, Esc cancels'
      : 'type the name, Tab chooses, Enter presses, Esc cancels'
  return [
    [span(edge)],
    row(span(dialog.title, 'strong')),
    row(),
    ...dialog.text.flatMap((line) => wrapped(line, width)).map((line) => row(span(line))),
    ...typing,
    ...(dialog.problem === undefined ? [] : [row(span(dialog.problem, 'bad'))]),
    row(),
    row(button('Cancel', dialog.focus === 'cancel'), span('   '), button(dialog.confirm, dialog.focus === 'confirm')),
    row(span(keys, 'dim')),
    [span(edge)],
  ]
}

/** The focus is in brackets too, not in colours alone. */
function button(text: string, focused: boolean): Span {
  return focused ? span(`[> ${text} <]`, 'selected') : span(`[  ${text}  ]`)
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

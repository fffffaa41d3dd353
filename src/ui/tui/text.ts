import {plainText} from '../table.js'

/** What a piece of text means; the screen gives it a colour, the words say the same. */
export type Style = 'good' | 'warn' | 'bad' | 'dim' | 'head' | 'strong' | 'selected' | 'key'

export interface Span {
  readonly text: string
  readonly style?: Style
}

/** One line of the screen. */
export type Line = readonly Span[]

export function span(text: string, style?: Style): Span {
  return style === undefined ? {text} : {text, style}
}

export function lengthOf(line: Line): number {
  return line.reduce((sum, {text}) => sum + text.length, 0)
}

/** Text of exactly `width` columns: cut with `~` or filled. Safe on any terminal. */
export function fitted(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const plain = plainText(text)
  if (width <= 0) return ''
  if (plain.length > width) return width === 1 ? '~' : `${plain.slice(0, width - 1)}~`
  return align === 'right' ? plain.padStart(width) : plain.padEnd(width)
}

/** A line of at most `width` columns; what is cut off ends in `~`. */
export function cutLine(line: Line, width: number): Line {
  if (lengthOf(line) <= width) return line
  const out: Span[] = []
  let left = width
  for (const piece of line) {
    if (piece.text.length < left) {
      out.push(piece)
      left -= piece.text.length
      continue
    }
    out.push({...piece, text: fitted(piece.text, left)})
    break
  }
  return out
}

export function plainOf(lines: readonly Line[]): string {
  return lines
    .map((line) =>
      line
        .map(({text}) => text)
        .join('')
        .trimEnd(),
    )
    .join('\n')
}

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const asciiBlocks = ['_', '.', ':', '-', '=', '+', '*', '#'] as const

/** One character per value, the newest at the right, a blank for zero; the tallest is `topValue`, or the greatest of them. */
export function sparkline(values: readonly number[], width: number, ascii: boolean, topValue?: number): string {
  const shown = values.slice(-Math.max(0, width))
  const top = Math.max(topValue ?? 0, ...shown, 1e-9)
  const marks = ascii ? asciiBlocks : blocks
  const markOf = (value: number): string =>
    value === 0
      ? ' '
      : (marks[Math.min(marks.length - 1, Math.max(0, Math.floor((value / top) * marks.length)))] ?? ' ')
  return shown.map(markOf).join('')
}

export function bar(share: number, width: number, ascii: boolean): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return (ascii ? '#' : '█').repeat(full) + (ascii ? '.' : '░').repeat(Math.max(0, width - full))
}

/** `45`, `4.5`, `0.45`: three digits at most, for columns of milliseconds and rates. */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-'
  if (value === 0) return '0'
  if (value >= 9999.5) return `${Math.round(value / 1000)}k`
  if (value >= 99.5) return String(Math.round(value))
  return value >= 9.95 ? value.toFixed(0) : value.toFixed(value >= 0.995 ? 1 : 2)
}

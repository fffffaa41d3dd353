import {bad, type Checked} from '../pair/names.js'
import {closest} from './suggest.js'

const sizeUnits = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['TiB', 1024 ** 4],
  ['kB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
  ['TB', 1000 ** 4],
])

const timeUnits = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** A size in bytes: a whole number and a unit, binary (`2GiB`, 1024 cubed) or decimal (`20GB`, 1000 cubed). */
export function parseSize(text: string): Checked<number> {
  return parseQuantity(text, {units: sizeUnits, kind: 'size', example: '2GiB'})
}

/** A time in milliseconds: a whole number and `ms`, `s`, `m` or `h`. */
export function parseTime(text: string): Checked<number> {
  return parseQuantity(text, {units: timeUnits, kind: 'time', example: '500ms'})
}

/** The exact text of a size in the largest unit: `2147483648` is `2GiB`. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, ['TiB', 'TB', 'GiB', 'GB', 'MiB', 'MB', 'KiB', 'kB', 'B'], sizeUnits)
}

/** The exact text of a time in the largest unit: `3000` is `3s`. */
export function formatTime(ms: number): string {
  return formatQuantity(ms, ['h', 'm', 's', 'ms'], timeUnits)
}

function parseQuantity(
  text: string,
  rule: {units: ReadonlyMap<string, number>; kind: string; example: string},
): Checked<number> {
  const known = [...rule.units.keys()]
  const parts = /^(\d+) ?([A-Za-z]*)$/.exec(text)
  if (parts === null) {
    const fraction = /^\d+\.\d+/.test(text)
    return bad(
      fraction ? 'is not a whole number' : `is not a ${rule.kind}`,
      fraction
        ? 'use the next smaller unit, such as 1536MiB for 1.5GiB'
        : `write a number and a unit, such as ${rule.example}`,
    )
  }
  const [, digits = '', unit = ''] = parts
  if (unit === '') return bad('has no unit', `add one of ${known.join(', ')}, such as ${rule.example}`)
  const factor = rule.units.get(unit)
  if (factor === undefined) {
    const guess = closest(unit, known) ?? (/^[kmgt]$/i.test(unit) ? `${unit.toUpperCase()}iB` : undefined)
    const better = guess?.replace('KB', 'kB')
    const hint = `use one of ${known.join(', ')}`
    return bad(`has an unknown unit ${unit}`, better === undefined ? hint : `did you mean ${digits}${better}? ${hint}`)
  }
  const value = Number(digits) * factor
  if (!Number.isSafeInteger(value)) return bad('is too large', `write a smaller ${rule.kind}`)
  return {ok: true, value}
}

function formatQuantity(value: number, order: readonly string[], units: ReadonlyMap<string, number>): string {
  for (const unit of order) {
    const factor = units.get(unit) ?? 1
    if (value !== 0 && value % factor === 0) return `${value / factor}${unit}`
  }
  return `${value}${order.at(-1) ?? ''}`
}

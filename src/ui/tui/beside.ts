import {lengthOf, span, type Line} from './text.js'

/** Two blocks side by side when both fit, else one below the other. */
export function beside(left: readonly Line[], right: readonly Line[], columns: number): readonly Line[] {
  const width = Math.max(0, ...left.map(lengthOf)) + 4
  if (width + Math.max(0, ...right.map(lengthOf)) > columns) return [...left, [], ...right]
  const rows = Math.max(left.length, right.length)
  return Array.from({length: rows}, (_, n) => {
    const line = left[n] ?? []
    return [...line, span(' '.repeat(width - lengthOf(line))), ...(right[n] ?? [])]
  })
}

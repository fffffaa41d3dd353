/** A row as far as a filter looks: its cells by column. */
export type Cells = Readonly<Record<string, string>>

/**
 * What the person typed after `/`: words that must all fit. `text` anywhere, `column:value` in one column, `~regex` or `/regex/`
 * anywhere, `!` before any of them for the opposite. Case does not matter. A regular expression that is not finished yet is text.
 */
export function matcherOf(filter: string): (cells: Cells) => boolean {
  const tests = filter
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(testOf)
  return (cells) => tests.every((test) => test(cells))
}

function testOf(word: string): (cells: Cells) => boolean {
  if (word.startsWith('!') && word.length > 1) {
    const inner = testOf(word.slice(1))
    return (cells) => !inner(cells)
  }
  const [, column, value] = /^([a-z0-9/]+):(.*)$/i.exec(word) ?? []
  if (column !== undefined && value !== undefined) {
    const fits = fitsOf(value)
    const key = column.toLowerCase()
    return (cells) => Object.entries(cells).some(([name, cell]) => name.toLowerCase().startsWith(key) && fits(cell))
  }
  const fits = fitsOf(word)
  return (cells) => Object.values(cells).some(fits)
}

function fitsOf(text: string): (cell: string) => boolean {
  const source =
    /^~(.+)$/.exec(text)?.[1] ?? /^\/(.+)\/$/.exec(text)?.[1] ?? (/[\^$*+?|[\](){}\\]/.test(text) ? text : undefined)
  const pattern = source === undefined ? undefined : regexOf(source)
  if (pattern !== undefined) return (cell) => pattern.test(cell)
  const wanted = (source ?? text).toLowerCase()
  return (cell) => cell.toLowerCase().includes(wanted)
}

function regexOf(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'i')
  } catch {
    return undefined
  }
}

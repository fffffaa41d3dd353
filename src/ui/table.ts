/** One column of a table over rows of type `Row`. */
export interface Column<Row> {
  readonly title: string
  /** the cell's text; undefined and empty are drawn as `-` */
  readonly value: (row: Row) => string | number | undefined
  /** shown by `-o wide` only */
  readonly wide?: true
  readonly align?: 'right'
}

export interface TableOptions {
  readonly wide?: boolean
  /** columns of the terminal: the last column is cut to fit. Without it (not a terminal) nothing is ever cut */
  readonly width?: number | undefined
  /** false leaves the title line out */
  readonly header?: boolean
}

const gap = '  '

/**
 * Draws rows as aligned text without borders: one line per row, two blanks between columns, no blanks at the end.
 *
 * Plain enough for `awk`: a cell never holds a line break, and control characters are drawn as `?`, so that text from a guest or a
 * log cannot steer the terminal.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions = {},
): string {
  const shown = columns.filter((column) => column.wide !== true || options.wide === true)
  const cells = rows.map((row) => shown.map((column) => cellText(column.value(row))))
  const lines = options.header === false ? cells : [shown.map((column) => column.title), ...cells]
  const widths = shown.map((_, index) => Math.max(0, ...lines.map((line) => (line[index] ?? '').length)))
  return lines
    .map((line) => {
      const text = line.map((cell, index) => aligned(cell, widths[index] ?? 0, shown[index]?.align)).join(gap)
      return cut(text.trimEnd(), options.width)
    })
    .join('\n')
}

/** Text that is safe on any terminal: one line, no control characters. */
export function plainText(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are exactly the characters to remove
  return text.replace(/\s*[\r\n]+\s*/g, '; ').replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

function cellText(value: string | number | undefined): string {
  const text = value === undefined ? '' : plainText(String(value)).trim()
  return text === '' ? '-' : text
}

function aligned(cell: string, width: number, align: 'right' | undefined): string {
  return align === 'right' ? cell.padStart(width) : cell.padEnd(width)
}

function cut(text: string, width: number | undefined): string {
  if (width === undefined || width < 20 || text.length <= width) return text
  return `${text.slice(0, width - 3)}...`
}

/** Columns of the list; also the words of `column:value`. */
export const columnKeys = [
  'pair',
  'state',
  'primary',
  'secondary',
  'rate',
  'p50',
  'p99',
  'div',
  'resync',
  'links',
  'gen',
  'agents',
  'reason',
] as const
export type ColumnKey = (typeof columnKeys)[number]

export const sortKeys = ['pair', 'state', 'primary', 'secondary', 'rate', 'p99', 'div', 'resync', 'agents'] as const
export type SortKey = (typeof sortKeys)[number]

import {readFileSync} from 'node:fs'
import {cpus, loadavg, release, totalmem} from 'node:os'

/** One line of the report: a set of values, all of the same run, and what they should be where design.md section 10 says so. */
export interface Row {
  readonly what: string
  readonly unit: Unit
  readonly values: readonly number[]
  /** of the median */
  readonly target?: {readonly atMost: number}
}

/** `×`: a ratio, dimensionless; empty: a number. */
export type Unit = '×' | 'ms' | '%' | 'MiB' | 'MiB/s' | '/s' | ''

/** What a benchmark gives back: its table, and what one must know to read it. */
export interface Report {
  readonly title: string
  readonly rows: readonly Row[]
  readonly notes?: readonly string[]
}

/** @throws when there are no values */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const high = sorted[Math.floor(sorted.length / 2)]
  const low = sorted[Math.ceil(sorted.length / 2) - 1]
  if (high === undefined || low === undefined) throw new Error('a median of nothing')
  return (low + high) / 2
}

/** Ratios of runs that were neighbours in time, so that what else the machine did falls out. */
export function pairwise(values: readonly number[], baseline: readonly number[]): number[] {
  return values.flatMap((value, index) => {
    const base = baseline[index]
    return base === undefined || base === 0 ? [] : [value / base]
  })
}

/**
 * Runs the alternatives in turns, A B C A B C ..., and gives the milliseconds of each. The first round only warms up.
 *
 * @param budgetMs no new round begins after it
 */
export async function alternate<K extends string>(
  alternatives: Readonly<Record<K, () => Promise<unknown>>>,
  {rounds, budgetMs}: {readonly rounds: number; readonly budgetMs: number},
): Promise<Record<K, number[]>> {
  const names = Object.keys(alternatives) as K[]
  const taken = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>
  const start = performance.now()
  for (let round = 0; round <= rounds && performance.now() - start < budgetMs; round++) {
    for (const name of names) {
      const {ms} = await timed(alternatives[name])
      if (round > 0) taken[name].push(ms)
    }
  }
  return taken
}

export async function timed<R>(body: () => Promise<R>): Promise<{readonly result: R; readonly ms: number}> {
  const start = performance.now()
  const result = await body()
  return {result, ms: performance.now() - start}
}

/** The table of one report: median, spread, number of runs, target and whether the median meets it. */
export function formatReport({title, rows, notes = []}: Report): string {
  const lines = rows.map(({what, unit, values, target}) => {
    const sorted = [...values].sort((a, b) => a - b)
    const middle = values.length === 0 ? undefined : median(values)
    const goal = target === undefined ? '' : `<= ${figure(target.atMost, unit)}`
    const verdict = target === undefined || middle === undefined ? '' : middle <= target.atMost ? 'met' : 'MISSED'
    return [
      what,
      figure(middle, unit),
      figure(sorted[0], unit),
      figure(sorted.at(-1), unit),
      String(values.length),
      goal,
      verdict,
    ]
  })
  const head = [title, 'median', 'min', 'max', 'n', 'target', '']
  return [...columns([head, ...lines]), ...notes.map((note) => `  ${note}`)].join('\n')
}

function figure(value: number | undefined, unit: Unit): string {
  if (value === undefined) return '-'
  const digits = unit === '×' || Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return `${value.toFixed(digits)} ${unit}`.trimEnd()
}

function columns(table: ReadonlyArray<readonly string[]>): string[] {
  const widths = table.reduce<number[]>(
    (known, cells) => cells.map((cell, at) => Math.max(known[at] ?? 0, cell.length)),
    [],
  )
  return table.map((cells) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** What the numbers hold for. */
export function machine(): string[] {
  const processors = cpus()
  return [
    `CPU     ${processors[0]?.model ?? 'unknown'}, ${processors.length} cores${isVirtual() ? ', itself a virtual machine' : ''}`,
    `memory  ${Math.round(totalmem() / 1024 ** 3)} GiB`,
    `kernel  Linux ${release()}`,
    `node    ${process.version}`,
    loadLine(),
  ]
}

export function loadLine(): string {
  return `load    ${loadavg()
    .map((load) => load.toFixed(2))
    .join(' ')} (1, 5 and 15 minutes)`
}

function isVirtual(): boolean {
  return /^flags.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
}

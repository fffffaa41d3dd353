/** One line of QEMU's `log` trace backend. */
export interface TraceLine {
  /** wall clock, milliseconds with fractions */
  readonly atMs: number
  readonly name: string
  readonly text: string
}

/** up to 10.0: `4711@1795174994.655142:NAME TEXT`; 11.1: `2026-11-20T11:40:43.218184Z NAME TEXT` (both captured, test/fixtures/trace) */
const old = /^\d+@(\d+)\.(\d{6}):(\w+) ?(.*)$/
const iso = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z (\w+) ?(.*)$/

/** @returns undefined for anything else: other log lines, lines without a time (`-msg timestamp=on` is missing), cut-off lines */
export function parseTraceLine(line: string): TraceLine | undefined {
  const [, seconds, micros, name, text] = old.exec(line) ?? []
  if (name !== undefined) return {atMs: Number(seconds) * 1000 + Number(micros) / 1000, name, text: (text ?? '').trim()}
  const [, date, fraction, isoName, isoText] = iso.exec(line) ?? []
  if (isoName === undefined) return undefined
  return {atMs: Date.parse(`${date ?? ''}Z`) + Number(fraction) / 1000, name: isoName, text: (isoText ?? '').trim()}
}

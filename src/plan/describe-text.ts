import type {Argv} from '../os/process.js'

/** As a shell reads it; quoted only where needed. */
export function shell(argv: Argv): string {
  return argv
    .map((word) => (/^[A-Za-z0-9_.,:/=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ')
}

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

/** A time as people write it: `500 ms`, `30 s`, `2 min`. */
export function limit(ms: number): string {
  const units: ReadonlyArray<readonly [number, string]> = [
    [3600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ]
  const [size, name] = units.find(([unit]) => ms >= unit && ms % unit === 0) ?? [1, 'ms']
  return `${ms / size} ${name}`
}

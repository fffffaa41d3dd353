const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Bytes for people, in binary units: `512 B`, `12.5 MiB`, `20 GiB`. Whole numbers from 100 on, one decimal below. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return '?'
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  if (unit > 0 && Math.round(value) >= 1024 && unit < units.length - 1) {
    value = 1
    unit++
  }
  return `${trimmed(value)} ${units[unit] ?? 'B'}`
}

/** `30 MiB/s`; `durationMs` of zero has no rate, then the answer is empty. */
export function formatRate(bytes: number, durationMs: number): string {
  return durationMs > 0 ? `${formatBytes((bytes * 1000) / durationMs)}/s` : ''
}

/** `12.5 MiB of 64 MiB (19 %), 30 MiB/s`; parts that are not known are left out. */
export function formatTransfer(done: number, total: number | undefined, rate: string): string {
  const amount =
    total === undefined || total <= 0
      ? formatBytes(done)
      : `${formatBytes(done)} of ${formatBytes(total)} (${Math.min(100, Math.floor((done / total) * 100))} %)`
  return rate === '' ? amount : `${amount}, ${rate}`
}

function trimmed(value: number): string {
  const text = value >= 100 ? value.toFixed(0) : value.toFixed(1)
  return text.endsWith('.0') ? text.slice(0, -2) : text
}

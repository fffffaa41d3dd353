/** A span for people: `85 ms`, `1.2 s`, `2 min 05 s`, `3 h 10 min`, `4 d 2 h`. Negative spans (clocks differ) are `0 ms`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${pad(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Time of day with milliseconds, UTC, so that lines from different hosts compare: `10:48:03.120`. */
export function formatClock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 23)
}

/** Date and time, UTC: `2026-11-20T10:48:03.120Z`. */
export function formatInstant(atMs: number): string {
  return new Date(atMs).toISOString()
}

/** How long ago: `1.2 s ago`; `never` when there is no moment. */
export function formatAge(atMs: number | undefined, nowMs: number): string {
  return atMs === undefined ? 'never' : `${formatDuration(nowMs - atMs)} ago`
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}

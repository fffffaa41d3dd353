import type {Series} from './checkpoints.js'

/** Whether checkpoints keep their beat. Healthy COLO makes one at least every x-checkpoint-delay; silence is how a hang shows. */
export interface Beat {
  /** longest healthy silence, milliseconds */
  readonly expectedMs: number
  /** since the last STOP, RESUME or begin; undefined while COLO is off */
  readonly silentMs: number | undefined
  readonly dead: boolean
}

/** What a checkpoint itself may take beyond its interval before it counts as hung (memory still moves under load). */
const marginMs = 3000

/** @see facts on QEMU, section 1.3 */
export function beatOf(series: Series, nowMs: number, delayMs: number): Beat {
  const last = series.recent.at(-1)
  const signs = [series.open?.atMs, last === undefined ? undefined : last.atMs + last.durationMs, series.beganAtMs]
  const known = signs.filter((sign) => sign !== undefined)
  const longest = Math.max(0, ...series.recent.map(({durationMs}) => durationMs))
  const expectedMs = delayMs + marginMs + 2 * longest
  if (!series.colo || known.length === 0) return {expectedMs, silentMs: undefined, dead: false}
  const silentMs = Math.max(0, nowMs - Math.max(...known))
  return {expectedMs, silentMs, dead: silentMs > expectedMs}
}

import type {CheckpointObservation} from '../pair/observation.js'

/**
 * Checkpoints of one side, counted from QEMU's plain STOP and RESUME events. Times are milliseconds of the wall clock.
 *
 * A checkpoint is complete at the RESUME that follows a STOP. A RESUME without STOP (COLO's begin, or a `cont`) counts
 * nothing; a second STOP (somebody typed `stop`) does not open a second checkpoint.
 */
export interface CheckpointState {
  /** COLO is on: between MIGRATION `colo` and COLO_EXIT */
  readonly colo: boolean
  readonly count: number
  readonly lastAtMs: number | undefined
  readonly lastPauseMs: number | undefined
  readonly openSinceMs: number | undefined
}

export const noCheckpoints: CheckpointState = {
  colo: false,
  count: 0,
  lastAtMs: undefined,
  lastPauseMs: undefined,
  openSinceMs: undefined,
}

/** COLO begins on this side: counting starts anew. */
export function begin(): CheckpointState {
  return {...noCheckpoints, colo: true}
}

/** COLO ended; the last figures stay. */
export function end(state: CheckpointState): CheckpointState {
  return {...state, colo: false, openSinceMs: undefined}
}

export function stopped(state: CheckpointState, atMs: number): CheckpointState {
  if (!state.colo || state.openSinceMs !== undefined) return state
  return {...state, openSinceMs: atMs}
}

/** @returns the new state; a checkpoint was completed when its `count` is higher */
export function resumed(state: CheckpointState, atMs: number): CheckpointState {
  if (!state.colo || state.openSinceMs === undefined) return state
  const pauseMs = Math.max(0, atMs - state.openSinceMs) // the clock may have been set
  return {...state, count: state.count + 1, lastAtMs: atMs, lastPauseMs: pauseMs, openSinceMs: undefined}
}

export function observationOf(state: CheckpointState, nowMs: number): CheckpointObservation {
  const {count, lastAtMs, lastPauseMs, openSinceMs} = state
  return {
    count,
    lastAtMs,
    lastPauseMs,
    openForMs: openSinceMs === undefined ? undefined : Math.max(0, nowMs - openSinceMs),
  }
}

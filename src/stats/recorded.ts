import type {SeriesInput} from './checkpoints.js'

/** An event as QEMU sent it or an agent recorded it. */
export interface EventLike {
  readonly type: string
  readonly atMs: number
  readonly data: Readonly<Record<string, unknown>>
}

/** What an event means for the figures; undefined: nothing. */
export function inputOf({type, atMs, data}: EventLike): SeriesInput | undefined {
  switch (type) {
    case 'STOP':
      return {kind: 'stop', atMs}
    case 'RESUME':
      return {kind: 'resume', atMs}
    case 'MIGRATION':
      return data['status'] === 'colo' ? {kind: 'begin', atMs} : undefined
    case 'COLO_EXIT':
    case 'QEMU_GONE':
    case 'RELEASED':
      return {kind: 'end'}
    case 'CHECKPOINT_REQUESTED':
      return {kind: 'request'}
    default:
      return undefined
  }
}

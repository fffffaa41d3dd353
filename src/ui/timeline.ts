import type {TimelineEntry} from '../operation/result.js'
import {renderTable} from './table.js'
import {formatClock, formatDuration} from './time.js'

/** A table of what happened when, times of day in UTC; an empty text when nothing happened. */
export function renderTimeline(timeline: readonly TimelineEntry[]): string {
  const [first] = timeline
  if (first === undefined) return ''
  const beganMs = first.atMs - first.tookMs
  return renderTable<TimelineEntry>(
    [
      {title: 'ENDED (UTC)', value: (entry) => formatClock(entry.atMs)},
      {title: 'AFTER', value: (entry) => formatDuration(entry.atMs - beganMs), align: 'right'},
      {title: 'TOOK', value: (entry) => formatDuration(entry.tookMs), align: 'right'},
      {title: 'HOST', value: (entry) => entry.host},
      {title: 'STATE', value: (entry) => entry.state},
      {title: 'STEP', value: (entry) => entry.step},
    ],
    timeline,
  )
}

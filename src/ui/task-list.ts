import {
  Listr,
  ListrLogger,
  PRESET_TIMER,
  PRESET_TIMESTAMP,
  ProcessOutput,
  type ListrDefaultRendererLogLevels,
  type ListrLogLevels,
  type ListrTask,
  type LoggerFormat,
} from 'listr2'
import {unreachable} from '../errors.js'
import type {TaskBoard, TaskSlot} from './task-board.js'
import {formatClock} from './time.js'

export interface DrawOptions {
  /** redraw in place; else one line per change */
  readonly live: boolean
  readonly stream: NodeJS.WriteStream
}

/**
 * Draws a board with listr2 until every step has ended. listr2 only draws: no roll-back, no retry, no signal handlers.
 *
 * Settles also when a step failed: the failure is the operation's to report.
 */
export async function drawBoard(board: TaskBoard, {live, stream}: DrawOptions): Promise<void> {
  const processOutput = new ProcessOutput(stream, stream)
  const shared = {concurrent: false, exitOnError: true, registerSignalListeners: false} as const
  const tasks = board.slots.map(taskOf)
  const lines = {
    logger: new ListrLogger<ListrLogLevels>({useIcons: false, processOutput}),
    color: plainColors,
    timestamp,
    timer: {...timer, format: () => plain},
  }
  const list = live
    ? new Listr(tasks, {
        ...shared,
        renderer: 'default',
        rendererOptions: {
          logger: new ListrLogger<ListrDefaultRendererLogLevels>({useIcons: true, toStderr: [], processOutput}),
          timer,
          collapseSkips: false,
        },
        fallbackRenderer: 'verbose',
        fallbackRendererOptions: lines,
      })
    : new Listr(tasks, {...shared, renderer: 'verbose', rendererOptions: lines, fallbackRenderer: 'verbose'})
  try {
    await list.run()
  } catch (error) {
    if (!(error instanceof StepEnd)) throw error
  }
}

/** How listr2 is told to stop: the line is drawn as failed. */
class StepEnd extends Error {}

/** Lines go to files and journals: no colours there, whatever the environment says. */
const plain: LoggerFormat = (text) => text ?? ''
const plainColors: Partial<Record<ListrLogLevels, LoggerFormat>> = {
  STARTED: plain,
  COMPLETED: plain,
  FAILED: plain,
  SKIPPED: plain,
  OUTPUT: plain,
  TITLE: plain,
}

/** The same clock as in events and timelines: UTC with milliseconds. */
const timestamp: typeof PRESET_TIMESTAMP = {
  ...PRESET_TIMESTAMP,
  format: () => plain,
  field: () => formatClock(Date.now()),
}

/** How long a step took, where that is worth a word. */
const timer: typeof PRESET_TIMER = {...PRESET_TIMER, condition: (durationMs) => (durationMs ?? 0) > 500}

function taskOf(slot: TaskSlot): ListrTask {
  return {
    title: slot.title,
    exitOnError: !slot.optional,
    task: async (_, task) => {
      slot.follow((text) => {
        task.output = text
      })
      const outcome = await slot.ended
      switch (outcome.kind) {
        case 'done':
          return
        case 'unchanged':
          task.title = `${slot.title} (was so already)`
          return
        case 'skipped':
          task.skip()
          return
        case 'failed':
          throw new StepEnd(`${slot.title}: ${outcome.text}`)
        case 'stopped':
          throw new StepEnd(`${slot.title}: not reached`)
        default:
          return unreachable(outcome)
      }
    },
  }
}

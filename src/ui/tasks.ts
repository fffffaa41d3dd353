import type {StepProgress} from '../agent/protocol.js'
import type {ProgressSink} from '../operation/context.js'
import type {Plan} from '../plan/plan.js'
import {TaskBoard} from './task-board.js'

/** `lines` draws a line with a time stamp per change, `live` redraws the list in place. */
export type Display = 'lines' | 'live'

export interface DisplayFacts {
  /** standard error is a terminal */
  readonly isTerminal: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Redrawing needs a terminal that can do it; under systemd there is a journal, not a terminal. */
export function displayFor({isTerminal, env}: DisplayFacts): Display {
  const redraws = isTerminal && env['TERM'] !== 'dumb' && env['JOURNAL_STREAM'] === undefined && env['CI'] === undefined
  return redraws ? 'live' : 'lines'
}

export interface ProgressOptions {
  readonly display: Display
  /** print the commands of every plan before it runs (-v) */
  readonly commands: boolean
  /** where it is drawn; standard error unless told, so that standard output holds the result alone */
  readonly stream?: NodeJS.WriteStream
}

export interface Progress {
  readonly sink: ProgressSink
  /** Settles when everything was drawn; steps that were not reached are left out. May be called again. */
  end(): Promise<void>
}

/**
 * Draws the plans of an operation, one after the other. The operation decides what happens; this only listens, and nothing that
 * fails here reaches the operation.
 */
export function createProgress(options: ProgressOptions): Progress {
  const stream = options.stream ?? process.stderr
  // a terminal that does not say how wide it is cannot be redrawn
  const live = options.display === 'live' && stream.columns >= 20
  const drawn: Promise<void>[] = []
  let board: TaskBoard | undefined
  const write = (text: string): void => {
    stream.write(`${text}\n`)
  }
  const draw = async (plan: Plan, current: TaskBoard, after: Promise<void>): Promise<void> => {
    await after
    if (options.commands) {
      const {describePlan} = await import('../plan/describe.js')
      write(describePlan(plan))
    }
    const {drawBoard} = await import('./task-list.js')
    await drawBoard(current, {live, stream})
  }
  const sink: ProgressSink = {
    planned(plan) {
      board?.close()
      board = new TaskBoard(plan, {everyMs: live ? 0 : 2000, note: write})
      const after = drawn.at(-1) ?? Promise.resolve()
      drawn.push(draw(plan, board, after).catch((error: unknown) => write(`progress is not shown: ${String(error)}`)))
    },
    step(host: string, progress: StepProgress) {
      board?.report(host, progress)
    },
    note: write,
  }
  return {
    sink,
    async end() {
      board?.close()
      await Promise.all(drawn)
    },
  }
}

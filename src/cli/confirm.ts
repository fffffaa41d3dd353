import {RefusedError, UsageError} from '../errors.js'
import type {Confirm, Question} from '../operation/context.js'

/** What the person gave on the command line, and the terminal to ask on. */
export interface ConfirmOptions {
  readonly yes: boolean
  /** words of `--force` */
  readonly force: readonly string[]
  /** undefined: nobody can be asked (no terminal, or --json) */
  readonly ask: Ask | undefined
}

/** Prints `text`, reads one line. Rejects with the signal's reason when it aborts. */
export type Ask = (text: string) => Promise<string>

/**
 * Answers questions of operations (S2): by the typed name on a terminal, else by `--yes`, and by `--yes --force WORD` where the question
 * names a word. `--yes` alone never answers a question that has a word.
 */
export function createConfirm(options: ConfirmOptions): Confirm {
  return async (question) => {
    const answered = options.yes && (question.force === undefined || options.force.includes(question.force))
    if (answered) return
    if (options.ask === undefined) throw unanswered(question)
    const typed = (await options.ask(`${question.text}\nType ${question.expected} to go on: `)).trim()
    if (typed === question.expected) return
    throw new RefusedError(
      typed === ''
        ? 'not confirmed: nothing was typed'
        : `not confirmed: ${JSON.stringify(typed)} is not ${question.expected}`,
      {hint: 'Nothing was changed. Run the command again and type the name as it is shown.'},
    )
  }
}

function unanswered(question: Question): RefusedError {
  const flags = question.force === undefined ? '--yes' : `--yes --force ${question.force}`
  return new RefusedError(`${question.text} Not confirmed, and there is no terminal to ask on.`, {
    hint: `Give ${flags} when that is what you want.`,
  })
}

/** The real {@link Ask}: question on standard error, answer from standard input; undefined when one of them is no terminal. */
export function terminalAsk(signal: AbortSignal): Ask | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return async (text) => {
    const {createInterface} = await import('node:readline/promises')
    const lines = createInterface({input: process.stdin, output: process.stderr})
    // readline keeps Ctrl-C for itself: hand it on, so that it counts as the first interrupt
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
    try {
      return await Promise.race([lines.question(text, {signal}), ended])
    } catch (error) {
      throw signal.aborted ? (signal.reason as Error) : new UsageError('could not read the answer', {cause: error})
    } finally {
      lines.close()
    }
  }
}

import {InterruptedError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'

/** The process as far as signals go; tests give an emitter. */
export interface SignalSource {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
}

export interface Interrupts {
  /** aborted by the first SIGINT or SIGTERM; the reason is an {@link InterruptedError} */
  readonly signal: AbortSignal
  stop(): void
}

/**
 * First SIGINT or SIGTERM: abort, so that operations undo what they did. Second: `exitNow(130)` at once.
 *
 * @param note called once, when the first arrives, with a line for the person
 */
export function watchInterrupts(
  source: SignalSource,
  exitNow: (status: number) => void,
  note: (text: string) => void,
): Interrupts {
  const controller = new AbortController()
  const onSignal = (name: string): void => {
    if (controller.signal.aborted) {
      exitNow(exitCodes.interrupted)
      return
    }
    note(`${name}: stopping; once more ends at once`)
    controller.abort(new InterruptedError(`interrupted by ${name}`))
  }
  const onInt = (): void => onSignal('SIGINT')
  const onTerm = (): void => onSignal('SIGTERM')
  source.on('SIGINT', onInt)
  source.on('SIGTERM', onTerm)
  return {
    signal: controller.signal,
    stop() {
      source.off('SIGINT', onInt)
      source.off('SIGTERM', onTerm)
    },
  }
}

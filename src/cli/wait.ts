import type {ColoError} from '../errors.js'
import {NotFoundError, TimedOutError, UnreachableError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {PairState, PairStatus} from '../pair/status.js'

/** A state to wait for; `gone` when no host knows the pair any more. */
export type Awaited = PairState | 'gone'

export interface WaitOptions {
  readonly pair: string
  readonly states: readonly Awaited[]
  readonly timeoutMs: number
  /** pause between two looks, milliseconds */
  readonly pollMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly observe: () => Promise<PairStatus>
}

export interface WaitResult {
  readonly pair: string
  readonly state: Awaited
  readonly waitedMs: number
  readonly status?: PairStatus
}

/**
 * Looks until the pair is in one of `states`. A host that does not answer, or a look that takes too long, is waited out as well.
 *
 * @throws {TimedOutError} with what was seen last
 * @throws {NotFoundError} at once, when there is no such pair and `gone` was not asked for
 */
export async function waitForState(options: WaitOptions): Promise<WaitResult> {
  const {pair, states, timeoutMs, pollMs, clock, signal} = options
  const startMs = clock.monotonic()
  for (;;) {
    signal.throwIfAborted()
    const look = await lookAt(options)
    const waitedMs = Math.round(clock.monotonic() - startMs)
    if ('status' in look && states.includes(look.status.state))
      return {pair, state: look.status.state, waitedMs, status: look.status}
    if ('gone' in look && states.includes('gone')) return {pair, state: 'gone', waitedMs}
    if ('gone' in look) throw look.gone
    const leftMs = timeoutMs - waitedMs
    if (leftMs <= 0) throw timedOut(options, look, waitedMs)
    await clock.sleep(Math.min(pollMs, leftMs), signal)
  }
}

type Look = {readonly status: PairStatus} | {readonly gone: NotFoundError} | {readonly silent: ColoError}

async function lookAt({observe, signal}: WaitOptions): Promise<Look> {
  try {
    return {status: await observe()}
  } catch (error) {
    if (signal.aborted) throw signal.reason as Error
    if (error instanceof NotFoundError) return {gone: error}
    if (error instanceof UnreachableError || error instanceof TimedOutError) return {silent: error}
    throw error
  }
}

function timedOut({pair, states}: WaitOptions, look: Exclude<Look, {gone: unknown}>, waitedMs: number): TimedOutError {
  const seen =
    'silent' in look
      ? look.silent.message
      : [`it is ${look.status.state}`, ...look.status.reasons.map(({message}) => message)].join('; ')
  return new TimedOutError(
    `${pair} is not ${states.join(' or ')} after ${(waitedMs / 1000).toFixed(1)} s: ${seen}`,
    waitedMs,
    {
      hint: `colo pair status ${pair}`,
    },
  )
}

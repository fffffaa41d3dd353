/** A limit on waiting: milliseconds, a signal, or both. */
export interface Limit {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** setTimeout fires at once for anything longer. */
const LONGEST_MS = 2 ** 31 - 1

/**
 * Calls `expire` at most once: with `undefined` when the time is up, with the signal's reason when it aborts.
 *
 * @returns a function that disarms it; call it when the thing waited for has come
 */
export function armDeadline({timeoutMs, signal}: Limit, expire: (reason: Error | undefined) => void): () => void {
  const disarm = (): void => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const onAbort = (): void => {
    disarm()
    expire(signal?.reason as Error)
  }
  const timer = setTimeout(
    () => {
      disarm()
      expire(undefined)
    },
    Math.min(timeoutMs, LONGEST_MS),
  )
  signal?.addEventListener('abort', onAbort, {once: true})
  return disarm
}

/** Time as the rest of the code sees it; tests give a fake one. */
export interface Clock {
  /** wall clock, milliseconds since the epoch */
  now(): number
  /** monotonic, milliseconds; only differences mean something */
  monotonic(): number
  /** settles after `ms`, or rejects with the signal's reason */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error)
        return
      }
      const stop = (): void => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, ms)
      signal?.addEventListener('abort', stop, {once: true})
    }),
}

/** Shows what takes time. `step` runs the body, and reports its title, notes and duration. */
export interface Progress {
  step<R>(title: string, body: (note: (text: string) => void) => Promise<R>): Promise<R>
  /** something the user should know that does not stop the work */
  warn(text: string): void
  note(text: string): void
}

/** One finished step, for results and tables. */
export interface StepTime {
  readonly title: string
  readonly seconds: number
}

/** Plain lines: one when a step starts to take long, one with its time when it ends. */
export function lineProgress(print: (line: string) => void, times: StepTime[] = []): Progress {
  return {
    async step(title, body) {
      const start = performance.now()
      const announce = setTimeout(() => {
        print(`… ${title}`)
      }, 1000)
      try {
        const result = await body((text) => {
          print(`  ${title}: ${text}`)
        })
        const seconds = secondsSince(start)
        times.push({title, seconds})
        print(`✔ ${title} (${seconds.toFixed(1)} s)`)
        return result
      } catch (error) {
        print(`✖ ${title} (${secondsSince(start).toFixed(1)} s)`)
        throw error
      } finally {
        clearTimeout(announce)
      }
    },
    warn(text) {
      print(`⚠ ${text}`)
    },
    note: print,
  }
}

export const silentProgress: Progress = {
  step: (_title, body) => body(() => undefined),
  warn: () => undefined,
  note: () => undefined,
}

function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 100) / 10
}

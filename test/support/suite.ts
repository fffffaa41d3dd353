import {suite as uvuSuite} from 'uvu'

const TEST_MS = Number(process.env['TEST_TIMEOUT'] ?? 10_000)
const LINGER_MS = 2000
const ledger = {registered: 0, settled: 0, passed: 0, skipped: [] as string[]}

/** Given to each test: `signal` aborts when the body ends or times out; `defer` queues a cleanup. */
export interface T {
  readonly signal: AbortSignal
  defer(cleanup: () => unknown): void
}

export interface Suite {
  (title: string, body: (t: T) => unknown, ms?: number): void
  /** Registers a test that is not run; the reason is printed at the end. In CI, where nothing may be missing, it fails instead. */
  skip(title: string, why: string): void
  run(): void
}

/** A uvu suite whose tests time out, clean up in reverse order and never pass by accident. */
export function suite(name: string): Suite {
  // uvu asks every child for colours; a child that is told both prints a warning first
  if (process.env['NO_COLOR'] !== undefined) delete process.env['FORCE_COLOR']
  const inner = uvuSuite(name)
  const test = (title: string, body: (t: T) => unknown, ms = TEST_MS): void => {
    ledger.registered++
    inner(title, () => runOne(title, body, ms))
  }
  return Object.assign(test, {
    skip(title: string, why: string): void {
      if (process.env['CI'] === 'true') {
        test(title, () => {
          throw new Error(`not run in CI: ${why}`)
        })
        return
      }
      ledger.skipped.push(`${name}: ${title} (${why})`)
    },
    run: (): void => {
      inner.run()
    },
  })
}

async function runOne(title: string, body: (t: T) => unknown, ms: number): Promise<void> {
  const stop = new AbortController()
  const cleanups: Array<() => unknown> = []
  const errors: unknown[] = []
  const attempt = async (what: string, fn: () => unknown): Promise<void> => {
    try {
      await within(ms, what, fn)
    } catch (error) {
      errors.push(error)
    }
  }
  await attempt(title, () => body({signal: stop.signal, defer: (fn) => cleanups.push(fn)}))
  stop.abort()
  for (const fn of cleanups.reverse()) await attempt(`cleanup of ${title}`, fn)
  if (++ledger.settled === ledger.registered) guardExit()
  if (errors.length > 0) {
    const error = asError(errors)
    error.message = `${title}: ${error.message}`
    throw error
  }
  ledger.passed++
}

async function within(ms: number, what: string, fn: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what}: timed out after ${ms} ms`))
    }, ms)
  })
  try {
    await Promise.race([(async () => fn())(), late])
  } finally {
    clearTimeout(timer)
  }
}

function asError(errors: unknown[]): Error {
  const [first] = errors
  if (errors.length === 1 && first instanceof Error) return first
  const text = errors
    .map((error) => (error instanceof Error ? error.message : `non-Error thrown: ${String(error)}`))
    .join('; ')
  return new Error(text, {cause: first})
}

/** uvu loads every file before it runs the first test, so the last test to settle is the last of all. */
function guardExit(): void {
  setTimeout(() => {
    console.error(`still alive after the last test: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(1)
  }, LINGER_MS).unref()
}

process.on('exit', () => {
  for (const line of ledger.skipped) console.error(`skipped  ${line}`)
  console.error(
    `ledger: ${ledger.passed} passed, ${ledger.registered - ledger.passed} failed, ${ledger.skipped.length} skipped`,
  )
  if (ledger.passed === ledger.registered && ledger.registered > 0) return
  process.exitCode ||= 1
})

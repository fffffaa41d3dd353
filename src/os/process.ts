import {ToolError, type ToolFailure} from '../errors.js'

/** A program and its arguments; never a shell string. */
export type Argv = readonly [string, ...string[]]

export interface RunOptions {
  /** limit in milliseconds; 10 000 unless told */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** text given on standard input; without it standard input is empty */
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/**
 * Runs one program to its end.
 *
 * @throws {ToolError} when it is missing, exits non-zero, is signalled, cancelled, or passes `timeoutMs`
 */
export type Run = (argv: Argv, options?: RunOptions) => Promise<RunResult>

/** Loads what `run` needs, for a process that must not wait for its disk later. */
export const loadRun = async (): Promise<void> => {
  await import('execa')
}

/** The real {@link Run}, over execa; the locale is C so that output can be parsed. */
export const run: Run = async (argv, options = {}) => {
  const {execa} = await import('execa')
  const [file, ...args] = argv
  const timeoutMs = options.timeoutMs ?? 10_000
  const result = await execa(file, args, {
    ...(options.input === undefined ? {stdin: 'ignore' as const} : {input: options.input}),
    ...(options.signal === undefined ? {} : {cancelSignal: options.signal}),
    ...(options.cwd === undefined ? {} : {cwd: options.cwd}),
    env: {LC_ALL: 'C', ...options.env},
    timeout: timeoutMs,
    forceKillAfterDelay: 2000,
    reject: false,
  })
  if (result.failed) {
    throw new ToolError(argv, failureOf(result, timeoutMs), {cause: new Error(result.stderr.slice(0, 4000))})
  }
  return {stdout: result.stdout, stderr: result.stderr, durationMs: result.durationMs}
}

interface Outcome {
  readonly code?: string | undefined
  readonly timedOut: boolean
  readonly isCanceled: boolean
  readonly signal?: string | undefined
  readonly exitCode?: number | undefined
  readonly stderr: string
}

function failureOf(outcome: Outcome, timeoutMs: number): ToolFailure {
  if (outcome.code === 'ENOENT') return {kind: 'missing'}
  if (outcome.timedOut) return {kind: 'timed-out', afterMs: timeoutMs}
  if (outcome.isCanceled) return {kind: 'cancelled'}
  if (outcome.signal !== undefined) return {kind: 'signal', signal: outcome.signal}
  return {kind: 'exit', status: outcome.exitCode ?? -1, firstLine: firstLineOf(outcome.stderr)}
}

/** virsh says in its first line what it could not do, in the second why, and QEMU's own last word comes at the end: all are told. */
function firstLineOf(text: string): string {
  const [first = '', second = '', ...more] = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (!first.startsWith('error: ') || !second.startsWith('error: ')) return first
  const last = more.filter((line) => !line.includes(': warning: ')).at(-1)
  return [first, second.slice('error: '.length), ...(last === undefined ? [] : [last])].join(': ')
}

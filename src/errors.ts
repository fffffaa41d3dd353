import {exitCodes, type ExitCode} from './exit-codes.js'

/** What an error may carry besides its message. */
export interface ErrorDetails {
  /** what the user can do about it, a full sentence or a command */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/**
 * Base of every error `colo` raises on purpose: a stable kebab-case `code`, an exit status, and a hint.
 *
 * The message says what failed on what, then why; the hint says what to do.
 */
export class ColoError extends Error {
  readonly code: string
  readonly exit: ExitCode
  readonly hint: string | undefined

  constructor(code: string, exit: ExitCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : {cause: details.cause})
    this.name = new.target.name
    this.code = code
    this.exit = exit
    this.hint = details.hint
  }

  /** oclif prints these under the message. */
  get suggestions(): string[] {
    return this.hint === undefined ? [] : [this.hint]
  }
}

/** The command line itself is wrong: flags, arguments, combinations. Exit 2. */
export class UsageError extends ColoError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('usage', exitCodes.usage, message, details)
  }
}

/** A place in a configuration file. Lines and columns count from 1. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A spec or inventory is wrong; the message starts with `file:line:column`. Exit 2. */
export class ConfigError extends ColoError {
  readonly place: SourcePlace

  constructor(place: SourcePlace, message: string, details: ErrorDetails = {}) {
    super('config', exitCodes.usage, `${place.file}:${place.line}:${place.column}: ${message}`, details)
    this.place = place
  }
}

/** Something named by the user does not exist. Exit 3. */
export class NotFoundError extends ColoError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('not-found', exitCodes.notFound, message, details)
  }
}

/** Something exists already, or another pair or operation holds it. Exit 4. */
export class ConflictError extends ColoError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('conflict', exitCodes.conflict, message, details)
  }
}

/** Also of an agent's word, which comes without its class. */
export function isConflict(error: unknown): boolean {
  return error instanceof ColoError && error.exit === exitCodes.conflict
}

/** The pair is in a state in which the operation makes no sense. Exit 5. */
export class StateError extends ColoError {
  readonly actual: string
  readonly required: readonly string[]

  constructor(message: string, states: {actual: string; required: readonly string[]}, details: ErrorDetails = {}) {
    super('wrong-state', exitCodes.wrongState, message, details)
    this.actual = states.actual
    this.required = states.required
  }
}

/** A named preflight check failed; `--force CHECK` overrides those that may be overridden. Exit 6. */
export class PreflightError extends ColoError {
  readonly check: string

  constructor(check: string, message: string, details: ErrorDetails = {}) {
    super('preflight', exitCodes.preflight, message, details)
    this.check = check
  }
}

/** A host or its agent does not answer. Exit 20. */
export class UnreachableError extends ColoError {
  readonly host: string

  constructor(host: string, message: string, details: ErrorDetails = {}) {
    super('unreachable', exitCodes.unreachable, message, details)
    this.host = host
  }
}

/** A wait reached its limit; the message says what it waited for and how long. Exit 21. */
export class TimedOutError extends ColoError {
  readonly waitedMs: number

  constructor(message: string, waitedMs: number, details: ErrorDetails = {}) {
    super('timed-out', exitCodes.timedOut, message, details)
    this.waitedMs = waitedMs
  }
}

/** The arbiter or a start rule says no. Exit 22. */
export class RefusedError extends ColoError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('refused', exitCodes.refused, message, details)
  }
}

/** Two copies went on alone: neither descends from the other. Exit 12. */
export class SplitBrainError extends ColoError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('split-brain', exitCodes.splitBrain, message, details)
  }
}

/** The user pressed Ctrl-C, or the command got SIGTERM. Exit 130. */
export class InterruptedError extends ColoError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('interrupted', exitCodes.interrupted, message, details)
  }
}

/** Why an outside program did not do its work. */
export type ToolFailure =
  | {readonly kind: 'missing'}
  | {readonly kind: 'timed-out'; readonly afterMs: number}
  | {readonly kind: 'cancelled'}
  | {readonly kind: 'signal'; readonly signal: string}
  | {readonly kind: 'exit'; readonly status: number; readonly firstLine: string}

/** An outside program failed. `argv` and the first line of stderr are evidence; full output is never shown. */
export class ToolError extends ColoError {
  readonly argv: readonly string[]
  readonly failure: ToolFailure

  constructor(argv: readonly string[], failure: ToolFailure, details: ErrorDetails = {}) {
    const exit = failure.kind === 'timed-out' ? exitCodes.timedOut : exitCodes.internal
    super('tool-failed', exit, `${argv[0] ?? '(no program)'}: ${describe(failure)}`, details)
    this.argv = argv
    this.failure = failure
  }
}

/** Something that was read has not the shape it must have. `path` names the field, as in `return.mode`. */
export class DecodeError extends ColoError {
  readonly source: string
  readonly path: string
  readonly expected: string

  constructor(at: {source: string; path: string; expected: string}, details: ErrorDetails = {}) {
    super('decode', exitCodes.internal, `${at.source}: ${at.path} is not ${at.expected}`, details)
    this.source = at.source
    this.path = at.path
    this.expected = at.expected
  }
}

function describe(failure: ToolFailure): string {
  switch (failure.kind) {
    case 'missing':
      return 'not installed'
    case 'timed-out':
      return `no result after ${failure.afterMs} ms`
    case 'cancelled':
      return 'cancelled'
    case 'signal':
      return `ended by ${failure.signal}`
    case 'exit':
      return failure.firstLine === '' ? `exit status ${failure.status}` : failure.firstLine
    default:
      return unreachable(failure)
  }
}

/** Marks a `switch` that lists every case; reaching it is a bug. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}

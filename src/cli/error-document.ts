import {ColoError, ConfigError, PreflightError, StateError, TimedOutError, UnreachableError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import {exitCodeOf} from './exit-code-of.js'

/** What `--json` prints for a failure; documented in docs/json/error.schema.json. */
export interface ErrorDocument {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint?: string
    readonly exit: number
    readonly [evidence: string]: unknown
  }
}

/** Only named fields go out: an error may hold evidence with secrets, and those of oclif hold its whole configuration. */
export function errorDocument(error: unknown): ErrorDocument {
  const exit = exitCodeOf(error)
  const hint = hintOf(error)
  return {
    error: {
      code: error instanceof ColoError ? error.code : exit === exitCodes.usage ? 'usage' : 'internal',
      message: messageOf(error),
      ...(hint === undefined ? {} : {hint}),
      exit,
      ...evidenceOf(error),
    },
  }
}

/** The message without what oclif adds for its own printing: colours, `Parsing --flag`, `See more help with --help`. */
export function messageOf(error: unknown): string {
  const raw = error instanceof Error ? error.message : String(error)
  return raw
    .replace(ansi, '')
    .replace(/^Parsing --(\S+) \n\t/, '--$1: ')
    .replace(/\nSee more help with --help$/, '')
    .trim()
}

export function hintOf(error: unknown): string | undefined {
  if (error instanceof ColoError) return error.hint
  return exitCodeOf(error) === exitCodes.usage ? 'See the command with --help.' : undefined
}

function evidenceOf(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof ConfigError) return {place: error.place}
  if (error instanceof StateError) return {actual: error.actual, required: error.required}
  if (error instanceof PreflightError) return {check: error.check}
  if (error instanceof UnreachableError) return {host: error.host}
  if (error instanceof TimedOutError) return {waitedMs: error.waitedMs}
  return {}
}

/** Lines for standard error: `colo: what failed`, then the hint. The text is never wrapped, so that `file:line:column` stays whole. */
export function errorText(error: unknown): string {
  const hint = hintOf(error)
  return `colo: ${messageOf(error)}${hint === undefined ? '' : `\n  hint: ${hint.replaceAll('\n', '\n  ')}`}`
}

/** Internal errors are bugs: with -v their stack is shown. */
export function isInternal(error: unknown): boolean {
  return !(error instanceof ColoError) && exitCodeOf(error) === exitCodes.internal
}

// eslint-disable-next-line no-control-regex -- SGR sequences begin with ESC
const ansi = /\u001b\[[0-9;]*m/g

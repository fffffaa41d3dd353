import {ColoError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import type {RemoteError, Reply} from './protocol.js'

/** A step did not succeed; `cause` says why, and code, exit status and hint are the cause's. */
export class StepError extends ColoError {
  readonly step: string

  constructor(step: {readonly id: string; readonly label: string}, action: string, cause: unknown) {
    const remote = remoteErrorOf(cause)
    super(remote.code, exitOf(cause), `${step.label} (${step.id}, ${action}): ${remote.message}`, {
      hint: remote.hint,
      cause,
    })
    this.step = step.id
  }
}

/** An error as it crosses the wire. What is not a `ColoError` is a bug and says so: `internal`. */
export function remoteErrorOf(error: unknown): RemoteError {
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof ColoError)) return {code: codeOf(error), exit: exitCodes.internal, message}
  return {
    code: error.code,
    exit: error.exit,
    message,
    ...(error.hint === undefined ? {} : {hint: error.hint}),
    ...(error instanceof StepError ? {step: error.step} : {}),
  }
}

export function lineOf(reply: Reply): string {
  return `${JSON.stringify(reply)}\n`
}

function exitOf(error: unknown) {
  return error instanceof ColoError ? error.exit : exitCodes.internal
}

/** Errors of the operating system keep their name: `ENOSPC` tells more than `internal`. */
function codeOf(error: unknown): string {
  const code = (error as {code?: unknown} | undefined)?.code
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? code.toLowerCase() : 'internal'
}

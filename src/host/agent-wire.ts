import {ColoError, DecodeError} from '../errors.js'
import {exitCodes, type ExitCode} from '../exit-codes.js'
import type {Hello, RecordedEvent, RemoteError, StepProgress} from '../agent/protocol.js'

/** One line from an agent, decoded as far as the connection itself needs it. */
export type AgentLine =
  | {readonly kind: 'result'; readonly id: number; readonly result: unknown}
  | {readonly kind: 'error'; readonly id: number; readonly error: RemoteError}
  | {readonly kind: 'progress'; readonly id: number; readonly progress: StepProgress}
  | {readonly kind: 'event'; readonly id: number; readonly event: RecordedEvent}

/** An error an agent reported: same code, exit status and hint as where it happened. */
export class AgentError extends ColoError {
  readonly host: string
  readonly method: string
  /** of steps.run: id of the step that failed */
  readonly step: string | undefined

  constructor(at: {readonly host: string; readonly method: string}, remote: RemoteError) {
    super(remote.code, knownExit(remote.exit), remote.message, {hint: remote.hint})
    this.host = at.host
    this.method = at.method
    this.step = remote.step
  }
}

/**
 * Reads one line of the agent's protocol.
 *
 * @throws {DecodeError} when it is not JSON, has no id, or none of the four bodies
 * @see src/agent/protocol.ts, Reply
 */
export function parseAgentLine(line: string, source: string): AgentLine {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new DecodeError({source, path: 'line', expected: 'JSON'}, {cause})
  }
  if (!isRecord(value)) throw new DecodeError({source, path: 'line', expected: 'an object'})
  const id = value['id']
  if (typeof id !== 'number' || !Number.isInteger(id))
    throw new DecodeError({source, path: 'id', expected: 'an integer'})
  if ('result' in value) return {kind: 'result', id, result: value['result']}
  if ('error' in value) return {kind: 'error', id, error: decodeError(value['error'], source)}
  if ('progress' in value) return {kind: 'progress', id, progress: decodeProgress(value['progress'], source)}
  if ('event' in value) return {kind: 'event', id, event: decodeEvent(value['event'], source)}
  throw new DecodeError({source, path: 'line', expected: 'a result, error, progress or event'})
}

/** @throws {DecodeError} when a field is absent or has another type */
export function decodeHello(value: unknown, source: string): Hello {
  const hello = object(value, source, 'hello')
  return {
    protocol: number(hello, 'protocol', source),
    version: text(hello, 'version', source),
    host: text(hello, 'host', source),
    startedAtMs: number(hello, 'startedAtMs', source),
    bootId: text(hello, 'bootId', source),
  }
}

function decodeError(value: unknown, source: string): RemoteError {
  const error = object(value, source, 'error')
  const hint = error['hint']
  const step = error['step']
  return {
    code: text(error, 'code', source),
    exit: number(error, 'exit', source),
    message: text(error, 'message', source),
    ...(typeof hint === 'string' ? {hint} : {}),
    ...(typeof step === 'string' ? {step} : {}),
  }
}

function decodeProgress(value: unknown, source: string): StepProgress {
  const progress = object(value, source, 'progress')
  text(progress, 'step', source)
  text(progress, 'state', source)
  return progress as unknown as StepProgress
}

function decodeEvent(value: unknown, source: string): RecordedEvent {
  const event = object(value, source, 'event')
  number(event, 'seq', source)
  text(event, 'type', source)
  return event as unknown as RecordedEvent
}

function object(value: unknown, source: string, path: string): Record<string, unknown> {
  if (isRecord(value)) return value
  throw new DecodeError({source, path, expected: 'an object'})
}

function text(of: Record<string, unknown>, key: string, source: string): string {
  const value = of[key]
  if (typeof value === 'string') return value
  throw new DecodeError({source, path: key, expected: 'a string'})
}

function number(of: Record<string, unknown>, key: string, source: string): number {
  const value = of[key]
  if (typeof value === 'number') return value
  throw new DecodeError({source, path: key, expected: 'a number'})
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A newer agent may know statuses this command does not. */
function knownExit(exit: number): ExitCode {
  return Object.values(exitCodes).find((known) => known === exit) ?? exitCodes.internal
}

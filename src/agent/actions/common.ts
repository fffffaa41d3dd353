import {TimedOutError} from '../../errors.js'
import {QmpCommandError, QmpTimeoutError, type SentCommand} from '../../qmp/errors.js'
import {isRecord} from '../../qmp/messages.js'
import type {ExecuteOptions, QmpSession} from '../../qmp/session.js'
import type {Action} from '../../plan/action.js'
import type {ActionContext, ActionOutcome} from '../action-context.js'

/** The action of one kind, such as `ActionOf<'migrate'>`. */
export type ActionOf<K extends Action['kind']> = Extract<Action, {readonly kind: K}>

/** Performs one action; see the type of the action for what it promises. */
export type Perform<A> = (action: A, context: ActionContext) => Promise<ActionOutcome>

/**
 * Sends a command that changes something and returns nothing; it is never abandoned half-way by a signal.
 *
 * @throws {QmpCommandError} whose message also names what the command was about
 */
export async function send(qmp: QmpSession, command: SentCommand, options?: ExecuteOptions): Promise<void> {
  try {
    await qmp.execute(command.command, command.arguments, options)
  } catch (error) {
    const subject = subjectOf(command)
    if (error instanceof QmpCommandError && subject !== undefined) {
      error.message = error.message.replace(command.command, `${command.command} ${subject}`)
    }
    throw error
  }
}

/** What a wait is for, and its limits. */
export interface Wait {
  /** ends a sentence such as `waited 30 s for ...` */
  readonly what: string
  /** events that wake it up early; it never relies on them */
  readonly events: readonly string[]
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

const POLL_MS = 200

/**
 * Asks again and again until `probe` returns something: at once, at every event named, and 5 times a second. States are levels: what an
 * event said may be over when it is read.
 *
 * @throws {TimedOutError} that says what it waited for
 * @throws what `probe` throws, or the signal's reason
 */
export async function settle<R>(
  context: Pick<ActionContext, 'clock'>,
  qmp: QmpSession,
  wait: Wait,
  probe: () => Promise<R | undefined>,
): Promise<R> {
  const endMs = context.clock.monotonic() + wait.timeoutMs
  await using heard = qmp.listen(wait.events)
  for (;;) {
    wait.signal?.throwIfAborted()
    const found = await probe()
    if (found !== undefined) return found
    const leftMs = endMs - context.clock.monotonic()
    if (leftMs <= 0) throw new TimedOutError(`waited ${seconds(wait.timeoutMs)} for ${wait.what}`, wait.timeoutMs)
    try {
      await heard.next({timeoutMs: Math.min(POLL_MS, leftMs), signal: wait.signal})
    } catch (error) {
      if (!(error instanceof QmpTimeoutError)) throw error
    }
  }
}

/** `500 ms`, `30 s` */
export function seconds(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`
}

/** The id, node, job, path or address a command is about. */
function subjectOf({arguments: args = {}}: SentCommand): string | undefined {
  for (const key of ['id', 'node-name', 'job-id', 'device', 'parent', 'path', 'uri']) {
    const value = args[key]
    if (typeof value === 'string') return value
  }
  const address = isRecord(args['addr']) ? args['addr']['data'] : undefined
  return isRecord(address) ? `${String(address['host'])}:${String(address['port'])}` : undefined
}

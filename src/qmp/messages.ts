/** What QEMU says first. `package` is the distribution's version string, such as `Debian 1:7.2+dfsg-7+deb12u18`. */
export interface QmpGreeting {
  readonly version: {
    readonly major: number
    readonly minor: number
    readonly micro: number
    readonly package: string
  }
  /** what the server offers, such as `oob` */
  readonly capabilities: readonly string[]
}

/** Something that happened in QEMU. */
export interface QmpEvent {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
  /** microseconds since the epoch, by the clock of QEMU's host */
  readonly atUs: number
}

/** One line from QEMU, sorted. `invalid` says why the connection must not go on. */
export type QmpMessage =
  | {readonly kind: 'greeting'; readonly greeting: QmpGreeting}
  | {readonly kind: 'event'; readonly event: QmpEvent}
  | {readonly kind: 'return'; readonly id: unknown; readonly value: unknown}
  | {readonly kind: 'error'; readonly id: unknown; readonly class: string; readonly desc: string}
  | {readonly kind: 'invalid'; readonly why: string}

/**
 * Sorts one line of the protocol; never throws.
 *
 * @see qemu/qemu docs/interop/qmp-spec.rst, sections 2.2 to 2.5
 */
export function parseMessage(line: string): QmpMessage {
  let message: unknown
  try {
    message = JSON.parse(line)
  } catch {
    return {kind: 'invalid', why: `not JSON: ${excerpt(line)}`}
  }
  if (!isRecord(message)) return {kind: 'invalid', why: `not an object: ${excerpt(line)}`}
  if ('QMP' in message) return greetingOf(message['QMP']) ?? {kind: 'invalid', why: `bad greeting: ${excerpt(line)}`}
  if ('event' in message) return eventOf(message) ?? {kind: 'invalid', why: `bad event: ${excerpt(line)}`}
  if ('return' in message) return {kind: 'return', id: message['id'], value: message['return']}
  if ('error' in message) return errorOf(message) ?? {kind: 'invalid', why: `bad error: ${excerpt(line)}`}
  return {kind: 'invalid', why: `neither reply nor event: ${excerpt(line)}`}
}

/** One command as a line; `exec-oob` must have been negotiated. */
export function formatCommand(command: {
  name: string
  args: Readonly<Record<string, unknown>> | undefined
  id: string
  oob: boolean
}): string {
  const {name, args, id, oob} = command
  return `${JSON.stringify({[oob ? 'exec-oob' : 'execute']: name, ...(args && {arguments: args}), id})}\n`
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function greetingOf(value: unknown): QmpMessage | undefined {
  if (!isRecord(value) || !isRecord(value['version']) || !Array.isArray(value['capabilities'])) return undefined
  const {qemu, package: distribution} = value['version']
  if (!isRecord(qemu) || typeof distribution !== 'string') return undefined
  const {major, minor, micro} = qemu
  if (typeof major !== 'number' || typeof minor !== 'number' || typeof micro !== 'number') return undefined
  const capabilities = value['capabilities'].filter((name) => typeof name === 'string')
  return {kind: 'greeting', greeting: {version: {major, minor, micro, package: distribution.trim()}, capabilities}}
}

function eventOf(message: Record<string, unknown>): QmpMessage | undefined {
  const {event, data = {}, timestamp} = message
  if (typeof event !== 'string' || !isRecord(data) || !isRecord(timestamp)) return undefined
  const {seconds, microseconds} = timestamp
  if (typeof seconds !== 'number' || typeof microseconds !== 'number') return undefined
  return {kind: 'event', event: {event, data, atUs: seconds * 1_000_000 + microseconds}}
}

function errorOf(message: Record<string, unknown>): QmpMessage | undefined {
  const {error, id} = message
  if (!isRecord(error) || typeof error['class'] !== 'string' || typeof error['desc'] !== 'string') return undefined
  return {kind: 'error', id, class: error['class'], desc: error['desc']}
}

function excerpt(line: string): string {
  return line.length <= 120 ? line : `${line.slice(0, 120)}…`
}

import {ColoError, type ErrorDetails} from '../errors.js'
import {exitCodes, type ExitCode} from '../exit-codes.js'

/** A command as it was sent. */
export interface SentCommand {
  readonly command: string
  readonly arguments?: Readonly<Record<string, unknown>> | undefined
}

/** Base of everything that can go wrong between `colo` and a QMP socket. */
export class QmpError extends ColoError {
  /** the socket, as the user would name it */
  readonly socket: string

  constructor(at: {code: string; exit: ExitCode; socket: string}, message: string, details: ErrorDetails = {}) {
    super(at.code, at.exit, message, details)
    this.socket = at.socket
  }
}

/** Why there is no session. */
export type QmpConnectFailure = 'missing' | 'refused' | 'denied' | 'no-greeting' | 'not-qmp' | 'ended' | 'other'

/** The socket could not be opened, or whoever listens there does not speak QMP. Exit 20; 21 when no greeting came. */
export class QmpConnectError extends QmpError {
  readonly failure: QmpConnectFailure

  constructor(socket: string, failure: QmpConnectFailure, why: string, details: ErrorDetails = {}) {
    const exit = failure === 'no-greeting' ? exitCodes.timedOut : exitCodes.unreachable
    super({code: 'qmp-connect', exit, socket}, `cannot open QMP socket ${socket}: ${why}`, details)
    this.failure = failure
  }
}

/** QEMU refused a command. `class` and `desc` are QEMU's words: match the class, never the text. Exit 1. */
export class QmpCommandError extends QmpError {
  readonly sent: SentCommand
  readonly class: string
  readonly desc: string

  constructor(socket: string, sent: SentCommand, reply: {class: string; desc: string}) {
    super({code: 'qmp-command', exit: exitCodes.internal, socket}, `${sent.command} on ${socket}: ${reply.desc}`)
    this.sent = sent
    this.class = reply.class
    this.desc = reply.desc
  }
}

/** No reply, or no event, in time. QEMU may still carry the command out. Exit 21. */
export class QmpTimeoutError extends QmpError {
  /** the command, or `event A or B` when an event was awaited */
  readonly command: string
  /** milliseconds */
  readonly waitedMs: number

  constructor(socket: string, command: string, waitedMs: number) {
    const what = command.startsWith('event ') ? 'not seen' : 'no reply'
    super(
      {code: 'qmp-timeout', exit: exitCodes.timedOut, socket},
      `${command} on ${socket}: ${what} after ${waitedMs} ms`,
    )
    this.command = command
    this.waitedMs = waitedMs
  }
}

/** Who ended the connection: QEMU (or its death), we, a protocol violation, or an error of the socket. */
export type QmpEnd = 'peer' | 'local' | 'protocol' | 'broken'

/** The connection has ended; every call and every listener that was waiting gets this. Exit 20. */
export class QmpClosedError extends QmpError {
  readonly end: QmpEnd

  constructor(socket: string, end: QmpEnd, why: string, details: ErrorDetails = {}) {
    super({code: 'qmp-closed', exit: exitCodes.unreachable, socket}, `connection to ${socket} ended: ${why}`, details)
    this.end = end
  }
}

/** `exec-oob` was wanted on a session that did not negotiate it. Exit 1. */
export class QmpOobError extends QmpError {
  constructor(socket: string, command: string) {
    super(
      {code: 'qmp-no-oob', exit: exitCodes.internal, socket},
      `${command} on ${socket}: out-of-band execution was not negotiated`,
    )
  }
}

/** A listener was not read while events came in; those after the bound are lost. Exit 1. */
export class QmpOverflowError extends QmpError {
  constructor(socket: string, names: readonly string[], bound: number) {
    super(
      {code: 'qmp-overflow', exit: exitCodes.internal, socket},
      `event ${names.join(' or ')} on ${socket}: more than ${bound} were not read`,
    )
  }
}

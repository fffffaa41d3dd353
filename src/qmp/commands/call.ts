import type {Decoder} from '../decode.js'
import type {ExecuteOptions, QmpSession} from '../session.js'

/** What typed commands need of a session. */
export type QmpExecutor = Pick<QmpSession, 'execute'>

/** Limits of one command: `timeoutMs`, `signal`, and `oob` where QEMU allows it. */
export type CallOptions = ExecuteOptions

/**
 * Sends a command and decodes what it returns. Every typed command goes through here, so that each throws the same:
 *
 * @throws {QmpCommandError} refused by QEMU
 * @throws {QmpTimeoutError} no reply in time
 * @throws {QmpClosedError} the connection has ended
 * @throws {DecodeError} a required field is absent or has another type
 */
export async function call<T>(
  qmp: QmpExecutor,
  command: {readonly name: string; readonly args?: Readonly<Record<string, unknown>>; readonly returns: Decoder<T>},
  options?: CallOptions,
): Promise<T> {
  const value = await qmp.execute(command.name, command.args, options)
  return command.returns(value, {source: command.name, path: 'return'})
}

/** Drops members that are undefined: QEMU refuses a null where it expects nothing. */
export function present(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined))
}

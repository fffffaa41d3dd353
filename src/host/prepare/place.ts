import {ToolError, UnreachableError} from '../../errors.js'
import type {Argv, Run} from '../../os/process.js'
import type {ConnectionSpec} from '../../pair/inventory.js'
import {sshByHand, type SshTarget} from '../ssh/argv.js'

/** A host on which commands can be run while it has no agent yet. */
export interface Place {
  readonly name: string
  /** @throws {UnreachableError} when ssh does not get there, {ToolError} when the command fails */
  readonly run: (argv: Argv, options?: {readonly input?: string; readonly timeoutMs?: number}) => Promise<string>
}

/** ssh's own failures end with this; a command's own status goes through. */
const sshFailed = 255

/** @param configFile of ssh; the system's own unless told */
export function placeOf(name: string, connection: ConnectionSpec, run: Run, configFile?: string): Place {
  return {
    name,
    run: async (argv, options = {}) => {
      const remote = connection.kind === 'local' ? argv : sshRunArgv(connection, argv, configFile)
      try {
        return (await run(remote, options)).stdout
      } catch (error) {
        if (connection.kind === 'ssh') throw sshErrorOf(name, connection, error, configFile)
        throw error
      }
    },
  }
}

/** The other side joins the words and gives them to a login shell: each is quoted whole. */
export function sshRunArgv(target: SshTarget, argv: Argv, configFile?: string): Argv {
  return [
    'ssh',
    ...(configFile === undefined ? [] : ['-F', configFile]),
    '-T',
    ...['BatchMode=yes', 'ConnectTimeout=5', 'ConnectionAttempts=1', 'ForwardAgent=no', 'LogLevel=ERROR'].flatMap(
      (option) => ['-o', option],
    ),
    ...(target.port === undefined ? [] : ['-p', String(target.port)]),
    ...(target.user === undefined ? [] : ['-l', target.user]),
    '--',
    target.address,
    argv.map(quoted).join(' '),
  ]
}

/** One word for any POSIX shell. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_.,:/=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function sshErrorOf(name: string, target: SshTarget, error: unknown, configFile: string | undefined): unknown {
  if (!(error instanceof ToolError)) return error
  const {failure} = error
  if (failure.kind !== 'timed-out' && !(failure.kind === 'exit' && failure.status === sshFailed)) return error
  return new UnreachableError(name, `${name}: ${error.message}`, {
    cause: error,
    hint: `try it by hand: ${sshByHand(target, configFile)} true`,
  })
}

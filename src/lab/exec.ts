import {StateError, UsageError} from '../errors.js'
import {isAlive} from '../os/proc.js'
import type {Argv, RunOptions, RunResult} from '../os/process.js'
import {systemLab, type LabContext} from './context.js'
import {hostEnv, isLabHost, labHosts, namespaces, type LabHost} from './layout.js'
import {readState} from './state.js'

/** Where a command can run: inside a host, or on the client's network with this machine's files. */
export type LabPlace = LabHost | 'client'

/** @throws {UsageError} when there is no such place */
export function parsePlace(name: string): LabPlace {
  if (name === 'client' || isLabHost(name)) return name
  throw new UsageError(`the lab has no ${JSON.stringify(name)}`, {hint: `it has ${[...labHosts, 'client'].join(', ')}`})
}

/**
 * The command line that runs `argv` in a place of the lab, for callers that start the process themselves.
 *
 * @throws {StateError} when the host is not running
 */
export async function argvIn(place: LabPlace, argv: Argv, context: LabContext = systemLab()): Promise<Argv> {
  if (place === 'client') return ['ip', 'netns', 'exec', namespaces.client, ...argv]
  const init = (await readState(context.paths))?.hosts[place]?.init
  if (init === undefined || !(await isAlive(init))) {
    throw new StateError(
      `lab host ${place} is not running`,
      {actual: 'off', required: ['running']},
      {hint: 'colo lab up'},
    )
  }
  return nsenterArgv(init.pid, argv)
}

/** Runs a command in a host or on the client's network. Errors as those of `Run`. */
export async function execIn(
  place: LabPlace,
  argv: Argv,
  options: RunOptions = {},
  context: LabContext = systemLab(),
): Promise<RunResult> {
  return context.run(await argvIn(place, argv, context), options)
}

/** Enters a host through its PID 1, with the environment of a login there. */
export function nsenterArgv(pid: number, argv: Argv): Argv {
  const namespaced = ['--mount', '--uts', '--ipc', '--net', '--pid']
  return ['nsenter', '--target', String(pid), ...namespaced, '--', ...hostEnv, 'TERM=xterm-256color', ...argv]
}

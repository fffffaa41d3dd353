import {createHash} from 'node:crypto'
import {access, lstat, mkdir, readdir, readFile, rename, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {ColoError} from '../../errors.js'
import {exitCodes} from '../../exit-codes.js'
import type {Env} from '../connect-context.js'
import type {MasterFiles, SshTarget} from './argv.js'

/** 107 bytes of a UNIX socket's path, less our longest name (28) and the 17 bytes ssh appends while it binds. */
const LONGEST_DIRECTORY_BYTES = 107 - 28 - 17

let starts = 0

/**
 * Directories that may hold control sockets, best first: `$XDG_RUNTIME_DIR/colo`, `/run/colo/ssh` for root or
 * `/run/user/UID/colo`, and one below the temporary directory. Those too long for a socket path are left out.
 */
export function directoryCandidates(env: Env, uid: number): string[] {
  const runtime = env['XDG_RUNTIME_DIR']
  return [
    ...(runtime === undefined || !runtime.startsWith('/') ? [] : [join(runtime, 'colo')]),
    uid === 0 ? '/run/colo/ssh' : `/run/user/${uid}/colo`,
    join(tmpdir(), `colo-${uid}`),
  ].filter((path) => Buffer.byteLength(path) <= LONGEST_DIRECTORY_BYTES)
}

/**
 * Makes the first usable candidate: a directory of ours, mode 0700, not a link.
 *
 * @throws {ColoError} with the code `runtime-directory` when none can be used
 */
export async function openDirectory(env: Env = process.env, uid: number = process.getuid?.() ?? 0): Promise<string> {
  const problems: string[] = []
  for (const path of directoryCandidates(env, uid)) {
    try {
      await mkdir(path, {recursive: true, mode: 0o700})
      const stat = await lstat(path)
      if (!stat.isDirectory()) problems.push(`${path}: not a directory`)
      else if (stat.uid !== uid) problems.push(`${path}: owned by uid ${stat.uid}`)
      else if ((stat.mode & 0o077) !== 0)
        problems.push(`${path}: others may use it (mode ${(stat.mode & 0o777).toString(8)})`)
      else return path
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  throw new ColoError(
    'runtime-directory',
    exitCodes.internal,
    `no directory for ssh control sockets: ${problems.join('; ')}`,
    {
      hint: 'set XDG_RUNTIME_DIR to a short path of a directory that only you can read',
    },
  )
}

/** The settled names of a target's master: every command that uses the same ssh settings computes the same ones. */
export function settledFiles(
  directory: string,
  target: SshTarget,
  remoteSocket: string,
  configFile?: string,
): MasterFiles {
  const key = JSON.stringify([target.user, target.address, target.port, remoteSocket, configFile])
  return filesNamed(directory, createHash('sha256').update(key).digest('hex').slice(0, 12))
}

/**
 * Names of a master that is being started. Two commands that start one at the same time do not meet: each makes
 * its own and then moves it to the settled names; the master that lost its name ends itself when idle.
 */
export function freshFiles(settled: MasterFiles): MasterFiles {
  const suffix = `-${process.pid.toString(36)}-${(++starts).toString(36)}`
  return {control: settled.control + suffix, socket: settled.socket + suffix, log: settled.log + suffix}
}

/**
 * Moves a master to the settled names. A UNIX socket can be renamed: who connects to the new name reaches the same
 * listener. What cannot be moved is left to `sweep`; it only means that the next command starts its own.
 */
export async function settle(fresh: MasterFiles, settled: MasterFiles): Promise<void> {
  await rename(fresh.log, settled.log).catch(() => undefined)
  await rename(fresh.control, settled.control).catch(() => undefined)
  await rename(fresh.socket, settled.socket).catch(() => undefined)
}

export async function discard(files: MasterFiles): Promise<void> {
  await Promise.all([files.log, files.control, files.socket].map((path) => rm(path, {force: true})))
}

/** Removes what commands left behind that were killed while they started a master. */
export async function sweep(directory: string): Promise<void> {
  const names = await readdir(directory)
  await Promise.all(
    names.map(async (name) => {
      const pid = /\.[cls]-([0-9a-z]+)-[0-9a-z]+$/.exec(name)?.[1]
      if (pid !== undefined && !isAlive(parseInt(pid, 36))) await rm(join(directory, name), {force: true})
    }),
  )
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

export async function readLog(files: MasterFiles): Promise<string> {
  return readFile(files.log, 'utf8').catch(() => '')
}

function filesNamed(directory: string, name: string): MasterFiles {
  return {
    control: join(directory, `${name}.c`),
    socket: join(directory, `${name}.s`),
    log: join(directory, `${name}.l`),
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

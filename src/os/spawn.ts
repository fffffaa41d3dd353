import {spawn} from 'node:child_process'
import {closeSync, openSync} from 'node:fs'

import {ToolError} from '../errors.js'
import type {Argv} from './process.js'

/**
 * Starts a program that outlives this process, in its own session, with its output appended to a file.
 *
 * @returns its process number, as soon as it has been started
 * @throws {ToolError} when it cannot be started
 */
export async function spawnDetached(argv: Argv, logFile: string): Promise<number> {
  const log = openSync(logFile, 'a', 0o600)
  try {
    const child = spawn(argv[0], argv.slice(1), {detached: true, stdio: ['ignore', log, log]})
    await started(child, argv)
    child.unref()
    return child.pid ?? -1
  } finally {
    closeSync(log)
  }
}

/**
 * Runs a program on this terminal, as if the user had typed it.
 *
 * @returns its exit status; 128 + n when signal n ended it
 * @throws {ToolError} when it cannot be started
 */
export async function runAttached(argv: Argv): Promise<number> {
  const child = spawn(argv[0], argv.slice(1), {stdio: 'inherit'})
  await started(child, argv)
  return new Promise((resolve) => {
    child.once('close', (status, signal) => {
      resolve(status ?? 128 + (signal === 'SIGINT' ? 2 : 15))
    })
  })
}

function started(child: ReturnType<typeof spawn>, argv: Argv): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => {
      reject(new ToolError(argv, {kind: 'missing'}, {cause}))
    })
  })
}

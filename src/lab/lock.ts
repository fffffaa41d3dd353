import {readFile, rm, writeFile} from 'node:fs/promises'

import {ConflictError} from '../errors.js'
import {identify, isAlive, type ProcessId} from '../os/proc.js'

const lockFile = '/run/colo-lab.lock'

/**
 * Runs `body` while no other `colo lab` changes the lab. A lock whose owner is dead is taken over.
 *
 * @throws {ConflictError} when a live process holds it
 */
export async function withLabLock<R>(purpose: string, body: () => Promise<R>): Promise<R> {
  await take(purpose)
  try {
    return await body()
  } finally {
    await rm(lockFile, {force: true})
  }
}

async function take(purpose: string): Promise<void> {
  const own = {...(await identify(process.pid)), purpose}
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(lockFile, JSON.stringify(own), {flag: 'wx', mode: 0o600})
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    await refuseLiveOwner()
    await rm(lockFile, {force: true})
  }
}

async function refuseLiveOwner(): Promise<void> {
  const owner = JSON.parse((await readFile(lockFile, 'utf8').catch(() => '')) || '{}') as Partial<ProcessId> & {
    purpose?: string
  }
  if (owner.pid === undefined || owner.startTicks === undefined) return
  if (!(await isAlive({pid: owner.pid, startTicks: owner.startTicks}))) return
  throw new ConflictError(`the lab is busy: process ${owner.pid} is doing "${owner.purpose ?? 'something'}"`, {
    hint: 'wait for it to end, or end it; an interrupted up is completed or undone by the next up or down',
  })
}

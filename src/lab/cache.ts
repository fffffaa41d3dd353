import {existsSync} from 'node:fs'
import {mkdir, readdir, readlink, rename, rm, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {identify} from '../os/proc.js'

/** An unfinished entry of somebody we cannot see (another PID namespace) is rubbish after this time. */
const strangerMs = 6 * 3600 * 1000

/**
 * A directory of the cache, built once. It appears under its name only when it is complete; whatever an interrupted build left is removed by
 * the next. Two builds at once do not meet: the first to end wins.
 *
 * @param build  fills the directory it is given
 * @returns the directory
 */
export async function cacheEntry(
  cache: string,
  name: string,
  build: (directory: string) => Promise<void>,
): Promise<string> {
  const directory = join(cache, name)
  if (existsSync(directory)) return directory
  await mkdir(cache, {recursive: true})
  await removeUnfinished(cache)
  const building = join(cache, `${name}.building-${await pidNamespace()}-${process.pid}`)
  try {
    await mkdir(building)
    await build(building)
    await rename(building, directory)
  } catch (error) {
    await rm(building, {recursive: true, force: true})
    if (!existsSync(directory)) throw error
  }
  return directory
}

/** Removes unfinished entries whose builder is dead, or that are old. */
export async function removeUnfinished(cache: string): Promise<void> {
  const here = await pidNamespace()
  for (const name of await readdir(cache)) {
    const [, namespace, pid] = /\.building-(\d+)-(\d+)$/.exec(name) ?? []
    if (namespace === undefined) continue
    const path = join(cache, name)
    const dead =
      namespace === here
        ? (await identify(Number(pid))) === undefined
        : Date.now() - (await stat(path)).mtimeMs > strangerMs
    if (dead) await rm(path, {recursive: true, force: true})
  }
}

/** Number of our PID namespace: process numbers of another one mean nothing here. */
async function pidNamespace(): Promise<string> {
  return (await readlink('/proc/self/ns/pid')).replace(/\D/g, '')
}

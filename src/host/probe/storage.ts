import {stat, statfs} from 'node:fs/promises'
import {dirname} from 'node:path'
import type {DirectoryFacts} from '../facts.js'
import {fileSystemOf, isMemoryBacked} from './proc.js'

/**
 * Space and kind of a directory; where it does not exist, those of the nearest one above that does.
 *
 * @param mounts text of /proc/mounts
 */
export async function probeDirectory(path: string, mounts: string): Promise<DirectoryFacts> {
  let at = path
  for (;;) {
    const space = await spaceOf(at)
    if (space !== undefined) {
      return {
        path,
        exists: at === path,
        memoryBacked: isMemoryBacked(fileSystemOf(mounts, at)),
        availableBytes: space,
      }
    }
    if (at === dirname(at)) return {path, exists: false, memoryBacked: false, availableBytes: 0}
    at = dirname(at)
  }
}

/** What a path is: nothing, a directory, or something with content. */
export async function kindOf(path: string): Promise<'absent' | 'directory' | 'file'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file'
  } catch (error) {
    if (isAbsent(error)) return 'absent'
    throw error
  }
}

async function spaceOf(path: string): Promise<number | undefined> {
  try {
    if ((await kindOf(path)) !== 'directory') return undefined
    const {bavail, bsize} = await statfs(path)
    return bavail * bsize
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  const {code} = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

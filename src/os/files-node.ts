import {randomBytes} from 'node:crypto'
import {constants} from 'node:fs'
import fs from 'node:fs/promises'
import {dirname} from 'node:path'
import type {Files} from './files.js'

/** A place of a file that can be neither read nor written; Node has no name for it. @see open(2) */
const O_PATH = 0o10000000

/** The real {@link Files}. Errors are Node's own, with `code` and `path`. */
export const nodeFiles: Files = {
  async readText(path) {
    try {
      return await fs.readFile(path, 'utf8')
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  async writeAtomic(path, content, mode) {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      const file = await fs.open(temporary, 'wx', mode)
      try {
        await file.writeFile(content)
        await file.chmod(mode) // the umask took bits away
        await file.sync()
      } finally {
        await file.close()
      }
      await fs.rename(temporary, path)
    } catch (error) {
      await fs.rm(temporary, {force: true})
      throw error
    }
    await syncDirectory(dirname(path))
  },

  async append(path, text, {mode, sync}) {
    const file = await fs.open(path, 'a', mode)
    try {
      const isNew = sync && (await file.stat()).size === 0
      await file.writeFile(text)
      if (sync) await file.datasync()
      if (isNew) await syncDirectory(dirname(path))
    } finally {
      await file.close()
    }
  },

  async makeDirectory(path, mode) {
    const first = await fs.mkdir(path, {recursive: true, mode})
    if (first === undefined) return
    await fs.chmod(path, mode)
    await syncDirectory(dirname(first))
  },

  async list(path) {
    try {
      return await fs.readdir(path)
    } catch (error) {
      if (isAbsent(error)) return []
      throw error
    }
  },

  async remove(path) {
    try {
      await fs.unlink(path)
      await syncDirectory(dirname(path))
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  },

  async removeDirectory(path) {
    await fs.rm(path, {recursive: true, force: true})
  },

  async availableBytes(path) {
    try {
      const {bavail, bsize} = await fs.statfs(path)
      return bavail * bsize
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  async stat(path) {
    try {
      const found = await fs.stat(path, {bigint: true})
      return {
        inode: String(found.ino),
        device: String(found.dev),
        sizeBytes: Number(found.size),
        uid: Number(found.uid),
        gid: Number(found.gid),
        mode: Number(found.mode & 0o7777n),
        modifiedNs: String(found.mtimeNs),
      }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  async changeOwner(path, {uid, gid, mode}) {
    // the very file, not what its name means a moment later: QEMU may write to some of the directories
    const file = await fs.open(path, O_PATH | constants.O_NOFOLLOW)
    try {
      if ((await file.stat()).isSymbolicLink()) throw new Error(`${path}: is a symbolic link`)
      const itself = `/proc/self/fd/${file.fd}`
      await fs.chown(itself, uid, gid)
      if (mode !== undefined) await fs.chmod(itself, mode)
    } finally {
      await file.close()
    }
  },

  async writeText(path, text) {
    // no O_CREAT: a file missing below /sys is an error, not a new file
    const file = await fs.open(path, 'r+')
    try {
      await file.writeFile(text)
    } finally {
      await file.close()
    }
  },
}

/** Makes a rename or a new entry survive a crash of the host. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function isAbsent(error: unknown): boolean {
  const {code} = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH' // the last: below /proc, a process that just ended
}

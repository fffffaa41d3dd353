import {mkdir, realpath, stat} from 'node:fs/promises'
import {dirname} from 'node:path'
import {UsageError} from '../errors.js'
import {nodeFiles} from '../os/files-node.js'

/**
 * Writes an inventory atomically; the mode of an existing file and a link to it are kept.
 *
 * @throws {UsageError} when it cannot be written
 */
export async function writeInventory(path: string, text: string): Promise<void> {
  try {
    const target = await realpath(path).catch(() => path)
    const mode = await stat(target).then(
      (file) => file.mode & 0o777,
      () => 0o644,
    )
    await mkdir(dirname(target), {recursive: true, mode: 0o755})
    await nodeFiles.writeAtomic(target, text, mode)
  } catch (cause) {
    const {code} = cause as NodeJS.ErrnoException
    const hint = code === 'EACCES' || code === 'EPERM' ? 'run as root, or name another file with --hosts' : undefined
    throw new UsageError(`cannot write ${path}: ${(cause as Error).message}`, {cause, hint})
  }
}

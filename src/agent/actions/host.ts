import {NotFoundError} from '../../errors.js'
import type {ActionContext, ActionOutcome} from '../action-context.js'
import type {ActionOf, Perform} from './common.js'
import {qemuOwner} from './qemu-owner.js'

/** See the action `directory`. */
export const makeDirectory: Perform<ActionOf<'directory'>> = async ({path, mode, owner}, context) => {
  const before = await context.files.stat(path)
  await context.files.makeDirectory(path, mode)
  if (owner === 'qemu') return giveToQemu(context, path, mode)
  if (before === undefined) return 'changed'
  const passable = before.mode | (mode & 0o111)
  if (passable === before.mode) return 'unchanged'
  await context.files.changeOwner(path, {uid: before.uid, gid: before.gid, mode: passable})
  return 'changed'
}

/** See the action `image-own`. */
export const ownImage: Perform<ActionOf<'image-own'>> = async ({path}, context) => {
  if ((await context.files.stat(path)) === undefined) throw new NotFoundError(`image ${path}: does not exist`)
  return giveToQemu(context, path, 0o600)
}

export const removeFile: Perform<ActionOf<'file-remove'>> = async ({path}, {files}) => {
  if ((await files.stat(path)) === undefined) return 'unchanged'
  await files.remove(path)
  return 'changed'
}

export const removeDirectory: Perform<ActionOf<'directory-remove'>> = async ({path}, {files}) => {
  if ((await files.stat(path)) === undefined) return 'unchanged'
  await files.removeDirectory(path)
  return 'changed'
}

/** Makes a file or directory QEMU's own. */
export async function giveToQemu(context: ActionContext, path: string, mode: number): Promise<ActionOutcome> {
  const owner = {...(await qemuOwner(context)), mode}
  const found = await context.files.stat(path)
  if (found?.uid === owner.uid && found.gid === owner.gid && found.mode === mode) return 'unchanged'
  await context.files.changeOwner(path, owner)
  return 'changed'
}

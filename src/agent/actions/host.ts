import type {ActionContext} from '../action-context.js'
import type {ActionOf, Perform} from './common.js'
import {qemuOwner} from './qemu-owner.js'

/** Creates a directory; one that exists keeps its mode and gets its owner. */
export const makeDirectory: Perform<ActionOf<'directory'>> = async ({path, mode, owner}, context) => {
  const before = await context.files.stat(path)
  await context.files.makeDirectory(path, mode)
  if (owner === 'qemu') await giveToQemu(context, path)
  return before === undefined ? 'changed' : 'unchanged'
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
export async function giveToQemu(context: ActionContext, path: string): Promise<void> {
  const {uid, gid} = await qemuOwner(context)
  await context.files.changeOwner(path, uid, gid)
}

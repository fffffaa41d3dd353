import {isDeepStrictEqual} from 'node:util'
import {ConflictError, NotFoundError, RefusedError} from '../../errors.js'
import type {ImageIdentity, PairRecord} from '../../pair/record.js'
import {faultText} from '../../pair/start-rules.js'
import type {ActionContext} from '../action-context.js'
import {faultsOfCopy, writtenImage} from '../files-of-copy.js'
import type {ActionOf, Perform} from './common.js'

/** See the action `record-create`. */
export const createRecord: Perform<ActionOf<'record-create'>> = async ({record}, context) => {
  const found = await context.record.read()
  if (found !== undefined && found.uuid !== record.uuid) {
    throw new ConflictError(`${context.pair}: this host has a record of another pair of that name (uuid ${found.uuid})`)
  }
  if (found !== undefined && isDeepStrictEqual({...found, updatedAtMs: 0}, {...record, updatedAtMs: 0}))
    return 'unchanged'
  await context.record.create(record)
  return 'changed'
}

/** See the action `record-change`. */
export const changeRecord: Perform<ActionOf<'record-change'>> = async ({change}, context) => {
  const found = await recordOf(context)
  if (isDeepStrictEqual({...found, ...change}, found)) return 'unchanged'
  await context.record.change(change)
  return 'changed'
}

/** See the action `record-images`. */
export const recordImages: Perform<ActionOf<'record-images'>> = async (action, context) => {
  const images = (await imagesNow(context, action.images)).map(({modifiedNs: _, ...image}) => image)
  if (isDeepStrictEqual((await recordOf(context)).images, images)) return 'unchanged'
  await context.record.change({images})
  return 'changed'
}

/** See the action `images-verify`. */
export const verifyImages: Perform<ActionOf<'images-verify'>> = async ({accepted}, context) => {
  const record = await recordOf(context)
  const fault = (await faultsOfCopy(record, context.files)).find(({kind}) => !accepted.includes(kind))
  if (fault === undefined) return 'unchanged'
  throw new RefusedError(`${context.pair} must not start: ${faultText(record.host, fault)}`, {
    hint: `nothing was changed; see what may be done: colo pair start ${context.pair} --dry-run`,
  })
}

/** See the action `images-at-rest`. */
export const verifyRest: Perform<ActionOf<'images-at-rest'>> = async (_, context) => {
  const record = await recordOf(context)
  const written = await writtenImage(record, context.files)
  if (record.clean && written === undefined) return 'unchanged'
  const why = record.clean ? `${written ?? ''} was written to since it was stopped` : 'it was not stopped cleanly'
  throw new RefusedError(`the copy of ${context.pair} on ${record.host} is not known to be equal: ${why}`, {
    hint: `nothing was changed; start one copy and let the other be copied: colo pair start ${context.pair}`,
  })
}

/**
 * The image files as they are now, with the time of their last change: it tells a copy at rest from one that was written to.
 *
 * @throws {NotFoundError} when one does not exist
 */
export async function imagesNow(
  {files}: Pick<ActionContext, 'files'>,
  images: ReadonlyArray<{readonly disk: string; readonly path: string}>,
): Promise<ImageIdentity[]> {
  return Promise.all(
    images.map(async ({disk, path}) => {
      const found = await files.stat(path)
      if (found === undefined) throw new NotFoundError(`image ${path} of disk ${disk}: does not exist`)
      const {inode, device, sizeBytes, modifiedNs} = found
      return {disk, path, inode, device, sizeBytes, modifiedNs}
    }),
  )
}

/** See the action `record-remove`. */
export const removeRecord: Perform<ActionOf<'record-remove'>> = async ({uuid}, context) => {
  const found = await context.record.read()
  if (found === undefined) return 'unchanged'
  if (uuid !== undefined && found.uuid !== uuid)
    throw new ConflictError(
      `${context.pair}: the record is of another pair of that name (uuid ${found.uuid}); it stays`,
    )
  await context.record.remove()
  return 'changed'
}

/** See the action `protection-begin`. */
export const beginProtection: Perform<ActionOf<'protection-begin'>> = async (_, context) => {
  await context.vm.beginProtection()
  return 'changed'
}

/** See the action `commit-follow`. */
export const followCommit: Perform<ActionOf<'commit-follow'>> = async (_, context) => {
  await context.vm.followCommit()
  return 'changed'
}

async function recordOf(context: ActionContext): Promise<PairRecord> {
  const found = await context.record.read()
  if (found !== undefined) return found
  throw new NotFoundError(`${context.pair}: this host has no record of it`)
}

import {createArgv, infoArgv, mergeArgvs, parseInfo, type ImageInfo} from '../../block/qemu-img.js'
import {ConflictError, NotFoundError, StateError, ToolError} from '../../errors.js'
import type {ActionContext, ActionOutcome} from '../action-context.js'
import type {ActionOf, Perform} from './common.js'
import {giveToQemu} from './host.js'

const CREATE_MS = 60_000
/** as much data as the guest wrote since the last checkpoint, at the speed of a disk */
const MERGE_MS = 3600_000

/** See the action `image-create`; the file is QEMU's own, mode 0600 from the first moment. */
export const createImage: Perform<ActionOf<'image-create'>> = async (action, context) =>
  action.existing === 'keep' ? createMissing(action, context) : createFresh(action, context)

async function createMissing(action: ActionOf<'image-create'>, context: ActionContext): Promise<ActionOutcome> {
  const {path, format, sizeBytes} = action
  const found = await context.files.stat(path)
  if (found === undefined || found.sizeBytes === 0) return create(action, context) // an empty file holds nothing
  const info = await infoOf(context, path)
  if (info.format === format && info.virtualSizeBytes === sizeBytes) return giveToQemu(context, path, 0o600)
  throw new ConflictError(
    `image ${path}: exists as ${info.format} of ${info.virtualSizeBytes} bytes, wanted is ${format} of ${sizeBytes} bytes`,
    {hint: 'give the disk another image or size, or move that file away'},
  )
}

/** Overlays: what is in an old one is worth nothing, but one that a running QEMU has open is in use and stays. */
async function createFresh(action: ActionOf<'image-create'>, context: ActionContext): Promise<ActionOutcome> {
  const {path} = action
  if (!/\.(active|hidden)\.[a-z0-9]+$/.test(path) || isImage(context, path)) {
    throw new ConflictError(`${path}: is not an overlay of ${context.pair}, so it is not replaced`)
  }
  if ((await context.files.stat(path)) !== undefined) {
    if (await isOpen(context, path)) return 'unchanged'
    await context.files.remove(path)
  }
  return create(action, context)
}

async function create(action: ActionOf<'image-create'>, context: ActionContext): Promise<ActionOutcome> {
  await context.files.writeAtomic(action.path, '', 0o600) // qemu-img keeps mode and owner of a file that exists
  await giveToQemu(context, action.path, 0o600)
  // a moment's work: not cut off with the command, which would leave half of an image
  await context.run(createArgv(action), {timeoutMs: CREATE_MS})
  return 'changed'
}

function isImage({layout}: ActionContext, path: string): boolean {
  return layout.disks.some(({spec: {image}}) =>
    'same' in image ? image.same === path : Object.values(image.byHost).includes(path),
  )
}

async function infoOf({run}: ActionContext, path: string): Promise<ImageInfo> {
  return parseInfo((await run(infoArgv(path, 'shared'))).stdout)
}

/** QEMU holds a lock on what it has open; without one, or with a file that is no image, nobody uses it. */
async function isOpen({run}: ActionContext, path: string): Promise<boolean> {
  const succeeds = async (how: 'shared' | 'exclusive'): Promise<boolean> => {
    try {
      await run(infoArgv(path, how))
      return true
    } catch (error) {
      if (error instanceof ToolError && error.failure.kind === 'exit') return false
      throw error
    }
  }
  return !(await succeeds('exclusive')) && (await succeeds('shared'))
}

/** See the action `overlays-merge`. Running it again writes the same data again, so it always says `changed`. */
export const mergeOverlays: Perform<ActionOf<'overlays-merge'>> = async (chain, context) => {
  for (const path of [chain.active, chain.hidden]) await assertOverlay(context, path)
  const disk = await infoOf(context, chain.disk)
  for (const path of [chain.active, chain.hidden]) {
    const overlay = await infoOf(context, path)
    if (overlay.format === 'qcow2' && overlay.virtualSizeBytes === disk.virtualSizeBytes) continue
    throw new StateError(
      `overlay ${path}: ${overlay.format} of ${overlay.virtualSizeBytes} bytes does not belong to ${chain.disk} of ${disk.virtualSizeBytes} bytes`,
      {actual: overlay.format, required: ['qcow2']},
    )
  }
  for (const [index, argv] of mergeArgvs(chain).entries()) {
    context.report(index === 0 ? `merging ${chain.active}` : `merging ${chain.hidden}`)
    await context.run(argv, {timeoutMs: MERGE_MS, signal: context.signal})
  }
  return 'changed'
}

async function assertOverlay({files, pair}: ActionContext, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return
  throw new NotFoundError(
    `overlay ${path}: is gone, and with it what the guest of ${pair} wrote before the commit ended`,
    {
      hint: 'scratch does not survive a restart of the host; to start from the disk alone and lose those writes: --force overlays-lost',
    },
  )
}

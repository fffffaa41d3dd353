import {DecodeError, UsageError} from '../errors.js'
import {checkPath} from '../net/check.js'
import type {Argv} from '../os/process.js'
import {field, integer, maybe, record, text} from '../qmp/decode.js'

export type ImageFormat = 'qcow2' | 'raw'

/** @throws {UsageError} for a path that is not absolute, or a size that is not whole sectors */
export function createArgv(image: {
  readonly path: string
  readonly format: ImageFormat
  readonly sizeBytes: number
}): Argv {
  const {path, format, sizeBytes} = image
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0) {
    throw new UsageError(`image ${path}: ${sizeBytes} is not a size in whole sectors of 512 bytes`)
  }
  return ['qemu-img', 'create', '-q', '-f', format, checkPath('image', path), String(sizeBytes)]
}

/** @param how `shared`: also while a QEMU has it open; `exclusive`: fails then */
export function infoArgv(path: string, how: 'shared' | 'exclusive'): Argv {
  const force = how === 'shared' ? ['--force-share'] : []
  return ['qemu-img', 'info', '--output=json', ...force, checkPath('image', path)]
}

/** What `qemu-img info` says. The format is guessed from the content. */
export interface ImageInfo {
  readonly format: string
  readonly virtualSizeBytes: number
  readonly backingFile: string | undefined
}

const imageInfo = record<ImageInfo>({
  format: field('format', text),
  virtualSizeBytes: field('virtual-size', integer),
  backingFile: maybe('backing-filename', text),
})

/** @throws {DecodeError} for anything else than the JSON of one image */
export function parseInfo(stdout: string): ImageInfo {
  const at = {source: 'qemu-img info', path: 'output'}
  let value: unknown
  try {
    value = JSON.parse(stdout)
  } catch (error) {
    throw new DecodeError({...at, expected: 'JSON'}, {cause: error})
  }
  return imageInfo(value, at)
}

/** The chain of one disk after a promotion: active over hidden over disk. The overlays' headers name no backing file. */
export interface OverlayChain {
  readonly active: string
  readonly hidden: string
  readonly disk: string
  /** of `disk`; overlays are always qcow2 */
  readonly format: ImageFormat
}

/**
 * Merges the chain into the disk, as two commits: active into hidden, hidden into disk. The overlays are left as they are (`-d`), so a
 * merge that was cut off is simply run again.
 *
 * The chain is given whole, for nothing in the files tells it. Committing over two levels at once (`-b`) would need the base to be
 * found by its name in the chain; two steps need no name.
 *
 * @throws {UsageError} for paths that are not absolute
 * @see qemu/qemu docs/tools/qemu-img.rst, commit; proven by test/contract/actions/merge.test.ts
 */
export function mergeArgvs(chain: OverlayChain): readonly Argv[] {
  const disk = {driver: chain.format, file: fileNode(chain.disk)}
  const hidden = {driver: 'qcow2', file: fileNode(chain.hidden), backing: disk}
  const active = {driver: 'qcow2', file: fileNode(chain.active), backing: hidden}
  return [active, hidden].map((top): Argv => ['qemu-img', 'commit', '-q', '-d', `json:${JSON.stringify(top)}`])
}

function fileNode(path: string): {readonly driver: 'file'; readonly filename: string} {
  return {driver: 'file', filename: checkPath('image', path)}
}

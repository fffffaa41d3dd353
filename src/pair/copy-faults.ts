import {imagePath, layoutOfPair, overlaysOf} from './identity.js'
import type {ImageIdentity, PairRecord} from './record.js'

/** Why the files of a copy that does not run are not those its record is about. */
export interface CopyFault {
  /**
   * `image-missing`, `image-replaced` (another file, or one that lost data), `image-unrecorded` (nothing is known to compare it with),
   * `overlays-lost` (what the guest wrote before its commit ended is gone)
   */
  readonly kind: 'image-missing' | 'image-replaced' | 'image-unrecorded' | 'overlays-lost'
  readonly disk: string
  readonly path: string
  /** what differs, as the end of a sentence about the path */
  readonly detail: string
}

/** What a file is now; undefined: there is none. */
export type FileNow = Omit<ImageIdentity, 'disk' | 'path'> | undefined

/** Files that {@link copyFaults} needs to know of. */
export function filesOfCopy(record: PairRecord): string[] {
  return [...imagesOf(record).map(({path}) => path), ...unmergedOf(record).map(({path}) => path)]
}

/**
 * Compares the files of a copy with its record (S4: a missing or unmatched one is never current).
 *
 * The device's number alone proves nothing, because it may be another one after each boot; what is not the recorded file has another
 * inode. A raw image keeps its size; one in qcow2 grows and never shrinks. After a clean stop nothing writes to it.
 *
 * @param now  each of {@link filesOfCopy}, as it is
 */
export function copyFaults(record: PairRecord, now: ReadonlyMap<string, FileNow>): CopyFault[] {
  const images = imagesOf(record).flatMap(({disk, path, format}): CopyFault[] => {
    const fault = (kind: CopyFault['kind'], detail: string): CopyFault[] => [{kind, disk, path, detail}]
    const found = now.get(path)
    if (found === undefined) return fault('image-missing', 'does not exist')
    const known = record.images.find((image) => image.disk === disk)
    if (known === undefined) return fault('image-unrecorded', 'was never noted in the record')
    if (known.path !== path) return fault('image-replaced', `is not the recorded file ${known.path}`)
    if (known.inode !== found.inode)
      return fault('image-replaced', `is another file (inode ${found.inode}, recorded ${known.inode})`)
    const {modifiedNs} = known
    if (record.clean && modifiedNs !== undefined && found.modifiedNs !== undefined && modifiedNs !== found.modifiedNs) {
      return fault('image-replaced', 'was written to since the clean stop')
    }
    const lost = format === 'raw' ? found.sizeBytes !== known.sizeBytes : found.sizeBytes < known.sizeBytes
    if (!lost) return []
    return fault('image-replaced', `has ${found.sizeBytes} bytes, recorded were ${known.sizeBytes}`)
  })
  const overlays = unmergedOf(record).flatMap(({disk, path}): CopyFault[] =>
    now.get(path) === undefined
      ? [{kind: 'overlays-lost', disk, path, detail: 'is gone, and with it what the guest wrote before it was merged'}]
      : [],
  )
  return [...images, ...overlays]
}

/**
 * The first image that was written to since the copy was stopped cleanly, or is not the file of then; undefined: the copy is at rest, and two
 * copies that were equal are equal still.
 */
export function writtenSinceStop(record: PairRecord, now: ReadonlyMap<string, FileNow>): string | undefined {
  return imagesOf(record).find(({disk, path}) => {
    const known = record.images.find((image) => image.disk === disk)
    const found = now.get(path)
    if (known?.modifiedNs === undefined || found === undefined || known.path !== path) return true
    return known.inode !== found.inode || known.sizeBytes !== found.sizeBytes || known.modifiedNs !== found.modifiedNs
  })?.path
}

function imagesOf(record: PairRecord) {
  return layoutOfPair(record).disks.map((disk) => ({
    disk: disk.spec.name,
    path: imagePath(disk, record.host),
    format: disk.spec.format,
  }))
}

/** Overlays that hold acknowledged writes: of disks whose commit has not ended. */
function unmergedOf(record: PairRecord): Array<{disk: string; path: string}> {
  const {incomplete} = record.marks
  if (incomplete?.why !== 'commit') return []
  return layoutOfPair(record)
    .disks.filter(({spec}) => incomplete.disks?.includes(spec.name) !== false)
    .flatMap((disk) => {
      const {active, hidden} = overlaysOf(record, disk, record.host)
      return [active, hidden].map((path) => ({disk: disk.spec.name, path}))
    })
}

import {formatBytes} from '../../ui/bytes.js'
import type {PairRecord} from '../../pair/record.js'
import {onHost, type DiskSpec, type PairSpec} from '../../pair/spec.js'
import {fail, failUnlessForced, pass, warn, type About, type Check} from '../check.js'
import type {HostFacts, ImageFacts} from '../facts.js'
import {filesOf} from './resources.js'

/**
 * The primary's images hold the guest: each exists, is exactly what the spec says, and belongs to nobody else.
 *
 * @param runs the domain that becomes the pair still runs and is shut down before they are used
 */
export function checkPrimaryImages(
  spec: PairSpec,
  facts: HostFacts,
  {records, runs}: {readonly records: readonly PairRecord[]; readonly runs: boolean},
): Check[] {
  return spec.disks.flatMap((disk) => {
    const about = {id: 'image', host: facts.host}
    const image = imageOf(disk, facts)
    if (image === undefined) return [unknownImage(about, disk, facts)]
    if (!image.exists) {
      const remedy = `copy it there, or make an empty one: \`colo disk prepare -f FILE\` (qemu-img create -f ${disk.format} ${image.path} ${disk.sizeBytes})`
      return [fail(about, `disk ${disk.name}: ${image.path} does not exist`, remedy)]
    }
    const seen = runs ? {...image, inUse: false} : image
    const wrong = [...mismatches(about, disk, image), ...useOf(about, {spec, disk, image: seen, records})]
    return wrong.length > 0
      ? wrong
      : [pass(about, `disk ${disk.name}: ${image.path}, ${disk.format}, ${formatBytes(disk.sizeBytes)}`)]
  })
}

/**
 * The secondary's images are made by colo and overwritten by the mirror.
 *
 * @param reuse the user said that existing ones may be overwritten
 */
export function checkSecondaryImages(
  spec: PairSpec,
  facts: HostFacts,
  options: {readonly records: readonly PairRecord[]; readonly reuse: boolean},
): Check[] {
  return spec.disks.flatMap((disk) => {
    const about = {id: 'image-secondary', host: facts.host}
    const image = imageOf(disk, facts)
    if (image === undefined) return [unknownImage(about, disk, facts)]
    // an empty file is what an interrupted create leaves; nothing is in it
    if (!image.exists || image.virtualSizeBytes === 0) return roomFor(about, disk, image)
    const wrong = [...mismatches(about, disk, image), ...useOf(about, {spec, disk, image, records: options.records})]
    if (wrong.length > 0) return wrong
    const message = `disk ${disk.name}: ${image.path} exists and would be overwritten`
    if (options.reuse) return [warn(about, message)]
    return [
      failUnlessForced(about, message, `move it away, or say \`--force image-secondary\` when it may be overwritten`),
    ]
  })
}

/** Files of a direct kernel boot, firmware and directories that an imported definition names. */
export function checkKernelFiles(spec: PairSpec, facts: HostFacts): Check[] {
  return filesOf(spec).map((path) => {
    const about = {id: 'kernel-files', host: facts.host}
    const file = facts.images.find((image) => image.path === path)
    if (file?.exists === true) return pass(about, `${path} is there`)
    return fail(about, `${path} does not exist`, `copy it to ${facts.host}: both copies must have the same`)
  })
}

function imageOf(disk: DiskSpec, facts: HostFacts): ImageFacts | undefined {
  const path = onHost(disk.image, facts.host)
  return path === undefined ? undefined : facts.images.find((image) => image.path === path)
}

function unknownImage(about: About, disk: DiskSpec, {host}: HostFacts): Check {
  if (onHost(disk.image, host) === undefined)
    return fail(about, `disk ${disk.name} has no image there`, `name one for ${host} in disks[].image`)
  return fail(about, `disk ${disk.name}: the agent told nothing of its image`, 'restart the agent, then try again')
}

function mismatches(about: About, disk: DiskSpec, image: ImageFacts): Check[] {
  const at = `disk ${disk.name}: ${image.path}`
  if (image.problem !== undefined)
    return [fail(about, `${at}: ${image.problem}`, `see \`qemu-img info ${image.path}\``)]
  const checks: Check[] = []
  if (image.format !== disk.format) {
    const remedy = `correct disks[].format, or convert it with \`qemu-img convert -O ${disk.format}\``
    checks.push(fail(about, `${at} is ${image.format ?? 'of unknown format'}, not ${disk.format}`, remedy))
  }
  if (image.virtualSizeBytes !== disk.sizeBytes) {
    const message = `${at} has a virtual size of ${image.virtualSizeBytes ?? '?'} bytes, disks[].size says ${disk.sizeBytes}`
    checks.push(fail(about, message, 'correct disks[].size, or use `qemu-img resize` while nothing uses it'))
  }
  if (image.backing !== undefined) {
    const remedy = 'flatten it with `qemu-img convert`: a backing chain is not replicated'
    checks.push(fail(about, `${at} has the backing file ${image.backing}`, remedy))
  }
  if ((image.snapshots ?? 0) > 0) {
    const message = `${at} has ${image.snapshots ?? 0} internal snapshots, which are not replicated`
    checks.push(failUnlessForced(about, message, 'delete them with `qemu-img snapshot -d`'))
  }
  return checks
}

function useOf(
  about: About,
  of: {
    readonly spec: PairSpec
    readonly disk: DiskSpec
    readonly image: ImageFacts
    readonly records: readonly PairRecord[]
  },
): Check[] {
  const {spec, disk, image, records} = of
  const other = records.find(
    (record) =>
      record.host === about.host &&
      record.spec.name !== spec.name &&
      record.spec.disks.some((used) => onHost(used.image, record.host) === image.path),
  )
  if (other !== undefined) {
    return [
      fail(
        about,
        `disk ${disk.name}: ${image.path} belongs to pair ${other.spec.name}`,
        'give each pair its own image',
      ),
    ]
  }
  if (image.inUse !== true) return []
  return [
    fail(
      about,
      `disk ${disk.name}: ${image.path} is in use by another process`,
      'end what uses it: see `virsh list` and `lsof`',
    ),
  ]
}

function roomFor(about: About, disk: DiskSpec, image: ImageFacts): Check[] {
  const room = image.directory
  if (room !== undefined && !room.exists) {
    return [
      fail(
        about,
        `disk ${disk.name}: ${room.path} does not exist`,
        `make it (\`install -d ${room.path}\`), or give the disk another image`,
      ),
    ]
  }
  if (room !== undefined && room.availableBytes < disk.sizeBytes) {
    const message = `disk ${disk.name}: ${formatBytes(room.availableBytes)} free in ${room.path}, the image may grow to ${formatBytes(disk.sizeBytes)}`
    return [warn(about, message, `make room in ${room.path}`)]
  }
  return [pass(about, `disk ${disk.name}: ${image.path} will be made`)]
}

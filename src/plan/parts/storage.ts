import {addressOf, imagePath, overlaysOf, type PairIdentity} from '../../pair/identity.js'
import type {PairLayout} from '../../pair/layout.js'
import type {Action, MirrorSpec} from '../action.js'

/**
 * What a member's QEMU needs in the file system: a directory of its own for sockets, a way to the overlays in scratch, its images. Only
 * the first is writable for it: what it can put in the place of a file, an agent that is root must not touch.
 */
export function memberFiles(identity: PairIdentity, layout: PairLayout, host: string): Action[] {
  const scratch = new Set(layout.disks.map((disk) => parentOf(overlaysOf(identity, disk, host).active)))
  return [
    {kind: 'directory', path: layout.runDir, mode: 0o700, owner: 'qemu'},
    ...[...scratch].map((path): Action => ({kind: 'directory', path, mode: 0o711, owner: 'root'})),
    ...ownImages(layout, host),
  ]
}

export function ownImages(layout: PairLayout, host: string): Action[] {
  return layout.disks.map((disk) => ({kind: 'image-own', path: imagePath(disk, host)}))
}

/** Empty overlays of exactly the disk's virtual size; QEMU empties them at every checkpoint. */
export function freshOverlays(identity: PairIdentity, layout: PairLayout, host: string): Action[] {
  return layout.disks.flatMap((disk) => {
    const {active, hidden} = overlaysOf(identity, disk, host)
    return [active, hidden].map((path): Action => ({
      kind: 'image-create',
      path,
      format: 'qcow2',
      sizeBytes: disk.spec.sizeBytes,
      existing: 'replace',
    }))
  })
}

export function noOverlays(identity: PairIdentity, layout: PairLayout, host: string): Action[] {
  return layout.disks.flatMap((disk) => {
    const {active, hidden} = overlaysOf(identity, disk, host)
    return [active, hidden].map((path): Action => ({kind: 'file-remove', path}))
  })
}

/** The image of each disk where it is missing; one of the right format and size is kept. */
export function images(layout: PairLayout, host: string): Action[] {
  return layout.disks.map((disk) => ({
    kind: 'image-create',
    path: imagePath(disk, host),
    format: disk.spec.format,
    sizeBytes: disk.spec.sizeBytes,
    existing: 'keep',
  }))
}

export function recordImages(layout: PairLayout, host: string): Action {
  return {kind: 'record-images', images: imagesOf(layout, host)}
}

/** Each disk's name, and where its image lies on a host. */
export function imagesOf(layout: PairLayout, host: string): Array<{disk: string; path: string}> {
  return layout.disks.map((disk) => ({disk: disk.spec.name, path: imagePath(disk, host)}))
}

/** Secondary: every disk exported on the replication address, one connection each. */
export function exports(identity: PairIdentity, layout: PairLayout, host: string): Action[] {
  return [
    {
      kind: 'nbd-server',
      ensure: 'present',
      address: addressOf(identity, host),
      port: identity.ports.nbd,
      maxConnections: layout.disks.length,
    },
    ...layout.disks.map((disk): Action => ({kind: 'export', id: disk.exportId, node: disk.parent, name: disk.parent})),
  ]
}

/** Primary: NBD clients of the secondary's exports, not yet part of the quorums. */
export function nbdNodes(identity: PairIdentity, layout: PairLayout, secondary: string): Action[] {
  return layout.disks.map((disk) => ({
    kind: 'nbd-node',
    ensure: 'present',
    node: disk.nbd,
    address: addressOf(identity, secondary),
    port: identity.ports.nbd,
    exportName: disk.parent,
  }))
}

export function noNbdNodes(layout: PairLayout): Action[] {
  return layout.disks.map((disk) => ({kind: 'nbd-node', ensure: 'absent', node: disk.nbd}))
}

export function noSecondChildren(layout: PairLayout): Action[] {
  return layout.disks.map((disk) => ({kind: 'quorum-child-remove', quorum: disk.quorum, child: disk.secondChild}))
}

export function mirrorsOf(layout: PairLayout): MirrorSpec[] {
  return layout.disks.map((disk) => ({job: disk.mirrorJob, quorum: disk.quorum, target: disk.nbd}))
}

/** Offline merge after a crash in the middle of a commit: active over hidden over disk. `names`: of the disks; all unless told. */
export function mergeOverlays(
  identity: PairIdentity,
  layout: PairLayout,
  {host, names}: {readonly host: string; readonly names: readonly string[] | undefined},
): Action[] {
  const disks = layout.disks.filter(({spec}) => names === undefined || names.includes(spec.name))
  return disks.map((disk) => ({
    kind: 'overlays-merge',
    ...overlaysOf(identity, disk, host),
    disk: imagePath(disk, host),
    format: disk.spec.format,
  }))
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

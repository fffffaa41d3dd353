import {layoutOf, overlayPaths, type DiskLayout, type PairLayout} from './layout.js'
import type {PairRecord, Role} from './record.js'
import {onHost} from './spec.js'

/** What both hosts' records of a pair have in common. */
export type PairIdentity = Pick<
  PairRecord,
  'uuid' | 'spec' | 'ports' | 'addresses' | 'beaconPorts' | 'beaconKey' | 'machine' | 'accel' | 'origin'
>

/** Domain XML of one member; bound to templates and QEMU version by the caller. */
export type MemberXml = (role: Role, host: string) => string

export function identityOf(record: PairRecord): PairIdentity {
  const {uuid, spec, ports, addresses, beaconPorts, beaconKey, machine, accel, origin} = record
  const known = {uuid, spec, ports, addresses, beaconPorts, beaconKey, machine, accel}
  return origin === undefined ? known : {...known, origin}
}

export function layoutOfPair(identity: PairIdentity): PairLayout {
  return layoutOf(identity.spec)
}

/** Replication address of a host of the pair. @throws when the record does not hold it, which is a bug */
export function addressOf(identity: PairIdentity, host: string): string {
  const address = identity.addresses[host]
  if (address === undefined) throw new Error(`no replication address of ${host} in the record of ${identity.spec.name}`)
  return address
}

/** Path of a disk's image on a host. The spec was checked when the pair was made. */
export function imagePath(disk: DiskLayout, host: string): string {
  const path = onHost(disk.spec.image, host)
  if (path === undefined) throw new Error(`disk ${disk.spec.name} has no image on ${host}`)
  return path
}

/** Overlays of a disk on a host; the record's spec names the scratch directory of each host. */
export function overlaysOf(identity: PairIdentity, disk: DiskLayout, host: string): {active: string; hidden: string} {
  const root = disk.spec.scratch === undefined ? undefined : onHost(disk.spec.scratch, host)
  if (root === undefined) throw new Error(`disk ${disk.spec.name} has no scratch directory on ${host}`)
  return overlayPaths(identity.spec, disk.spec, {host, scratchRoot: root})
}

/** Every TCP port of the pair that listens on a replication address. */
export function allPorts(identity: PairIdentity): number[] {
  const {migration, nbd, nics} = identity.ports
  return [migration, nbd, ...nics.flatMap((nic) => [nic.mirror, nic.compare])]
}

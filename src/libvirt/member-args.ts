import {overlayPaths, type DiskLayout, type NicLayout, type PairLayout} from '../pair/layout.js'
import type {PairRecord, Role} from '../pair/record.js'
import {onHost, type DiskDevice, type PairSpec} from '../pair/spec.js'
import {UsageError} from '../errors.js'
import {gateProperties} from '../net/objects.js'

/** What both the XML and QEMU's own arguments of one member are made of. */
export interface MemberInput {
  readonly spec: PairSpec
  readonly layout: PairLayout
  readonly record: Pick<PairRecord, 'uuid' | 'machine' | 'accel' | 'ports' | 'addresses'>
  readonly role: Role
  /** the host this member runs on */
  readonly host: string
  /** the host of the other member */
  readonly peer: string
  /** directory for overlays on this host, where the disk names none */
  readonly scratchRoot: string
  readonly capabilities: MemberCapabilities
}

export interface MemberCapabilities {
  /** `ms`: `reconnect-ms` (QEMU 9.2 and later); `seconds`: `reconnect`, removed in 10.2 */
  readonly reconnect: 'ms' | 'seconds'
}

/**
 * QEMU arguments of one member that libvirt has no elements for: what a panic does, the agent's QMP sockets, block graph and disks, and on the secondary the chardevs and filters of every NIC and `-incoming defer`.
 *
 * The primary is born COLO-ready and plain: a quorum with one child, no filters; the rest is added at run time.
 *
 * @throws {UsageError} when a per-host value or an address does not name the host
 * @see facts/qemu-colo.md sections 3.2, 3.4 and 4; qemu/qemu docs/system/qemu-colo.rst
 */
export function memberArgs(input: MemberInput): string[] {
  const {layout, role} = input
  return [
    // a guest that QEMU stops for its panic could not make a checkpoint any more: QEMU would abort
    ...['-action', 'panic=none'],
    ...[layout.agentSocket, layout.yankSocket].flatMap((path) => [
      '-qmp',
      `unix:${escapeOption(path)},server=on,wait=off`,
    ]),
    ...layout.disks.flatMap((disk, index) => [
      ...(role === 'primary' ? primaryNodes(input, disk) : secondaryNodes(input, disk)),
      ...json('-device', deviceOf(input, disk, index)),
    ]),
    ...(role === 'primary' ? [] : [...layout.nics.flatMap((nic) => secondaryNet(input, nic)), '-incoming', 'defer']),
  ]
}

/** file -> format -> quorum */
function primaryNodes(input: MemberInput, disk: DiskLayout): string[] {
  return [...parentNodes(input, disk), ...quorumOver(disk, disk.parent)]
}

/** The disk below hidden below active, under the replication filter, under the quorum. */
function secondaryNodes(input: MemberInput, disk: DiskLayout): string[] {
  const paths = overlayPaths(input.spec, disk.spec, {host: input.host, scratchRoot: input.scratchRoot})
  return [
    ...parentNodes(input, disk),
    ...json('-blockdev', fileNode(disk.hiddenFile, paths.hidden)),
    ...json('-blockdev', {driver: 'qcow2', 'node-name': disk.hidden, file: disk.hiddenFile, backing: disk.parent}),
    ...json('-blockdev', fileNode(disk.activeFile, paths.active)),
    ...json('-blockdev', {driver: 'qcow2', 'node-name': disk.active, file: disk.activeFile, backing: disk.hidden}),
    ...json('-blockdev', {
      driver: 'replication',
      'node-name': disk.replication,
      mode: 'secondary',
      'top-id': disk.quorum,
      file: disk.active,
    }),
    ...quorumOver(disk, disk.replication),
  ]
}

function parentNodes(input: MemberInput, disk: DiskLayout): string[] {
  const path = onHost(disk.spec.image, input.host)
  if (path === undefined) throw missing(`disk ${disk.spec.name}: image`, input.host)
  const {device = {}, format} = disk.spec
  const cache = {direct: isDirect(device), 'no-flush': false}
  const aio = device.io === undefined ? {} : {aio: device.io}
  const holes = {
    ...(device.discard === undefined ? {} : {discard: device.discard}),
    ...(device.detectZeroes === undefined ? {} : {'detect-zeroes': device.detectZeroes}),
  }
  return [
    ...json('-blockdev', {...fileNode(disk.parentFile, path), cache, ...aio, ...pick(holes, 'discard')}),
    ...json('-blockdev', {
      driver: format,
      'node-name': disk.parent,
      file: disk.parentFile,
      ...(cache.direct ? {cache} : {}),
      ...holes,
    }),
  ]
}

/** `none` and `directsync` go by the host's page cache. */
function isDirect({cache}: DiskDevice): boolean {
  return cache === 'none' || cache === 'directsync'
}

function pick<V extends object>(values: V, key: keyof V): Partial<V> {
  return values[key] === undefined ? {} : ({[key]: values[key]} as Partial<V>)
}

function fileNode(node: string, filename: string): object {
  return {
    driver: 'file',
    'node-name': node,
    filename,
    'auto-read-only': false,
    cache: {direct: false, 'no-flush': false},
  }
}

function quorumOver(disk: DiskLayout, childNode: string): string[] {
  return json('-blockdev', {
    driver: 'quorum',
    'node-name': disk.quorum,
    'read-pattern': 'fifo',
    'vote-threshold': 1,
    children: [childNode],
  })
}

/** QEMU cuts the serial number of a disk after 20 bytes. */
const serialLength = 20

function deviceOf(input: MemberInput, disk: DiskLayout, index: number): object {
  const {address} = disk
  const {device} = disk.spec
  const shared = {
    id: `${disk.quorum}-device`,
    drive: disk.quorum,
    ...(device === undefined
      ? {
          serial: disk.spec.name.slice(0, serialLength),
          'write-cache': 'on',
          ...(index === 0 && input.spec.vm.kernel === undefined && {bootindex: 1}),
        }
      : importedProperties(device)),
    // full scratch: a stop for lack of room would end in an abort of QEMU at the next checkpoint, and hold the primary's output
    ...(input.role === 'secondary' && {werror: 'report'}),
  }
  if ('slot' in address) {
    return {
      driver: 'virtio-blk-pci',
      ...shared,
      ...(device?.queues === undefined ? {} : {'num-queues': device.queues}),
      ...(device?.queueSize === undefined ? {} : {'queue-size': device.queueSize}),
      bus: pciBus(address.bus, input.record.machine),
      addr: address.function === 0 ? hex(address.slot) : `${hex(address.slot)}.${hex(address.function)}`,
      ...(address.multifunction === true ? {multifunction: true} : {}),
    }
  }
  // i440fx: two buses of two; q35: AHCI, six buses of one
  const place = isQ35(input.record.machine)
    ? {bus: `ide.${address.ideBus * 2 + address.ideUnit}`, unit: 0}
    : {bus: `ide.${address.ideBus}`, unit: address.ideUnit}
  return {driver: 'ide-hd', ...shared, ...place}
}

/** What the guest sees of the disk, as libvirt would have given it to QEMU. @see libvirt src/qemu/qemu_command.c, qemuBuildDiskDeviceProps */
function importedProperties(device: DiskDevice): object {
  const through = device.cache === 'writethrough' || device.cache === 'directsync'
  return {
    ...(device.serial === undefined ? {} : {serial: device.serial}),
    'write-cache': through ? 'off' : 'on',
    ...(device.bootIndex === undefined ? {} : {bootindex: device.bootIndex}),
    ...(device.logicalBlockSize === undefined ? {} : {logical_block_size: device.logicalBlockSize}),
    ...(device.physicalBlockSize === undefined ? {} : {physical_block_size: device.physicalBlockSize}),
    ...(device.rotationRate === undefined ? {} : {rotation_rate: device.rotationRate}),
  }
}

/** QEMU's name of libvirt's PCI controller of that index; the root has another one. */
function pciBus(index: number, machine: string): string {
  if (index > 0) return `pci.${index}`
  return isQ35(machine) ? 'pcie.0' : 'pci.0'
}

/** With `via: tc` the kernel forwards frames, also during a checkpoint: a gate keeps them, and the rewriter is left of QEMU's other filters. */
function secondaryNet(input: MemberInput, nic: NicLayout): string[] {
  const rewriter = filter('filter-rewriter', nic.objects.rewriter, nic, {queue: 'all'})
  const gate = {'qom-type': 'filter-buffer', id: nic.objects.gate, netdev: nic.netdev, ...gateProperties}
  if (nic.spec.forward.via === 'tc') return [...json('-object', gate), ...rewriter]
  const ports = input.record.ports.nics[nic.index]
  if (ports === undefined) throw new UsageError(`nic ${nic.spec.name}: the record holds no ports for it`)
  const address = input.record.addresses[input.peer]
  if (address === undefined) throw missing('replication address', input.peer)
  const reconnect = input.capabilities.reconnect === 'ms' ? 'reconnect-ms=1000' : 'reconnect=1'
  const link = (id: string, port: number): string[] => [
    '-chardev',
    `socket,id=${id},host=${escapeOption(address)},port=${port},nodelay=on,${reconnect}`,
  ]
  return [
    ...link(nic.chardevs.mirrorLink, ports.mirror),
    ...link(nic.chardevs.compareLink, ports.compare),
    ...filter('filter-redirector', nic.objects.inject, nic, {queue: 'tx', indev: nic.chardevs.mirrorLink}),
    ...filter('filter-redirector', nic.objects.divert, nic, {queue: 'rx', outdev: nic.chardevs.compareLink}),
    ...rewriter,
  ]
}

function filter(type: string, id: string, nic: NicLayout, properties: Readonly<Record<string, string>>): string[] {
  return json('-object', {
    'qom-type': type,
    id,
    netdev: nic.netdev,
    ...properties,
    ...(nic.vnetHdr && {vnet_hdr_support: true}),
  })
}

/** The machine types of the Q35 chipset: PCIe root bus, AHCI. */
export function isQ35(machine: string): boolean {
  return machine === 'q35' || machine.startsWith('pc-q35-')
}

export function hex(slot: number): string {
  return `0x${slot.toString(16).padStart(2, '0')}`
}

/** QEMU's own quoting inside `key=value,...`: a comma is doubled. */
export function escapeOption(value: string): string {
  return value.replaceAll(',', ',,')
}

export function missing(what: string, host: string): UsageError {
  return new UsageError(`${what} is not given for host ${host}`, {hint: `add ${host} to its map of hosts`})
}

function json(option: string, value: object): string[] {
  return [option, JSON.stringify(value)]
}

import {limits} from '../pair/layout.js'
import {parseDiskName} from '../pair/names.js'
import {onHost, type DiskDevice, type DiskSpec, type PciAddress} from '../pair/spec.js'
import {never, type Ledger} from './import-sieve.js'
import {parseImagePath, valueOf} from './import-values.js'
import {isQ35} from './member-args.js'
import {attribute, child, children, element, textOf, type XmlElement} from './xml-tree.js'

/**
 * The disks of a definition that went through the allow-list, with every setting. A disk is called as its target: `vda`.
 *
 * @param domain what may be carried over; problems that only show here become findings
 */
export function readDisks(domain: XmlElement, ledger: Ledger): DiskSpec[] {
  const devices = child(domain, 'devices') ?? element('devices')
  const machine = child(domain, 'os', 'type')
  const q35 = isQ35((machine === undefined ? undefined : attribute(machine, 'machine')) ?? 'pc')
  const bootOrder = children(child(domain, 'os') ?? element('os'), 'boot').map((boot) => attribute(boot, 'dev'))
  const nodes = children(devices, 'disk')
  const perDevice = children(devices).some((device) => child(device, 'boot') !== undefined)
  const disks = nodes.flatMap((node, index) => {
    const place = ledger.placeOf(node)
    const firstHd = index === 0 && !perDevice ? (bootOrder.length === 0 ? 0 : bootOrder.indexOf('hd')) : -1
    return diskOf(node, {place, ledger, q35, byOs: firstHd === -1 ? undefined : firstHd + 1}) ?? []
  })
  if (disks.length === 0) ledger.refused('devices', never('a pair needs at least one disk'))
  refuseDoubles(disks, nodes, ledger)
  for (const [bus, most] of [
    ['virtio', limits.virtioDisks],
    ['ide', limits.ideDisks],
  ] as const) {
    if (disks.filter((disk) => disk.bus === bus).length > most)
      ledger.refused('devices', never(`more than ${most} ${bus} disks`))
  }
  return disks
}

function refuseDoubles(disks: readonly DiskSpec[], nodes: readonly XmlElement[], ledger: Ledger): void {
  const seen = new Set<string>()
  for (const disk of disks) {
    const words = [`target ${disk.name}`, `image ${onHost(disk.image, '') ?? ''}`]
    const twice = words.find((word) => seen.has(word))
    const node = nodes.find((each) => attribute(child(each, 'target') ?? each, 'dev') === disk.name)
    if (twice !== undefined && node !== undefined)
      ledger.refused(ledger.placeOf(node), never(`${twice} is there twice`))
    for (const word of words) seen.add(word)
  }
}

interface Reading {
  readonly place: string
  readonly ledger: Ledger
  readonly q35: boolean
  /** bootindex by `<os><boot dev='hd'>` */
  readonly byOs: number | undefined
}

function diskOf(node: XmlElement, reading: Reading): DiskSpec | undefined {
  const {place, ledger} = reading
  const of = (name: string, key: string): string | undefined => {
    const found = child(node, name)
    return found === undefined ? undefined : attribute(found, key)
  }
  const name = valueOf(parseDiskName(of('target', 'dev') ?? ''), {ledger, place: `${place}/target/@dev`})
  const image = valueOf(parseImagePath(of('source', 'file') ?? ''), {ledger, place: `${place}/source/@file`})
  const bus = busOf(of('target', 'bus'), reading)
  if (name === undefined || image === undefined || bus === undefined) return undefined
  if (of('driver', 'discard') === 'unmap') {
    ledger.changed(
      `${place}/driver/@discard`,
      "the guest's discards do not reach the image while the pair runs",
      'unmap',
    )
  }
  return {
    name,
    image: {same: image},
    format: of('driver', 'type') === 'qcow2' ? 'qcow2' : 'raw',
    sizeBytes: 0,
    bus,
    device: deviceOf(node, of, bus, reading),
  }
}

function busOf(bus: string | undefined, {place, ledger, q35}: Reading): DiskSpec['bus'] | undefined {
  if (bus === 'virtio') return 'virtio'
  if (bus === 'ide' || (bus === 'sata' && q35)) return 'ide'
  const why =
    bus === 'sata'
      ? 'SATA on machine type pc is not known to work'
      : 'colo is known to work with virtio, IDE and (q35) SATA'
  ledger.refused(`${place}/target/@bus`, never(`${why}: change the bus first`), bus ?? 'none')
  return undefined
}

function deviceOf(
  node: XmlElement,
  of: (name: string, key: string) => string | undefined,
  bus: DiskSpec['bus'],
  reading: Reading,
): DiskDevice {
  const number = (name: string, key: string): number | undefined => {
    const value = of(name, key)
    return value === undefined || !/^\d+$/.test(value) ? undefined : Number(value)
  }
  const serial = child(node, 'serial')
  const device: {readonly [K in keyof DiskDevice]: DiskDevice[K] | undefined} = {
    serial: serial === undefined ? undefined : textOf(serial),
    bootIndex: number('boot', 'order') ?? reading.byOs,
    address: addressOf(node, bus, reading),
    cache: oneOf(['none', 'writeback', 'writethrough', 'directsync'] as const, of('driver', 'cache')),
    io: oneOf(['native', 'threads', 'io_uring'] as const, of('driver', 'io')),
    discard: oneOf(['unmap', 'ignore'] as const, of('driver', 'discard')),
    detectZeroes: oneOf(['on', 'off', 'unmap'] as const, of('driver', 'detect_zeroes')),
    queues: number('driver', 'queues'),
    queueSize: number('driver', 'queue_size'),
    logicalBlockSize: number('blockio', 'logical_block_size'),
    physicalBlockSize: number('blockio', 'physical_block_size'),
    rotationRate: number('target', 'rotation_rate'),
  }
  return Object.fromEntries(Object.entries(device).filter(([, value]) => value !== undefined))
}

function oneOf<const V extends string>(known: readonly V[], value: string | undefined): V | undefined {
  return known.find((each) => each === value)
}

/** Where the guest finds the disk; libvirt never changes it again once it is in the definition. */
function addressOf(node: XmlElement, bus: DiskSpec['bus'], {place, ledger, q35}: Reading): DiskDevice['address'] {
  const found = child(node, 'address')
  if (found === undefined) return undefined
  const part = (key: string): number => Number(attribute(found, key) ?? '0')
  const type = attribute(found, 'type')
  const known = bus === 'virtio' ? type === 'pci' && part('domain') === 0 : type === 'drive' && part('controller') === 0
  const [unit, ideBus] = [part('unit'), part('bus')]
  const inRange = bus === 'virtio' || (q35 ? unit < 6 && ideBus === 0 : unit < 2 && ideBus < 2)
  if (!known || !inRange) {
    ledger.refused(
      `${place}/address`,
      never('colo cannot put the disk there: PCI, or the built-in IDE or SATA controller'),
    )
    return undefined
  }
  if (bus === 'ide') return q35 ? {ideBus: Math.floor(unit / 2), ideUnit: unit % 2} : {ideBus, ideUnit: unit}
  const pci: PciAddress = {bus: ideBus, slot: part('slot'), function: part('function')}
  return attribute(found, 'multifunction') === 'on' ? {...pci, multifunction: true} : pci
}

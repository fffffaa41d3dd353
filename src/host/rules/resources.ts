import {formatBytes} from '../../ui/bytes.js'
import type {HostEntry} from '../../pair/inventory.js'
import type {PairRecord, Role} from '../../pair/record.js'
import type {DiskSpec, PairSpec} from '../../pair/spec.js'
import {onHost} from '../../pair/spec.js'
import {overlayPaths} from '../../pair/layout.js'
import {failUnlessForced, pass, warn, type Check} from '../check.js'
import type {DirectoryFacts, HostFacts} from '../facts.js'

/** Overlays are empty at first, but a checkpoint interval of writes must fit. */
const LEAST_SCRATCH_PER_DISK = 32 * 1024 ** 2

/** A secondary keeps a second copy of the guest's memory: what arrived since the last checkpoint. */
export function memoryNeeded(role: Role, memoryBytes: number): number {
  return role === 'secondary' ? 2 * memoryBytes : memoryBytes
}

/**
 * Memory now, and memory when every pair of the host runs.
 *
 * @see facts/qemu-colo.md 16: the secondary's host needs twice the guest's memory
 */
export function checkMemory(spec: PairSpec, role: Role, facts: HostFacts, entry: HostEntry): Check[] {
  const {host, memory, committedMemoryBytes} = facts
  const need = memoryNeeded(role, spec.vm.memoryBytes)
  const later = memoryNeeded('secondary', spec.vm.memoryBytes)
  const limit = entry.limits.memoryBytes ?? memory.totalBytes
  const words = role === 'secondary' ? `twice the guest's ${formatBytes(spec.vm.memoryBytes)}` : `the guest's memory`
  const checks: Check[] = []
  if (committedMemoryBytes + need > limit) {
    const of = entry.limits.memoryBytes === undefined ? 'the memory of the host' : 'limits.memory'
    checks.push(
      failUnlessForced(
        {id: 'memory-limit', host},
        `needs ${formatBytes(need)} (${words}), but its pairs hold ${formatBytes(committedMemoryBytes)} of ${formatBytes(limit)} (${of})`,
        'lower vm.memory, move a pair away, or use another host',
      ),
    )
  }
  if (need > memory.availableBytes) {
    checks.push(
      failUnlessForced(
        {id: 'memory', host},
        `needs ${formatBytes(need)} (${words}), ${formatBytes(memory.availableBytes)} are available`,
        'lower vm.memory, end something on the host, or use another one',
      ),
    )
  }
  if (checks.length > 0) return checks
  if (later > memory.availableBytes || committedMemoryBytes + later > limit) {
    const message = `enough for a primary, but after a failover it could not become the secondary (${formatBytes(later)})`
    return [warn({id: 'memory', host}, message, 'add memory, or plan another host for the re-protection')]
  }
  return [pass({id: 'memory', host}, `${formatBytes(need)} of ${formatBytes(memory.availableBytes)} available`)]
}

/** Number of pairs the inventory allows. */
export function checkPairLimit(spec: PairSpec, records: readonly PairRecord[], entry: HostEntry): Check[] {
  const limit = entry.limits.pairs
  if (limit === undefined) return []
  const others = new Set(records.filter(({host}) => host === entry.name).map((record) => String(record.spec.name)))
  others.delete(spec.name)
  const about = {id: 'pair-limit', host: entry.name}
  if (others.size < limit) return [pass(about, `${others.size + 1} of ${limit} pairs`)]
  return [
    failUnlessForced(
      about,
      `has ${others.size} pairs already, limits.pairs is ${limit}`,
      'use another host, or raise limits.pairs',
    ),
  ]
}

/** The scratch root of the inventory. */
export function checkScratch(facts: HostFacts, entry: HostEntry): Check[] {
  const directory = directoryFacts(facts, entry.scratch)
  const about = {id: 'scratch', host: facts.host}
  if (directory === undefined) return [warn(about, `nothing is known of ${entry.scratch}`, 'restart the agent')]
  if (!directory.memoryBacked) return [warn(about, diskBacked(directory), ramRemedy(entry.scratch))]
  if (directory.availableBytes < LEAST_SCRATCH_PER_DISK) {
    return [
      failUnlessForced(
        about,
        `${entry.scratch}: ${formatBytes(directory.availableBytes)} free`,
        ramRemedy(entry.scratch),
      ),
    ]
  }
  return [pass(about, `${entry.scratch} is in memory, ${formatBytes(directory.availableBytes)} free`)]
}

/** Scratch of every disk of a pair, where the active and hidden overlays grow with what the guest writes between checkpoints. */
export function checkPairScratch(spec: PairSpec, role: Role, facts: HostFacts, entry: HostEntry): Check[] {
  const about = {id: 'scratch', host: facts.host}
  const byPath = new Map<string, DiskSpec[]>()
  for (const disk of spec.disks) {
    const path = scratchOf(disk, entry)
    byPath.set(path, [...(byPath.get(path) ?? []), disk])
  }
  return [...byPath].map(([path, disks]) => {
    const directory = directoryFacts(facts, path)
    if (directory === undefined)
      return warn(about, `nothing is known of ${path}`, `see whether ${path} can be made on ${facts.host}`)
    const sizes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0)
    const free = formatBytes(directory.availableBytes)
    if (directory.availableBytes < disks.length * LEAST_SCRATCH_PER_DISK) {
      const verdict = role === 'secondary' ? failUnlessForced : warn
      return verdict(about, `${path}: ${free} free for the overlays of ${disks.length} disks`, ramRemedy(path))
    }
    if (!directory.memoryBacked) return warn(about, diskBacked(directory), ramRemedy(path))
    if (directory.availableBytes < sizes / 10) {
      const message = `${path}: ${free} free, less than a tenth of the disks (${formatBytes(sizes)})`
      return warn(about, message, `a long resync or many writes may fill it; ${ramRemedy(path)}`)
    }
    return pass(about, `${path}: ${free} free, in memory`)
  })
}

/** Paths an agent must be asked about (`host.facts`, `images`), so that the rules of a pair can be applied to this host. */
export function pathsToProbe(spec: PairSpec, entry: HostEntry): string[] {
  return [
    ...spec.disks.flatMap((disk) => onHost(disk.image, entry.name) ?? []),
    ...spec.disks.map((disk) => overlayPaths(spec, disk, {host: entry.name, scratchRoot: entry.scratch}).active),
    ...filesOf(spec),
    ...hostPathsToProbe(entry),
  ].filter((path, index, all) => all.indexOf(path) === index)
}

/** What both hosts must have besides images. */
export function filesOf({vm: {kernel, imported}}: PairSpec): string[] {
  const boot = kernel === undefined ? [] : [kernel.image, ...(kernel.initrd === undefined ? [] : [kernel.initrd])]
  return [...boot, ...(imported?.files ?? [])]
}

/** Paths to ask for when there is no pair yet: files in the scratch root and the image directory, so that these are told. */
export function hostPathsToProbe(entry: HostEntry): string[] {
  return [`${entry.scratch}/.colo`, `${entry.images}/.colo`]
}

function scratchOf(disk: DiskSpec, entry: HostEntry): string {
  return (disk.scratch === undefined ? undefined : onHost(disk.scratch, entry.name)) ?? entry.scratch
}

function directoryFacts(facts: HostFacts, path: string): DirectoryFacts | undefined {
  const asked = facts.images.find(({directory}) => directory?.path === path)?.directory
  if (asked !== undefined) return asked
  return facts.scratch.path === path ? facts.scratch : undefined
}

function diskBacked({path, exists}: DirectoryFacts): string {
  return `${path} is ${exists ? '' : 'to be made '}on a disk: each write of the guest waits for it`
}

function ramRemedy(path: string): string {
  return `mount a tmpfs at ${path} that holds what the guest writes between two checkpoints (or a larger one)`
}

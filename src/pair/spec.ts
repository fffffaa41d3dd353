/**
 * The desired pair, as the rest of the code sees it: checked, units resolved, defaults filled in.
 * `src/config/pair-file.ts` makes it from YAML. Sizes are bytes, times are milliseconds.
 */

/** Letters, digits, `-` and `_`, at most 40; it becomes a domain name, a directory and part of QMP ids. */
export type PairName = string & {readonly __pair: never}
export type HostName = string & {readonly __host: never}

/** A value that is the same on every host, or one per host. */
export type PerHost<V> = {readonly same: V} | {readonly byHost: Readonly<Record<string, V>>}

export interface PairSpec {
  readonly apiVersion: 'colo/v1'
  readonly name: PairName
  readonly engine: 'qemu' | 'xen'
  readonly mode: 'colo' | 'checkpoint'
  readonly hosts: {readonly primary: HostName; readonly secondary: HostName; readonly spare?: HostName}
  readonly vm: VmSpec
  readonly disks: readonly DiskSpec[]
  readonly nics: readonly NicSpec[]
  readonly checkpoint: {readonly intervalMs: number; readonly compareTimeoutMs: number}
  readonly arbiter: {readonly kind: 'manual'}
  readonly resync: 'auto' | 'manual'
}

export interface VmSpec {
  readonly memoryBytes: number
  readonly vcpus: number
  /** `pc`, `q35` or a versioned machine type such as `pc-i440fx-9.0` */
  readonly machine: string
  readonly cpu: string
  /** `auto` uses KVM where a host has it on both sides, else TCG */
  readonly accel: 'auto' | 'kvm' | 'tcg'
  readonly onPoweroff: 'stop' | 'restart'
  readonly onReboot: 'restart' | 'stop'
  /**
   * What follows a panic of the guest's kernel, besides what that kernel does itself. Absent: of a pair that was made before there was a
   * choice, and has no panic device; with it a pair that is not imported has one.
   */
  readonly onCrash?: CrashAction
  /** direct kernel boot; without it the firmware boots the first disk */
  readonly kernel?: {readonly image: string; readonly initrd?: string; readonly cmdline: string}
  /** engine xen only: what kind of guest; `machine`, `cpu` and `accel` mean nothing there */
  readonly type?: 'hvm' | 'pvh'
  /** what else an existing libvirt domain said; without it the domain is made from a template */
  readonly imported?: ImportedVm
}

/** `report`: the status says it; `restart`: the guest is reset; `stop`: its power is cut, and the pair is stopped cleanly. */
export type CrashAction = (typeof crashActions)[number]

export const crashActions = ['report', 'restart', 'stop'] as const

/** The parts of a foreign definition that no other field holds, as `src/libvirt/import.ts` let them through. */
export interface ImportedVm {
  /** the guest's own (SMBIOS); the pair's where the definition had none */
  readonly uuid?: string
  /** domain XML: features, CPU, clock, controllers, NICs by their MAC and so on; takes the place of the template */
  readonly skeleton: string
  /** places in the foreign definition that were left out by the user's word */
  readonly dropped: readonly string[]
  /** files that a host must have besides the images: firmware */
  readonly files: readonly string[]
}

export interface DiskSpec {
  readonly name: string
  readonly image: PerHost<string>
  readonly format: 'qcow2' | 'raw'
  /** 0: as large as the image on the primary; only until `create` has looked at it, never in a record */
  readonly sizeBytes: number
  readonly bus: 'virtio' | 'ide'
  /** directory for the active and hidden overlays, best a RAM disk; without it the host's scratch root */
  readonly scratch?: PerHost<string>
  /** how an imported domain had this disk; without it colo's own place and settings */
  readonly device?: DiskDevice
}

/** Settings of a disk as libvirt words them; what is absent was absent there. */
export interface DiskDevice {
  readonly serial?: string
  readonly bootIndex?: number
  readonly address?: PciAddress | {readonly ideBus: number; readonly ideUnit: number}
  readonly cache?: 'none' | 'writeback' | 'writethrough' | 'directsync'
  readonly io?: 'native' | 'threads' | 'io_uring'
  readonly discard?: 'unmap' | 'ignore'
  readonly detectZeroes?: 'on' | 'off' | 'unmap'
  readonly queues?: number
  readonly queueSize?: number
  readonly logicalBlockSize?: number
  readonly physicalBlockSize?: number
  readonly rotationRate?: number
}

/** `bus` is the index of libvirt's controller; 0 is the root. */
export interface PciAddress {
  readonly bus: number
  readonly slot: number
  readonly function: number
  readonly multifunction?: true
}

export interface NicSpec {
  readonly name: string
  /** lower-case, six octets */
  readonly mac: string
  readonly model: 'virtio' | 'e1000' | 'rtl8139'
  readonly bridge: PerHost<string>
  /** what happens at the tap to frames the comparer does not compare (IPv6, VLAN tags, fragments) */
  readonly uncompared: 'drop' | 'pass'
  readonly forward: ForwardSpec
}

export type ForwardSpec =
  {readonly via: 'socket'} | {readonly via: 'tc'; readonly nic: PerHost<string>; readonly vlan?: number}

/** The value for one host, or undefined when a per-host map does not name it. */
export function onHost<V>(value: PerHost<V>, host: string): V | undefined {
  return 'same' in value ? value.same : value.byHost[host]
}

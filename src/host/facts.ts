/**
 * What an agent finds out about its host for `colo host check` and for the preflight of `create`: plain facts,
 * no judgement. The rules over them are in `preflight.ts` (pure).
 */
export interface HostFacts {
  readonly host: string
  /** wall clock when this was read, milliseconds */
  readonly atMs: number
  readonly agentVersion: string
  readonly kernel: string
  readonly qemu: QemuFacts | undefined
  /** `virsh version` of the daemon, or why it does not answer */
  readonly libvirt: {readonly version: string} | {readonly problem: string}
  readonly cpu: {readonly model: string; readonly count: number}
  readonly memory: {readonly totalBytes: number; readonly availableBytes: number}
  readonly kvm: 'usable' | 'unusable' | 'absent'
  readonly addresses: ReadonlyArray<{
    readonly dev: string
    readonly address: string
    readonly up: boolean
    readonly mtu: number
  }>
  readonly bridges: ReadonlyArray<{
    readonly name: string
    readonly up: boolean
    readonly stp: boolean
    readonly ports: readonly string[]
  }>
  readonly links: ReadonlyArray<{
    readonly name: string
    readonly kind: string
    readonly carrier: boolean
    readonly mtu: number
    readonly master: string | undefined
    /** the device a VLAN or another stacked one stands on */
    readonly below?: string | undefined
    readonly alias?: string | undefined
  }>
  /** for `forward: {via: tc}`; agents of older versions do not tell */
  readonly forwarding?: ForwardFacts
  readonly scratch: {
    readonly path: string
    readonly exists: boolean
    readonly memoryBacked: boolean
    readonly availableBytes: number
  }
  /** TCP ports in listening state, any address */
  readonly listening: readonly number[]
  /** ports that records of other pairs on this host hold */
  readonly allotted: ReadonlyArray<{readonly pair: string; readonly ports: readonly number[]}>
  /** memory that pairs of this host need (a secondary needs twice its guest's) */
  readonly committedMemoryBytes: number
  readonly images: readonly ImageFacts[]
  /** tools by name: found in PATH or not */
  readonly tools: Readonly<Record<string, boolean>>
  /** nftables accepts a netdev ingress chain (tried in a scratch table, removed again) */
  readonly nftNetdev: boolean
  /** every domain libvirt knows, running or not */
  readonly domains: readonly string[]
  /** on a host that has xl */
  readonly xen?: XenFacts
  /** probes that failed; what they would have told stands at its neutral value */
  readonly problems?: readonly ProbeProblem[]
  /** this host's wall clock against the command's, measured by `fetchHostFacts` */
  readonly clock?: ClockReading
}

export interface ForwardFacts {
  /** pieces of the kernel by module name */
  readonly kernel: Readonly<Record<string, string>>
  /** libvirt lets QEMU open /dev/net/tun */
  readonly tunForQemu: boolean
  /** devices that a route leads over */
  readonly routed: readonly string[]
  /** by device: features that change frames before they can be copied, and are on */
  readonly offloads: Readonly<Record<string, readonly string[]>>
}

/** What one probe could not find out, in a sentence. `probe` is a word of `want`. */
export interface ProbeProblem {
  readonly probe: string
  readonly message: string
  /** it took too long: the host is busy, which says nothing about what is there */
  readonly timedOut?: true
}

/** `offsetMs` is positive when the host's clock is ahead; the truth lies within plus or minus `uncertaintyMs`. */
export interface ClockReading {
  readonly offsetMs: number
  readonly uncertaintyMs: number
}

export interface QemuFacts {
  readonly binary: string
  /** `11.1.3` */
  readonly version: string
  readonly machines: readonly string[]
  readonly commands: readonly string[]
  readonly objectTypes: readonly string[]
  readonly blockDrivers: readonly string[]
  /** `migrate-set-capabilities x-colo` alone was refused because it wants return-path */
  readonly coloNeedsReturnPath: boolean
  /** x-colo accepted at all */
  readonly coloAccepted: boolean
}

/** What decides which pairs a Xen host can run. */
export interface XenFacts {
  /** the running hypervisor by `xl info`, or why xl does not answer */
  readonly hypervisor:
    | {readonly version: string; readonly virtCaps: readonly string[]; readonly freeMemoryBytes: number}
    | {readonly problem: string}
  /** names by `xl list`, without dom0 */
  readonly domains: readonly string[]
  /** the library that xl is made of; `coloMissing`: it has the words with which it refuses COLO */
  readonly libxl: {readonly path: string; readonly libnl: boolean; readonly coloMissing: boolean} | undefined
  /** QEMU for Xen */
  readonly deviceModel: QemuFacts | undefined
  /** kernel modules by name: there or not */
  readonly modules: Readonly<Record<string, boolean>>
  /** programs and scripts by name: there or not */
  readonly helpers: Readonly<Record<string, boolean>>
}

export interface ImageFacts {
  readonly path: string
  readonly exists: boolean
  readonly format?: string
  readonly virtualSizeBytes?: number
  /** a process has it open or qemu-img could not take the lock */
  readonly inUse?: boolean
  readonly backing?: string
  readonly snapshots?: number
  /** the directory it is in, or itself when it is one; where that does not exist, space and kind are those of the nearest that does */
  readonly directory?: DirectoryFacts
  readonly problem?: string
}

export interface DirectoryFacts {
  readonly path: string
  readonly exists: boolean
  readonly memoryBacked: boolean
  readonly availableBytes: number
}

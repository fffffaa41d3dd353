import {onHost, type DiskSpec, type NicSpec, type PairSpec, type PciAddress} from './spec.js'

/** Where agents keep what must survive, and what must not. */
export const stateRoot = '/var/lib/colo/pairs'
export const runRoot = '/run/colo/pairs'
/** Notes for the libvirt hook, one per start that is being asked for. */
export const startsRoot = '/run/colo/starts'

/** Names of everything that belongs to one pair on one host, derived from the spec alone. */
export interface PairLayout {
  readonly domain: string
  readonly stateDir: string
  readonly runDir: string
  /** events and commands; the agent holds it */
  readonly agentSocket: string
  /** out-of-band, opened for milliseconds */
  readonly yankSocket: string
  /** what the libvirt hook lets this pair's domain start by; there for as long as libvirt is being asked */
  readonly startNote: string
  /** nftables table (family inet) that opens the pair's ports to the peer only */
  readonly firewallTable: string
  readonly iothread: string
  readonly disks: readonly DiskLayout[]
  readonly nics: readonly NicLayout[]
}

/** Block node names of one disk. `quorum` is what the guest's device uses. */
export interface DiskLayout {
  readonly spec: DiskSpec
  readonly quorum: string
  readonly parent: string
  readonly parentFile: string
  readonly hidden: string
  readonly hiddenFile: string
  readonly active: string
  readonly activeFile: string
  readonly replication: string
  /** primary: client of the secondary's export, second child of the quorum */
  readonly nbd: string
  /** name and id of the NBD export of `parent` */
  readonly exportId: string
  readonly mirrorJob: string
  /** quorum child name of `nbd` */
  readonly secondChild: 'children.1'
  /** PCI place of a virtio disk, or IDE bus and unit */
  readonly address: PciAddress | {readonly ideBus: number; readonly ideUnit: number}
}

/** Objects, chardevs, tap and port names of one NIC. */
export interface NicLayout {
  readonly spec: NicSpec
  readonly index: number
  /** libvirt's name of the netdev */
  readonly netdev: string
  readonly tap: string
  readonly slot: number
  readonly vnetHdr: boolean
  readonly objects: {
    /** primary, with `via: tc` the secondary: filter-buffer, keeps what arrives while the guest stands still until it goes on */
    readonly gate: string
    /** primary: filter-mirror, copies what enters the guest to the secondary */
    readonly mirror: string
    /** primary: filter-redirector, lets released packets out to the tap */
    readonly release: string
    /** primary: filter-redirector, takes the guest's output to the comparer */
    readonly capture: string
    readonly compare: string
    /** secondary: filter-redirector, mirrored packets into the guest */
    readonly inject: string
    /** secondary: filter-redirector, the guest's output to the primary instead of the tap */
    readonly divert: string
    readonly rewriter: string
    /** primary with `via: tc`: filter-redirector, the secondary's frames from the forward tap to the comparer */
    readonly feed: string
  }
  readonly chardevs: {
    /** replication link, mirror port: server on the primary, client on the secondary */
    readonly mirrorLink: string
    /** replication link, compare port: likewise */
    readonly compareLink: string
    /** primary, local pair: guest output to comparer (server end, client end) */
    readonly captureServer: string
    readonly captureClient: string
    /** primary, local pair: released packets to the tap */
    readonly releaseServer: string
    readonly releaseClient: string
    /** primary with `via: tc`, local pair: forward tap to comparer; its server end is `compareLink` */
    readonly feedClient: string
  }
  readonly captureSocket: string
  readonly releaseSocket: string
  readonly feedSocket: string
  /** nftables table (family netdev) on the tap */
  readonly tapTable: string
  readonly forward: ForwardLayout
}

/** What `via: tc` makes for one NIC, on either host; all derived from the MAC address. */
export interface ForwardLayout {
  /** `web1/net0`: what the devices made for it bear as alias */
  readonly owner: string
  /** mark of its rules in the kernel, hex: "colo" and the MAC address */
  readonly cookie: string
  /** primary: where frames from the forward NIC arrive */
  readonly ifb: string
  /** primary: second tap, from which QEMU takes them to the comparer */
  readonly feedTap: string
  /** VLAN on the forward NIC, where the spec asks for one */
  readonly vlanDevice: string
  /** QEMU netdev on `feedTap`, and the hub port it needs for a peer */
  readonly netdev: string
  readonly hubPort: string
  readonly hubId: number
}

const firstNicSlot = 0x04
const firstDiskSlot = 0x10
/** hubs 0 to 6 are left to a user's own arguments */
const firstHub = 7

/** PCI slots 0x04-0x0f hold NICs and 0x10-0x1e virtio disks on both machine types. */
export const limits = {nics: firstDiskSlot - firstNicSlot, virtioDisks: 0x1f - firstDiskSlot, ideDisks: 4} as const

/** @param spec a checked spec; at most `limits` disks and NICs */
export function layoutOf(spec: PairSpec): PairLayout {
  const runDir = `${runRoot}/${spec.name}`
  let virtio = 0
  let ide = 0
  return {
    domain: spec.name,
    stateDir: `${stateRoot}/${spec.name}`,
    runDir,
    agentSocket: `${runDir}/agent.qmp`,
    yankSocket: `${runDir}/yank.qmp`,
    startNote: `${startsRoot}/${spec.name}`,
    firewallTable: `colo-${spec.name}`,
    iothread: 'colo-compare',
    disks: spec.disks.map((disk, index) => ({
      spec: disk,
      quorum: `colo-disk${index}`,
      parent: `parent${index}`,
      parentFile: `parent${index}-file`,
      hidden: `hidden${index}`,
      hiddenFile: `hidden${index}-file`,
      active: `active${index}`,
      activeFile: `active${index}-file`,
      replication: `childs${index}`,
      nbd: `nbd${index}`,
      exportId: `export${index}`,
      mirrorJob: `resync${index}`,
      secondChild: 'children.1',
      address:
        disk.device?.address ??
        (disk.bus === 'virtio'
          ? {bus: 0, slot: firstDiskSlot + virtio++, function: 0}
          : {ideBus: Math.floor(ide / 2), ideUnit: ide++ % 2}),
    })),
    nics: spec.nics.map((nic, index) => nicLayout(spec, nic, index)),
  }
}

function nicLayout(spec: PairSpec, nic: NicSpec, index: number): NicLayout {
  const id = `nic${index}`
  const runDir = `${runRoot}/${spec.name}`
  return {
    spec: nic,
    index,
    netdev: `hostnet${index}`,
    tap: tapName(nic.mac),
    slot: firstNicSlot + index,
    vnetHdr: nic.model === 'virtio',
    objects: {
      gate: `${id}-gate`,
      mirror: `${id}-mirror`,
      release: `${id}-release`,
      capture: `${id}-capture`,
      compare: `${id}-compare`,
      inject: `${id}-inject`,
      divert: `${id}-divert`,
      rewriter: `${id}-rewriter`,
      feed: `${id}-feed`,
    },
    chardevs: {
      mirrorLink: `${id}-mirror-link`,
      compareLink: `${id}-compare-link`,
      captureServer: `${id}-capture-server`,
      captureClient: `${id}-capture-client`,
      releaseServer: `${id}-release-server`,
      releaseClient: `${id}-release-client`,
      feedClient: `${id}-feed-client`,
    },
    captureSocket: `${runDir}/${id}-capture.sock`,
    releaseSocket: `${runDir}/${id}-release.sock`,
    feedSocket: `${runDir}/${id}-feed.sock`,
    tapTable: `colo-${tapName(nic.mac)}`,
    forward: {
      owner: `${spec.name}/${nic.name}`,
      cookie: `636f6c6f${nic.mac.replaceAll(':', '')}`,
      ifb: `ci${nic.mac.replaceAll(':', '')}`,
      feedTap: `cf${nic.mac.replaceAll(':', '')}`,
      vlanDevice: `cv${nic.mac.replaceAll(':', '')}`,
      netdev: `${id}-forward`,
      hubPort: `${id}-forward-hub`,
      hubId: firstHub + index,
    },
  }
}

/** Interface names have 15 characters; the MAC is unique per bridge, so it names the tap. */
function tapName(mac: string): string {
  return `co${mac.replaceAll(':', '')}`
}

/** Paths of the overlays of one disk on one host. `scratchRoot` is the host's own, used when the spec names none. */
export function overlayPaths(
  spec: PairSpec,
  disk: DiskSpec,
  at: {readonly host: string; readonly scratchRoot: string},
): {readonly active: string; readonly hidden: string} {
  const root = (disk.scratch === undefined ? undefined : onHost(disk.scratch, at.host)) ?? at.scratchRoot
  return {
    active: `${root}/${spec.name}-${disk.name}.active.qcow2`,
    hidden: `${root}/${spec.name}-${disk.name}.hidden.qcow2`,
  }
}

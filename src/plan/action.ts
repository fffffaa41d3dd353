import type {CopyFault} from '../pair/copy-faults.js'
import type {Lifecycle} from '../pair/lifecycle.js'
import type {Generation, Marks, PairRecord, Role} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import type {XenAction} from './xen/actions.js'

/**
 * One thing an agent does on its host. Actions are data, safe to run again, and never contain shell text:
 * `describe.ts` prints them as the exact commands, `src/agent/actions/` performs them.
 *
 * "ensure" actions first look and do nothing when the wished-for state is there already.
 */
export type Action =
  HostAction | DomainAction | BlockAction | NetworkAction | MigrationAction | RecordAction | XenAction

/** Files and directories of the host. Paths are absolute and checked. */
export type HostAction =
  /**
   * creates a directory with `mode` (octal number); `owner: 'qemu'` is the user libvirt runs QEMU as. One of root's that exists keeps
   * its owner and mode, but becomes passable where `mode` says so
   */
  | {readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly owner: 'root' | 'qemu'}
  /**
   * qemu-img create. `keep`: an image of the same format and virtual size is left as it is, any other existing file is
   * refused; `replace`: only for overlays below scratch, an existing file is removed first.
   */
  | {
      readonly kind: 'image-create'
      readonly path: string
      readonly format: 'qcow2' | 'raw'
      readonly sizeBytes: number
      readonly existing: 'keep' | 'replace'
    }
  /** an image that exists becomes QEMU's own, mode 0600 */
  | {readonly kind: 'image-own'; readonly path: string}
  /** removes a file; absent is fine */
  | {readonly kind: 'file-remove'; readonly path: string}
  | {readonly kind: 'directory-remove'; readonly path: string}
  /** offline merge of overlays after a crash in the middle of a commit: active into hidden into disk, chain given explicitly */
  | {
      readonly kind: 'overlays-merge'
      readonly active: string
      readonly hidden: string
      readonly disk: string
      readonly format: 'qcow2' | 'raw'
    }

/** The domain through libvirt. */
export type DomainAction =
  /**
   * `virsh create --paused` of a transient domain; then the agent connects to `agent.qmp` before anything else happens.
   * Running already with the same uuid: left as it is. The XML is checked and complete.
   */
  | {readonly kind: 'domain-create'; readonly domain: string; readonly xml: string}
  /** `virsh destroy`; absent is fine. A hung QEMU is ended too (libvirt sends SIGKILL). */
  | {readonly kind: 'domain-destroy'; readonly domain: string}
  /** what libvirt does when the guest powers off or resets itself, set on the running domain */
  | ({readonly kind: 'lifecycle'; readonly domain: string} & Lifecycle)
  /** QMP `system_powerdown`: what the guest makes of it is its own affair */
  | {readonly kind: 'power-button'}
  /**
   * Presses the power button, or cuts the power after a flush, and waits until QEMU has ended and the agent has noted a clean stop; at once
   * when it has been noted before. Fails when QEMU ended otherwise.
   */
  | {readonly kind: 'power-off'; readonly how: 'button' | 'cut'; readonly timeoutMs: number}
  /**
   * On the secondary: waits for the word of the primary's agent that it was stopped cleanly, ends the domain, and notes that this copy is
   * clean, or stale when a write did not arrive.
   */
  | {
      readonly kind: 'stop-follow'
      readonly domain: string
      readonly images: ReadonlyArray<{readonly disk: string; readonly path: string}>
      readonly timeoutMs: number
    }
  /**
   * Presses the power button of a libvirt domain and waits until it is off; off or absent already: nothing. `must: false` goes on when the
   * guest does not listen. Also ends a member of the pair in good order.
   */
  | {readonly kind: 'domain-shutdown'; readonly uuid: string; readonly timeoutMs: number; readonly must: boolean}
  /** starts a plain domain again, for undo; running or absent: nothing */
  | {readonly kind: 'domain-start'; readonly uuid: string}
  /**
   * Takes a plain domain out of libvirt. Refused when it runs, has a managed save or snapshots, or is no longer what `xml` says: that
   * text must be durable (in the record) before. Absent: nothing.
   */
  | {readonly kind: 'domain-undefine'; readonly uuid: string; readonly xml: string}
  /** gives it back; one of that uuid that is defined stays as it is */
  | {readonly kind: 'domain-define'; readonly uuid: string; readonly xml: string; readonly autostart: boolean}
  /** QMP `cont` unless running */
  | {readonly kind: 'vm-continue'}
  /** waits until the VM's run state is one of `states` */
  | {readonly kind: 'vm-await'; readonly states: readonly string[]; readonly timeoutMs: number}
  /**
   * TCG only: waits until the guest has stopped running new code, as it does when it has booted; goes on after `timeoutMs` with a note. QEMU
   * overwrites the memory of a secondary at each checkpoint without dropping what TCG had translated of it (decision 16).
   */
  | {
      readonly kind: 'tcg-settle'
      readonly timeoutMs: number
      /** it was just switched on: quiet phases of firmware and boot loader do not count, and the limit begins after them */
      readonly boots?: 'firmware'
    }

/** QMP block layer. Node names are those of `PairLayout`. */
export type BlockAction =
  /** nbd-server-start unless running */
  | {
      readonly kind: 'nbd-server'
      readonly ensure: 'present'
      readonly address: string
      readonly port: number
      readonly maxConnections: number
    }
  | {readonly kind: 'nbd-server'; readonly ensure: 'absent'}
  | {readonly kind: 'export'; readonly id: string; readonly node: string; readonly name: string}
  /** blockdev-add of an NBD client, detect-zeroes on, unless the node exists */
  | {
      readonly kind: 'nbd-node'
      readonly ensure: 'present'
      readonly node: string
      readonly address: string
      readonly port: number
      readonly exportName: string
    }
  | {readonly kind: 'nbd-node'; readonly ensure: 'absent'; readonly node: string}
  /** x-blockdev-change node: into the quorum, without a copy, so only where both are known to be equal; there already is fine */
  | {readonly kind: 'quorum-child-add'; readonly quorum: string; readonly node: string}
  /** x-blockdev-change child: out of the quorum; absent is fine */
  | {readonly kind: 'quorum-child-remove'; readonly quorum: string; readonly child: string}
  /** starts blockdev-mirror quorum -> target of every disk and waits until all are ready; reports bytes of all together */
  | {readonly kind: 'mirrors'; readonly disks: readonly MirrorSpec[]; readonly timeoutMs: number}
  /**
   * The guest stands still for milliseconds: stop; cancel each ready mirror and wait until it is concluded; dismiss;
   * add each target to its quorum; cont when it was running before. On any error the guest is continued before the error is raised.
   */
  | {readonly kind: 'mirrors-finish'; readonly disks: readonly MirrorSpec[]}
  /** cancels mirrors that are left over and removes their jobs; absent is fine */
  | {readonly kind: 'mirrors-abort'; readonly disks: readonly MirrorSpec[]}
  /**
   * Waits in the background (the step itself looks once, so that a commit that is over is noted before the guest is heard): when active and
   * hidden have left every chain, deletes their nodes, then clears the mark `incomplete: commit` and records that the overlays may go.
   */
  | {readonly kind: 'commit-follow'}

export interface MirrorSpec {
  readonly job: string
  readonly quorum: string
  readonly target: string
}

/** Filters, chardevs, taps, firewall. */
export type NetworkAction =
  | {readonly kind: 'chardev'; readonly ensure: 'present'; readonly id: string; readonly backend: ChardevBackend}
  | {readonly kind: 'chardev'; readonly ensure: 'absent'; readonly id: string}
  /** waits until all of these are connected: a client tries once a second, and frames before that are lost */
  | {readonly kind: 'chardev-await'; readonly ids: readonly string[]; readonly timeoutMs: number}
  | {
      readonly kind: 'object'
      readonly ensure: 'present'
      readonly id: string
      readonly type: string
      readonly properties: Readonly<Record<string, string | number | boolean>>
      /** when this object exists the new one is inserted before it, else appended */
      readonly before?: string
    }
  | {readonly kind: 'object'; readonly ensure: 'absent'; readonly id: string}
  | {
      readonly kind: 'object-set'
      readonly id: string
      readonly property: string
      readonly value: string | number | boolean
    }
  /** link state of a tap: `down` is the fence, written and read back without starting a process */
  | {readonly kind: 'tap'; readonly tap: string; readonly state: 'up' | 'down'}
  /** nftables, family netdev, ingress of a tap: drops what the comparer does not compare */
  | {readonly kind: 'tap-filter'; readonly ensure: 'present'; readonly tap: string; readonly table: string}
  | {readonly kind: 'tap-filter'; readonly ensure: 'absent'; readonly table: string}
  /** nftables, family inet: ports of this pair on this host only from the peer */
  | {
      readonly kind: 'firewall'
      readonly ensure: 'present'
      readonly table: string
      readonly address: string
      readonly peer: string
      readonly ports: readonly number[]
    }
  | {readonly kind: 'firewall'; readonly ensure: 'absent'; readonly table: string}
  | {readonly kind: 'announce'}
  /**
   * Kernel forwarding of these NICs as one role needs it: devices, hooks and rules of ours; what is there already is left, rules of ours
   * for anything else are removed. The state of the forward NIC is saved before its first change.
   *
   * `mirror`: the primary also copies what enters the guest; without it such a copy is taken away.
   *
   * Anything foreign in the way is a conflict, by name, before anything is changed.
   */
  | {
      readonly kind: 'forward'
      readonly ensure: 'present'
      readonly role: Role
      readonly mirror: boolean
      readonly paths: readonly ForwardPath[]
    }
  /** all of ours for these NICs goes, whatever the role was, and the forward NIC becomes as it was before */
  | {readonly kind: 'forward'; readonly ensure: 'absent'; readonly paths: readonly ForwardNames[]}
  /** the promoted side: the guest's output is no longer moved to the forward NIC, and its tap joins the LAN's bridge */
  | {readonly kind: 'forward-release'; readonly paths: readonly ForwardPath[]}
  /**
   * Real frames (gratuitous ARP of a made-up station): `to: 'link'` takes the forward NIC for this pair (a conflict is refused by name),
   * switches it on, waits for its carrier and sends them over it; `to: 'guest'` sends them as if they came from the LAN.
   */
  | {
      readonly kind: 'forward-send'
      readonly to: 'link' | 'guest'
      readonly path: ForwardPath
      readonly station: string
      readonly count: number
    }
  /** counts that station's frames at every interface of this host; takes the forward NIC for this pair first */
  | {readonly kind: 'forward-listen'; readonly path: ForwardPath; readonly station: string}
  /** fails unless they came in at the forward NIC and nowhere else; stops counting */
  | {readonly kind: 'forward-heard'; readonly path: ForwardPath; readonly station: string}
  /** the links are as they should be: from here on, an interruption counts anew */
  | {readonly kind: 'forward-proven'; readonly paths: readonly ForwardPath[]}
  /** netdev_add and netdev_del, at run time */
  | {readonly kind: 'netdev'; readonly ensure: 'present'; readonly id: string; readonly backend: NetdevBackend}
  | {readonly kind: 'netdev'; readonly ensure: 'absent'; readonly id: string}

/** What was made for one NIC by kernel forwarding; enough to remove all of it. */
export interface ForwardNames {
  /** `web1/net0` */
  readonly owner: string
  readonly cookie: string
  readonly tap: string
  readonly ifb: string
  readonly feedTap: string
  readonly vlanDevice: string
}

/** One NIC's path on one host. */
export interface ForwardPath extends ForwardNames {
  /** the dedicated NIC */
  readonly nic: string
  readonly vlan?: number
  /** bridge of the LAN, for the tap of a promoted copy */
  readonly bridge: string
  /** the primary's packets bear a vnet header: virtio */
  readonly vnetHdr: boolean
}

export type NetdevBackend =
  | {readonly type: 'tap'; readonly ifname: string}
  | {readonly type: 'hubport'; readonly hubid: number; readonly netdev: string}

/** How a chardev is made with `chardev-add`. Reconnection uses whichever option this QEMU has. */
export type ChardevBackend =
  | {readonly type: 'tcp-server' | 'tcp-client'; readonly address: string; readonly port: number}
  | {readonly type: 'unix-server' | 'unix-client'; readonly path: string}

/** Migration, COLO mode, yank. */
export type MigrationAction =
  /** probes whether x-colo wants return-path, sets the capabilities, checks the reply */
  | {readonly kind: 'colo-capabilities'; readonly side: Role}
  | {readonly kind: 'incoming'; readonly address: string; readonly port: number}
  /**
   * Sets checkpoint delay and bandwidth, starts the migration and brings it into COLO: at `pre-switchover` (or, on a QEMU without it, at
   * `colo`) sets each of `filtersOn` to `status: on`, goes on, and settles when the migration is `colo` and the VM runs.
   * `completed` and `failed` are errors with QEMU's own text. Reports transferred and total bytes.
   *
   * `guest: 'stands-still'` stops the guest while its memory is copied; COLO lets it go on. Needed under TCG, which loses track of pages
   * that are written while they are copied (decision 16).
   */
  | {
      readonly kind: 'migrate'
      readonly guest: 'runs' | 'stands-still'
      readonly address: string
      readonly port: number
      readonly intervalMs: number
      readonly filtersOn: readonly string[]
      /** NICs with kernel forwarding, whose mirror begins at the same moment */
      readonly mirrorsOn?: readonly ForwardPath[]
      readonly timeoutMs: number
    }
  | {readonly kind: 'colo-await'; readonly role: Role; readonly timeoutMs: number}
  /** forces a checkpoint and waits for its RESUME on this side */
  | {readonly kind: 'checkpoint'; readonly intervalMs: number; readonly timeoutMs: number}
  /** waits for a complete checkpoint (STOP and RESUME) seen by this side after the step began; on the secondary */
  | {readonly kind: 'checkpoint-await'; readonly timeoutMs: number}
  /** out-of-band, on the yank socket; of the named instances only those that query-yank lists */
  | {readonly kind: 'yank'; readonly instances: readonly YankInstance[]}
  /**
   * x-colo-lost-heartbeat unless the mode is `none` already; only on a side whose record says that it goes on alone. `unheard`: on a
   * secondary that has no grant yet, while every tap of it is down, so that what its guest says reaches nobody.
   */
  | {readonly kind: 'lost-heartbeat'; readonly unheard?: true}
  /** cancels a migration that has not become COLO; without one nothing happens */
  | {readonly kind: 'migrate-cancel'}

export type YankInstance =
  | {readonly type: 'block-node'; readonly 'node-name': string}
  | {readonly type: 'chardev'; readonly id: string}
  | {readonly type: 'migration'}

/** Durable knowledge. Every write is atomic and fsynced before the step reports success. */
export type RecordAction =
  /** a whole record; refused when one of another uuid exists */
  | {readonly kind: 'record-create'; readonly record: PairRecord}
  | {readonly kind: 'record-change'; readonly change: RecordChange}
  /** reads inode, device and size of the pair's images and notes them in the record */
  | {readonly kind: 'record-images'; readonly images: ReadonlyArray<{readonly disk: string; readonly path: string}>}
  /**
   * refuses to go on when the images are not those of the record: missing, replaced, shortened or never noted. `accepted`: kinds of fault
   * that the operator has accepted by name
   */
  | {readonly kind: 'images-verify'; readonly accepted: ReadonlyArray<CopyFault['kind']>}
  /** refuses to go on when the record is not of a clean stop, or an image was written to since */
  | {readonly kind: 'images-at-rest'}
  /** notes the NBD connections in use now as those of the protection; fails when one is missing */
  | {readonly kind: 'protection-begin'}
  /** absent is fine; refused when it is of another pair of that name. Plans of older releases name no uuid */
  | {readonly kind: 'record-remove'; readonly uuid?: string}

/** What a record says about where its pair lives. */
export type Placement = Pick<PairRecord, 'spec' | 'ports' | 'addresses' | 'beaconPorts'>

/** Fields to change; `marks` replaces all marks. */
export interface RecordChange extends Partial<Omit<Placement, 'spec'>> {
  readonly role?: Role
  readonly peer?: string
  readonly generation?: Generation
  readonly alone?: boolean
  readonly wasProtected?: boolean
  readonly clean?: boolean
  readonly startAtBoot?: boolean
  /** of the same pair; what runs is changed by steps of its own */
  readonly spec?: PairSpec
  readonly marks?: Marks
}

import type {PairSpec} from './spec.js'

export type Role = 'primary' | 'secondary'

/** Who is authoritative: a new one at every change. `ancestors` are ids, newest first. */
export interface Generation {
  readonly epoch: number
  readonly id: string
  readonly ancestors: readonly string[]
}

/** What a copy's disks are (design.md, section 2). */
export type Currency = 'current' | 'promotable' | 'stale' | 'incomplete' | 'not-promotable' | 'unknown'

/** Marks that forbid; written and fsynced before the act that makes them true. */
export interface Marks {
  /** this copy lost: the other side went on in a newer generation */
  readonly stale?: string
  /** its content is being replaced (`resync`) or merged (`commit`); no start from it until that ended */
  readonly incomplete?: {
    readonly why: 'resync' | 'commit'
    readonly detail: string
    /** names of the disks it still holds for; all unless told. Merging an overlay again after its disk went on would undo writes */
    readonly disks?: readonly string[]
  }
  /** it missed writes, or may have (secondary only) */
  readonly notPromotable?: string
  /** a person suspended the protection, and says who and since when (primary only): nothing protects this pair again unasked */
  readonly suspended?: string
}

/** An image file as it was when this host last used it: proof that the record and the file belong together. */
export interface ImageIdentity {
  readonly disk: string
  readonly path: string
  readonly inode: string
  readonly device: string
  readonly sizeBytes: number
  /** when it was last written, nanoseconds; only for a copy that was stopped cleanly, and is at rest */
  readonly modifiedNs?: string
}

/** The plain libvirt domain a pair was made from; `destroy` gives it back. */
export interface Origin {
  /** its name; the pair may have another */
  readonly domain: string
  readonly uuid: string
  /** host it was defined on */
  readonly host: string
  /** the whole definition, with its passwords: never printed */
  readonly xml: string
  readonly autostart: boolean
}

export interface PairPorts {
  readonly migration: number
  readonly nbd: number
  readonly nics: ReadonlyArray<{readonly mirror: number; readonly compare: number}>
  /** engine xen with the userspace proxy: sockets inside the primary's QEMU, on loopback */
  readonly xen?: {readonly compareIn: number; readonly compareOut: number; readonly notify: number}
}

/** Versions of the file format this release reads; a newer one is refused, never rewritten. */
export const recordFormat = 1

/**
 * What one host durably knows of a pair: `/var/lib/colo/pairs/NAME/record.json`, written atomically
 * (temporary file, fsync, rename, fsync of the directory), mode 0600.
 */
export interface PairRecord {
  readonly format: typeof recordFormat
  readonly uuid: string
  readonly spec: PairSpec
  readonly host: string
  readonly peer: string
  readonly role: Role
  readonly generation: Generation
  /** this side goes on alone as the only authoritative copy of its generation */
  readonly alone: boolean
  /** the pair completed a checkpoint as protected in this generation */
  readonly wasProtected: boolean
  /** stopped cleanly: guest off, quorum flushed without error */
  readonly clean: boolean
  /** stopped only because its host went down: its agent starts it when the host is back */
  readonly startAtBoot?: boolean
  readonly marks: Marks
  readonly ports: PairPorts
  /** replication addresses by host name */
  readonly addresses: Readonly<Record<string, string>>
  /** beacon ports (UDP) by host name */
  readonly beaconPorts: Readonly<Record<string, number>>
  /** shared secret of the two agents' beacons, hex; never printed */
  readonly beaconKey: string
  readonly machine: string
  readonly accel: 'kvm' | 'tcg'
  readonly images: readonly ImageIdentity[]
  /** only of a pair that took the place of a libvirt domain */
  readonly origin?: Origin
  /** wall clock, milliseconds */
  readonly updatedAtMs: number
}

/** Currency as the record alone tells it; the agent turns it to `unknown` when it may have missed something. */
export function currencyOf(record: PairRecord): Currency {
  if (record.marks.stale !== undefined) return 'stale'
  if (record.marks.incomplete !== undefined) return 'incomplete'
  if (record.marks.notPromotable !== undefined) return 'not-promotable'
  return record.role === 'primary' ? 'current' : 'promotable'
}

/**
 * A secondary that a planned failover let run, unheard, and that has no grant yet (decision 18): it may still be granted, and the old
 * primary may still go on instead.
 */
export function isOnTrial({role, alone, marks}: PairRecord): boolean {
  return role === 'secondary' && !alone && marks.incomplete?.why === 'commit'
}

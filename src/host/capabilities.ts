import type {QemuFacts} from './facts.js'
import {compareVersions, isAtLeast, parseVersion, type Version} from './version.js'

/**
 * What a QEMU can do for COLO. What was probed comes from the probe; the rest from its version, because no probe can
 * tell (a broken release looks like a good one until a guest runs).
 */
export interface QemuCapabilities {
  readonly version: string
  /** `broken`: enters COLO wrongly or not at all; `absent`: built without it; `untested`: nobody has seen it work */
  readonly colo: 'works' | 'untested' | 'broken' | 'absent'
  /** why `colo` says so; for people */
  readonly reason: string
  /** the capability `return-path` must be set together with `x-colo`, on both sides; else it must stay off */
  readonly returnPath: boolean
  /** the option of a client chardev that reconnects */
  readonly reconnect: 'reconnect' | 'reconnect-ms'
  /** q35's AHCI survives loading a checkpoint */
  readonly q35: boolean
  /** the capability `pause-before-switchover` works together with COLO */
  readonly pauseBeforeSwitchover: boolean
  /** COLO works without KVM */
  readonly tcg: boolean
  /** objects, commands and drivers this build lacks */
  readonly missing: readonly string[]
}

/** A range of releases and what is known of it. `before` is excluded. */
export interface VersionRule {
  readonly from: Version
  readonly before: Version
  readonly colo: 'works' | 'untested' | 'broken'
  readonly reason: string
  readonly source: string
}

const brokenTransition = 'the step from live migration to COLO is broken (fixed in 10.0.7 and 10.2)'
const brokenSource = 'qemu 4881411136; qemu-devel 20251104013606.1937764, Li Zhijian'

/** Releases from old to new, without gaps from 7.2 on. */
export const versionRules: readonly VersionRule[] = [
  {
    from: [0, 0, 0],
    before: [7, 2, 0],
    colo: 'broken',
    reason: 'older than 7.2, the oldest release colo knows',
    source: 'qemu-colo.md 10.2',
  },
  {
    from: [7, 2, 0],
    before: [8, 0, 0],
    colo: 'works',
    reason: 'seen to work: 7.2.22',
    source: 'qemu-colo.md 10.1, measured',
  },
  {
    from: [8, 0, 0],
    before: [8, 2, 0],
    colo: 'untested',
    reason: 'nobody has been seen running COLO on 8.0 and 8.1 with colo',
    source: 'qemu-colo.md 0',
  },
  {
    from: [8, 2, 0],
    before: [9, 1, 0],
    colo: 'untested',
    reason: 'the secondary may abort in bdrv_graph_rdlock_main_loop unless the fix was backported',
    source: 'qemu 2cc637f1ea',
  },
  {from: [9, 1, 0], before: [10, 0, 0], colo: 'untested', reason: 'not tried with colo', source: 'qemu-colo.md 0'},
  {from: [10, 0, 0], before: [10, 0, 7], colo: 'broken', reason: brokenTransition, source: brokenSource},
  {
    from: [10, 0, 7],
    before: [10, 1, 0],
    colo: 'works',
    reason: 'seen to work: 10.0.13',
    source: 'qemu-colo.md 10.1, measured',
  },
  {from: [10, 1, 0], before: [10, 2, 0], colo: 'broken', reason: brokenTransition, source: brokenSource},
  {from: [10, 2, 0], before: [11, 1, 0], colo: 'untested', reason: 'not tried with colo', source: 'qemu-colo.md 0'},
  {
    from: [11, 1, 0],
    before: [12, 0, 0],
    colo: 'works',
    reason: 'seen to work: 11.1.3',
    source: 'qemu-colo.md 10.1, measured',
  },
  {
    from: [12, 0, 0],
    before: [Infinity, 0, 0],
    colo: 'untested',
    reason: 'newer than 11, the newest release colo knows; the interface of COLO is not stable',
    source: 'qemu-colo.md 1',
  },
]

/** What COLO needs of a build. @see facts/qemu-colo.md 10.1: all absent without CONFIG_REPLICATION */
export const neededObjects = ['filter-mirror', 'filter-redirector', 'filter-rewriter', 'colo-compare'] as const
export const neededCommands = [
  'x-colo-lost-heartbeat',
  'query-colo-status',
  'x-blockdev-change',
  'yank',
  'block-export-add',
] as const
export const neededDrivers = ['replication', 'quorum', 'nbd', 'qcow2'] as const

/** @param qemu what was probed */
export function capabilitiesOf(qemu: QemuFacts): QemuCapabilities {
  const version = parseVersion(qemu.version) ?? [0, 0, 0]
  const rule = ruleFor(version)
  const missing = [
    ...neededObjects.filter((name) => !qemu.objectTypes.includes(name)),
    ...neededCommands.filter((name) => !qemu.commands.includes(name)),
    ...neededDrivers.filter((name) => !qemu.blockDrivers.includes(name)),
    ...(qemu.coloAccepted || qemu.coloNeedsReturnPath ? [] : ['x-colo']),
  ]
  const absent = missing.length > 0
  return {
    version: qemu.version,
    colo: absent ? 'absent' : rule.colo,
    reason: absent ? `this build lacks ${missing.join(', ')}` : rule.reason,
    returnPath: qemu.coloNeedsReturnPath,
    reconnect: isAtLeast(version, [9, 2, 0]) ? 'reconnect-ms' : 'reconnect',
    q35: isAtLeast(version, [11, 0, 0]),
    pauseBeforeSwitchover: pausesBeforeSwitchover(version),
    tcg: isAtLeast(version, [11, 1, 0]),
    missing,
  }
}

/** The rule for a version; the table has no gaps. */
export function ruleFor(version: Version): VersionRule {
  const rule = versionRules.find(({from, before}) => isAtLeast(version, from) && compareVersions(version, before) < 0)
  if (rule === undefined) throw new Error(`no rule for QEMU ${version.join('.')}`)
  return rule
}

/** With older ones the primary ends as after a plain migration: both sides dead. @see facts/qemu-colo.md 4, trap of step 6b */
function pausesBeforeSwitchover(version: Version): boolean {
  return isAtLeast(version, [10, 0, 7]) && ruleFor(version).colo !== 'broken'
}

import type {LatchedFact} from './observation.js'
import {currencyOf, type PairRecord} from './record.js'

/** What a clean stop of the primary says of the other copy: `equal` to it, or `only` this one has every write. */
export type CleanStop = 'equal' | 'only'

/** What the agent of the primary knows when its QEMU has ended after a power-off. */
export interface StopEvidence {
  /** protection was watched from its beginning to the end */
  readonly watched: boolean
  /** a write or a flush did not arrive at the secondary */
  readonly missedWrites: boolean
  readonly latched: readonly LatchedFact[]
  /** when the guest was off, milliseconds: what was latched later belongs to the end */
  readonly offAtMs: number
  /** names of the NBD nodes that lead to the secondary */
  readonly peerNodes: readonly string[]
}

/** Facts that come with every end of a QEMU in lock-step. */
const ofTheEnd: ReadonlySet<LatchedFact['kind']> = new Set(['colo-exit', 'chardev-lost', 'qemu-gone', 'shutdown'])

/**
 * Judges the end of a primary whose guest powered off and whose disks were flushed after it (design.md, section 3: clean stop).
 *
 * @returns `equal` only when nothing at all speaks against it; a text when not even this copy is whole
 */
export function judgeStop(record: PairRecord, evidence: StopEvidence): CleanStop | {readonly unclean: string} {
  const {role, marks, alone, wasProtected} = record
  if (role !== 'primary') return {unclean: 'this copy is the secondary'}
  if (marks.stale !== undefined) return {unclean: `this copy is stale: ${marks.stale}`}
  if (marks.incomplete !== undefined) return {unclean: marks.incomplete.detail}
  const local = evidence.latched.find((fact) => isLocalError(fact, evidence.peerNodes))
  if (local !== undefined) return {unclean: `a disk of this host failed: ${local.detail}`}
  const early = evidence.latched.filter(({kind, atMs}) => !ofTheEnd.has(kind) || atMs < evidence.offAtMs)
  const isEqual = !alone && wasProtected && evidence.watched && !evidence.missedWrites && early.length === 0
  return isEqual ? 'equal' : 'only'
}

function isLocalError({kind, detail}: LatchedFact, peerNodes: readonly string[]): boolean {
  if (kind === 'block-io-error') return true
  if (kind !== 'quorum-report-bad' || detail.startsWith('read ')) return false
  return !peerNodes.some((node) => detail.split(/[ :]/).includes(node))
}

/** What the record of a primary that was stopped cleanly says of the other copy; undefined while it was not. */
export function cleanStopOf({role, clean, alone, wasProtected}: PairRecord): CleanStop | undefined {
  if (role !== 'primary' || !clean) return undefined
  return wasProtected && !alone ? 'equal' : 'only'
}

/** Both copies hold the same: each was noted as clean in one generation, the primary's with the other as its equal (S4). */
export function areEqualCopies(a: PairRecord, b: PairRecord): boolean {
  const [primary, secondary] = a.role === 'primary' ? [a, b] : [b, a]
  return (
    a.generation.id === b.generation.id &&
    cleanStopOf(primary) === 'equal' &&
    secondary.role === 'secondary' &&
    secondary.clean &&
    !secondary.alone &&
    currencyOf(secondary) === 'promotable'
  )
}

import type {CopyFault} from './copy-faults.js'
import {standing, type Claim} from './generation.js'
import type {PeerWord} from './observation.js'
import type {PairRecord} from './record.js'
import {decideStart} from './start-rules.js'

/** What an agent does with its copy of a pair after its host has booted. */
export type BootDecision =
  | {readonly kind: 'start'; readonly merge: boolean; readonly why: string}
  /** it is outdated, the other one runs alone, and may make a secondary of it again */
  | {readonly kind: 'rejoin'; readonly why: string}
  /** asked again in a while: what is missing, and may come */
  | {readonly kind: 'wait'; readonly why: string}
  /** nothing more is done without a person's word, or without the other side */
  | {readonly kind: 'leave'; readonly why: string}

export interface BootInput {
  readonly record: PairRecord
  /** last word of the peer's agent */
  readonly peer: PeerWord | undefined
  readonly nowMs: number
  /** what is wrong with the files of this copy */
  readonly faults: readonly CopyFault[]
}

/** A word is said twice a second; an older one than this may no longer be true, milliseconds. */
const freshMs = 2000

/**
 * The start rules for a host that is back, with nobody at the keyboard. Stricter than those of `colo pair start`: nothing starts before the
 * peer's agent has said where it stands, nor while a copy runs there. A pair that was stopped on purpose stays stopped.
 */
export function decideBoot({record, peer, nowMs, faults}: BootInput): BootDecision {
  const {host, spec} = record
  const own = decideStart({
    pair: spec.name,
    records: [record],
    silent: [],
    alone: host,
    faults: new Map([[host, faults]]),
  })
  if (record.clean && record.startAtBoot !== true) return {kind: 'leave', why: 'it was stopped on purpose'}
  const fresh = peer === undefined || nowMs - peer.atMs > freshMs ? undefined : peer
  const [fault] = faults
  // an image that is not the recorded one is nobody's to overwrite unasked
  if (fault === undefined && isOutdated(record, fresh)) return decideRejoin(record, fresh)
  if ('refuse' in own) return {kind: 'leave', why: own.refuse}
  if (fresh === undefined) return {kind: 'wait', why: unheard(record)}
  return decideHeard(record, fresh, own.merge)
}

/** This copy has everything it may need; where does the other one stand? */
function decideHeard(record: PairRecord, peer: PeerWord, merge: boolean): BootDecision {
  const start = (why: string): BootDecision =>
    peer.domain === 'absent'
      ? {kind: 'start', merge, why}
      : {kind: 'wait', why: `a copy of it runs on ${record.peer} (${peer.domain})`}
  switch (standing(record, claimOf(record, peer))) {
    case 'older':
      return {kind: 'leave', why: `${record.peer} went on in the newer generation ${peer.epoch}`}
    case 'unrelated':
      return {
        kind: 'leave',
        why: `both copies went on alone (generation ${record.generation.epoch} here, ${peer.epoch} there)`,
      }
    case 'newer':
      return start('it holds the newer generation')
    case 'equal':
      if (record.alone) return start('it went on alone')
      if (peer.alone) return {kind: 'leave', why: `${record.peer} went on alone`}
      if (record.role === 'primary' && peer.role === 'secondary') return start('it was the primary')
      return {kind: 'leave', why: `the copy on ${record.peer} is the primary`}
  }
}

function unheard({peer}: PairRecord): string {
  return `it waits for a word of the agent on ${peer}, whose copy may have gone on in a newer generation`
}

function claimOf({host, peer}: PairRecord, {generation, alone}: PeerWord): Claim {
  return {host: peer, peer: host, generation, alone}
}

/** By its own marks, or by what the peer says: this copy is a secondary's, or that of a primary that lost. */
function isOutdated(record: PairRecord, peer: PeerWord | undefined): boolean {
  const {stale, incomplete, notPromotable} = record.marks
  if (stale !== undefined || incomplete?.why === 'resync') return true
  if (record.role === 'secondary' && !record.alone && notPromotable !== undefined) return true
  if (peer === undefined) return false
  const stands = standing(record, claimOf(record, peer))
  const leads = peer.role === 'primary' && record.role === 'secondary' && !record.alone
  return stands === 'older' || (stands === 'equal' && leads)
}

/** The copy that runs is waited for, and what is about to become of it: a resync overwrites this one. */
function decideRejoin({peer, spec}: PairRecord, word: PeerWord | undefined): BootDecision {
  const {name} = spec
  if (spec.engine === 'xen') return {kind: 'leave', why: `the copy on ${peer} is the newer one`}
  if (spec.resync === 'manual') return {kind: 'leave', why: 'resync: manual leaves that to a person'}
  if (word === undefined) return {kind: 'wait', why: `it waits for a word of the agent on ${peer}`}
  if (word.domain === 'absent') return {kind: 'wait', why: `it waits for the copy on ${peer} to run`}
  if (!word.alone || word.role !== 'primary') {
    const failover = `colo pair failover ${name} --to ${peer}`
    return {kind: 'wait', why: `it waits for the copy on ${peer} to go on alone: ${failover}`}
  }
  return {kind: 'rejoin', why: `the copy on ${peer} goes on in generation ${word.epoch}`}
}

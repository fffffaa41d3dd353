import type {CopyFault} from './copy-faults.js'
import {standing} from './generation.js'
import type {PeerWord} from './observation.js'
import type {PairRecord} from './record.js'
import {decideStart} from './start-rules.js'

/** What an agent does with its copy of a pair after its host has booted. */
export type BootDecision =
  | {readonly kind: 'start'; readonly merge: boolean; readonly why: string}
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
  const pair = spec.name
  const own = decideStart({pair, records: [record], silent: [], alone: host, faults: new Map([[host, faults]])})
  if ('refuse' in own) return {kind: 'leave', why: own.refuse}
  if (record.clean && record.startAtBoot !== true) return {kind: 'leave', why: 'it was stopped on purpose'}
  if (peer === undefined || nowMs - peer.atMs > freshMs) {
    const why = `it waits for a word of the agent on ${record.peer}, whose copy may have gone on in a newer generation`
    return {kind: 'wait', why}
  }
  const start = (why: string): BootDecision =>
    peer.domain === 'absent'
      ? {kind: 'start', merge: own.merge, why}
      : {kind: 'wait', why: `a copy of it runs on ${record.peer} (${peer.domain})`}
  switch (standing(record, {host: record.peer, peer: host, generation: peer.generation, alone: peer.alone})) {
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

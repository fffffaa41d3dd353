import {kinship} from './generation.js'
import type {PairRecord} from './record.js'

/** Which copy may start (design.md, section 3), or why none may. */
export type StartDecision =
  | {readonly start: string; readonly merge: boolean; readonly why: string}
  | {readonly refuse: string; readonly splitBrain: boolean; readonly hint: string}

export interface StartInput {
  readonly pair: string
  /** records that could be read */
  readonly records: readonly PairRecord[]
  /** hosts of the pair that do not answer */
  readonly silent: readonly string[]
  /** `--alone HOST`, confirmed by name */
  readonly alone?: string | undefined
}

/**
 * The start rules. A missing or unmatched record is never current; `stale` and interrupted copies never start; with a silent peer only
 * the operator's explicit word starts a copy that was last protected or stopped cleanly (S4).
 */
export function decideStart(input: StartInput): StartDecision {
  const {records, pair} = input
  const [a, b] = records
  if (a === undefined) return refuse('no host of the pair answers with a record', `colo pair status ${pair}`)
  if (b === undefined) return onlyOne(a, input)
  switch (kinship(a.generation, b.generation)) {
    case 'unrelated':
      return {
        refuse: `both copies went on alone (${a.host} in generation ${a.generation.epoch}, ${b.host} in ${b.generation.epoch})`,
        splitBrain: true,
        hint: 'one copy must be discarded by name first',
      }
    case 'newer':
      return may(a, 'it holds the newer generation')
    case 'older':
      return may(b, 'it holds the newer generation')
    case 'equal':
      return ofSameGeneration(a, b)
  }
}

function ofSameGeneration(a: PairRecord, b: PairRecord): StartDecision {
  if (a.alone !== b.alone) return may(a.alone ? a : b, 'it went on alone')
  const primary = a.role === 'primary' ? a : b
  if (a.clean && b.clean) return may(primary, 'both copies were stopped cleanly and are equal')
  return may(primary, 'it was the primary')
}

function onlyOne(record: PairRecord, input: StartInput): StartDecision {
  const {pair, silent, alone} = input
  if (record.alone) return may(record, 'it went on alone')
  if (alone === record.host) return may(record, 'you said so')
  return refuse(
    `${silent.join(' and ') || record.peer} does not answer, and may have gone on in a newer generation`,
    `start it there, or accept the risk: colo pair start ${pair} --alone ${record.host}`,
  )
}

function may(record: PairRecord, why: string): StartDecision {
  const {stale, incomplete} = record.marks
  const host = record.host
  if (stale !== undefined) return refuse(`the copy on ${host} is stale: ${stale}`, 'bring the other host back')
  if (incomplete?.why === 'resync') {
    return refuse(`the copy on ${host} is incomplete: ${incomplete.detail}`, 'bring the other host back')
  }
  if (record.role === 'secondary' && record.marks.notPromotable !== undefined) {
    return refuse(`the copy on ${host} missed writes: ${record.marks.notPromotable}`, 'bring the other host back')
  }
  return {start: host, merge: incomplete?.why === 'commit', why}
}

function refuse(text: string, hint: string): StartDecision {
  return {refuse: text, splitBrain: false, hint}
}

import {kinship} from './generation.js'
import type {Generation, PairRecord} from './record.js'

/**
 * Why a copy must not be let go on alone, as its own record tells it (S2, S4); undefined when it may. The last word has the agent that
 * holds the record: between a plan and its grant the copy may have missed a write, or the other side may have gone on.
 *
 * @param next generation in which it would go on
 */
export function forbidsAlone(record: PairRecord, next: Generation | undefined): string | undefined {
  const {marks, role, alone, generation} = record
  if (marks.stale !== undefined) return `its copy is stale: ${marks.stale}`
  if (marks.incomplete?.why === 'resync') return `its copy is incomplete: ${marks.incomplete.detail}`
  if (role === 'secondary' && marks.notPromotable !== undefined) return `its copy missed writes: ${marks.notPromotable}`
  if (next === undefined) return alone ? undefined : 'it would go on alone without a new generation'
  const kin = kinship(generation, next)
  if (kin === 'older' || (kin === 'equal' && alone)) return undefined
  return `generation ${next.epoch} does not follow from its own, ${generation.epoch}`
}

/** Why the taps of a copy must stay down (S1); undefined when its guest may be heard. */
export function forbidsOutput({host, marks, role}: PairRecord): string | undefined {
  if (marks.stale !== undefined) return `the copy on ${host} is stale: ${marks.stale}`
  if (role === 'secondary') return `the copy on ${host} is the secondary`
  return undefined
}

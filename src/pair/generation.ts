import type {Generation} from './record.js'

/** How many ancestors a record keeps; older ones can no longer be told from strangers. */
export const ancestorLimit = 256

/** The first generation of a pair. `id` is a fresh random id (UUID). */
export function firstGeneration(id: string): Generation {
  return {epoch: 1, id, ancestors: []}
}

/** The generation that follows `parent`. */
export function nextGeneration(parent: Generation, id: string): Generation {
  return {epoch: parent.epoch + 1, id, ancestors: [parent.id, ...parent.ancestors].slice(0, ancestorLimit)}
}

/**
 * The generation in which a split-brain ends: it follows from both, so that the discarded copy is outdated from then on wherever it turns up.
 */
export function mergedGeneration(kept: Generation, discarded: Generation, id: string): Generation {
  const epoch = Math.max(kept.epoch, discarded.epoch) + 1
  return {epoch, id, ancestors: [kept.id, discarded.id, ...kept.ancestors].slice(0, ancestorLimit)}
}

/** How two generations stand to each other. */
export type Kinship = 'equal' | 'newer' | 'older' | 'unrelated' | 'untold'

/**
 * Kinship of `own` seen against `other` (S4): `older` when `own` is among the ancestors of `other`, `newer` the other way round. In every other
 * unequal case `unrelated`, even with a lower number: split-brain. `untold` when one is older than the oldest ancestor the other still
 * lists: the ids alone cannot tell, see `standing`.
 */
export function kinship(own: Generation, other: Generation): Kinship {
  if (own.id === other.id) return 'equal'
  if (other.ancestors.includes(own.id)) return 'older'
  if (own.ancestors.includes(other.id)) return 'newer'
  return isBeyond(own, other) || isBeyond(other, own) ? 'untold' : 'unrelated'
}

/** `old` comes before everything that the list of `young` reaches back to. */
function isBeyond(old: Generation, young: Generation): boolean {
  return old.epoch < young.epoch - young.ancestors.length
}

/** What decides how two copies stand: parts of a record, or of a peer's word. */
export interface Claim {
  readonly host: string
  readonly peer: string
  readonly generation: Generation
  readonly alone: boolean
}

/**
 * How two copies stand to each other, with what their records say beside the ids:
 *
 * - A copy that does not go on alone holds nothing acknowledged that its peer of that generation did not have. So when the ids cannot tell,
 *   it is outdated by a newer one of the very host it names as its peer; one that went on alone is a rival.
 * - Two that both went on alone in one generation are rivals, too.
 */
export function standing(own: Claim, other: Claim): Exclude<Kinship, 'untold'> {
  const kin = kinship(own.generation, other.generation)
  if (kin === 'equal' && own.alone && other.alone) return 'unrelated'
  if (kin !== 'untold') return kin
  const isOld = own.generation.epoch < other.generation.epoch
  const [old, young] = isOld ? [own, other] : [other, own]
  if (old.alone || old.peer !== young.host || young.peer !== old.host) return 'unrelated'
  return isOld ? 'older' : 'newer'
}

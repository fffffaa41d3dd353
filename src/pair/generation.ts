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

/** How two copies' generations stand to each other. */
export type Kinship = 'equal' | 'newer' | 'older' | 'unrelated'

/**
 * Kinship of `own` seen against `other` (S4): `older` when `own` is among the ancestors of `other`,
 * `newer` the other way round, `unrelated` in every other unequal case, even with a lower number: split-brain.
 */
export function kinship(own: Generation, other: Generation): Kinship {
  if (own.id === other.id) return 'equal'
  if (other.ancestors.includes(own.id)) return 'older'
  if (own.ancestors.includes(other.id)) return 'newer'
  return 'unrelated'
}

import {authorityOf} from '../pair/assess.js'
import {standing} from '../pair/generation.js'
import type {OperationContext} from './context.js'
import {clientsOf, seenOf, type FoundPair} from './sides.js'

/**
 * First contact after a cut (S1): a side whose generation is among the other's ancestors is told of the newer one. Its agent fences the
 * taps at once and marks the copy stale, whether or not anybody resyncs it.
 *
 * @returns the host that was told, if any
 */
export async function learnGenerations(context: OperationContext, found: FoundPair): Promise<string | undefined> {
  const {primary, other, splitBrain} = authorityOf(found.sides.map(seenOf))
  if (primary === undefined || other === undefined || splitBrain || !primary.record.alone) return undefined
  if (other.record.marks.stale !== undefined || other.record.marks.incomplete !== undefined) return undefined
  if (standing(other.record, primary.record) !== 'older') return undefined
  await clientsOf(found.sides)
    .get(other.host)
    ?.call(
      'generation.learn',
      {pair: found.pair, generation: primary.record.generation, alone: primary.record.alone},
      {timeoutMs: 3000, signal: context.signal},
    )
    .catch((error: unknown) => {
      // it has fallen silent before it writes; what it cannot write it is told again
      context.progress.note(`${other.host} could not note the newer generation: ${(error as Error).message}`)
    })
  return other.host
}

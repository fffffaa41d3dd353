import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {Generation} from '../pair/record.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import type {Plan} from './plan.js'

export interface ResolveInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly keep: string
  readonly discard: string
  /** the generation that follows from both; undefined when the kept copy does not go on alone (its pair has another secondary) */
  readonly generation: Generation | undefined
  /** what the record of the discarded copy says from now on */
  readonly stale: string
}

/**
 * Ends a split-brain. The discarded copy is marked before anything of it is ended, so that it can never start again; what the other one runs is
 * not touched, and its new generation makes the discarded one outdated wherever it turns up.
 */
export function planResolve({planId, identity, keep, discard, generation, stale}: ResolveInput): Plan {
  const layout = layoutOfPair(identity)
  const pair = identity.spec.name
  return {
    id: planId,
    kind: 'resolve',
    pair,
    title: `resolve ${pair}: keep the copy on ${keep}, discard the one on ${discard}`,
    finish: `colo pair resolve ${pair} --discard ${discard}`,
    pointOfNoReturn: `${discard}/discard`,
    steps: [
      step(discard, 'discard', 'note that this copy is discarded', [
        {
          kind: 'record-change',
          change: {role: 'secondary', alone: false, wasProtected: false, clean: false, marks: {stale}},
        },
      ]),
      step(discard, 'end', 'end the discarded copy', [
        ...network.taps(layout, 'down'),
        {kind: 'domain-destroy', domain: layout.domain},
        ...network.noTapFilters(layout),
      ]),
      ...(generation === undefined
        ? []
        : [
            step(keep, 'merged', 'note that this copy follows from both', [
              {kind: 'record-change', change: {generation}},
            ]),
          ]),
    ],
  }
}

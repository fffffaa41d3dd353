import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {Generation, Marks} from '../pair/record.js'
import {primaryAlone} from './parts/detach.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import type {Plan} from './plan.js'

export interface SuspendInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly primary: string
  /** the secondary, when its host answers */
  readonly secondary: string | undefined
  readonly generation: Generation
  /** all marks of the primary, with the one that says who suspended it */
  readonly marks: Marks
}

/** The primary goes on alone in a new generation; the secondary is ended, its disks and its place stay. */
export function planSuspend({planId, identity, primary, secondary, generation, marks}: SuspendInput): Plan {
  const layout = layoutOfPair(identity)
  const {name} = identity.spec
  return {
    id: planId,
    kind: 'suspend',
    pair: name,
    title: `suspend the protection of ${name}: ${primary} goes on alone`,
    finish: `colo pair suspend ${name}`,
    pointOfNoReturn: `${primary}/alone`,
    steps: [
      ...primaryAlone({layout, primary, generation, marks}),
      ...(secondary === undefined
        ? []
        : [
            step(secondary, 'stale', 'note that this copy is stale', [
              {
                kind: 'record-change',
                change: {
                  role: 'secondary',
                  alone: false,
                  marks: {stale: 'the protection was suspended; the other side goes on'},
                },
              },
            ]),
            step(secondary, 'end', 'end the secondary', [
              ...network.taps(layout, 'down'),
              {kind: 'domain-destroy', domain: layout.domain},
              ...network.noTapFilters(layout),
            ]),
          ]),
    ],
  }
}

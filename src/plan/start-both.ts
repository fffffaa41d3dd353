import {nextGeneration} from '../pair/generation.js'
import {layoutOfPair, type MemberXml, type PairIdentity} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import type {Generation} from '../pair/record.js'
import {enterLockStep, prepareComparer, recordProtected, secondaryUp, yank, type AttachInput} from './parts/attach.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Plan, Step} from './plan.js'

export interface StartBothInput {
  readonly planId: string
  readonly identity: PairIdentity
  /** either of two equal copies */
  readonly primary: string
  readonly secondary: string
  /** the one both are in once protected */
  readonly generation: Generation
  /** an earlier start was cut off before its point of no return: what it left never ran, and is ended first */
  readonly leftOver: boolean
  readonly xml: MemberXml
}

/**
 * Starts two copies that were stopped cleanly and are equal: nothing is copied. Every write of the guest goes to both from its first
 * instruction on, because it runs only when the secondary's disks hang below the primary's.
 *
 * Until it runs all of it can be taken back, and the copies stay clean and equal.
 */
export function planStartBoth(input: StartBothInput): Plan {
  const {identity, primary, secondary, generation} = input
  const layout = layoutOfPair(identity)
  const otherwise = nextGeneration(generation, input.planId)
  const between: AttachInput = {...input, layout, primaryWasSecondary: false, otherwise}
  return {
    id: input.planId,
    kind: 'start',
    pair: identity.spec.name,
    title: `start ${identity.spec.name} on ${primary}, protected by ${secondary}`,
    finish: `colo pair start ${identity.spec.name}`,
    pointOfNoReturn: `${primary}/alone`,
    steps: [
      ...(input.leftOver ? [secondary, primary].map((host) => endLeftOver(layout, host)) : []),
      ...[primary, secondary].map((host) =>
        step(host, 'verify', 'see that no image was written to', [{kind: 'images-at-rest'}]),
      ),
      step(
        primary,
        'domain',
        'make the primary, not running yet',
        [
          ...storage.memberFiles(identity, layout, primary),
          {kind: 'domain-create', domain: layout.domain, xml: input.xml('primary', primary)},
          ...network.tapFilters(layout),
        ],
        {undo: [{kind: 'domain-destroy', domain: layout.domain}, ...network.noTapFilters(layout)]},
      ),
      ...secondaryUp(between),
      joinDisks(between),
      prepareComparer(between),
      step(primary, 'alone', 'note that this side goes on alone', [
        {
          kind: 'record-change',
          change: {
            role: 'primary',
            peer: secondary,
            generation,
            alone: true,
            wasProtected: false,
            clean: false,
            startAtBoot: false,
            marks: {},
          },
        },
      ]),
      step(secondary, 'incomplete', 'note that this copy is not protected yet', [
        {
          kind: 'record-change',
          change: {
            role: 'secondary',
            peer: primary,
            alone: false,
            clean: false,
            startAtBoot: false,
            marks: {incomplete: {why: 'resync', detail: `being started with ${primary}`}},
          },
        },
      ]),
      step(primary, 'run', 'start the guest', [
        storage.recordImages(layout, primary),
        {kind: 'vm-continue'},
        {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
      ]),
      ...enterLockStep(between),
      ...recordProtected(between),
    ],
  }
}

/** What a mirror would end with, without the mirror: the copies are equal, and neither runs. */
function joinDisks({identity, layout, primary, secondary}: AttachInput): Step {
  return step(
    primary,
    'join-disks',
    'replicate every write',
    [
      ...storage.nbdNodes(identity, layout, secondary),
      ...layout.disks.map((disk) => ({kind: 'quorum-child-add', quorum: disk.quorum, node: disk.nbd}) as const),
    ],
    {undo: [...yank(layout), ...storage.noSecondChildren(layout), ...storage.noNbdNodes(layout)]},
  )
}

function endLeftOver(layout: PairLayout, host: string): Step {
  return step(host, 'end-left', 'end what an earlier start left', [
    ...network.taps(layout, 'down'),
    {kind: 'domain-destroy', domain: layout.domain},
    ...network.noTapFilters(layout),
  ])
}

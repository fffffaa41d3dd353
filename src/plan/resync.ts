import {nextGeneration} from '../pair/generation.js'
import {layoutOfPair, type MemberXml, type PairIdentity} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import {recordFormat, type Generation, type PairRecord} from '../pair/record.js'
import {attach, promotableStep, recordProtected, secondaryUp, yank, type AttachInput} from './parts/attach.js'
import {primaryAlone} from './parts/detach.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Placement} from './action.js'
import type {Plan, Step} from './plan.js'

export interface ResyncInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly primary: string
  readonly secondary: string
  /** the generation the primary is in, or goes into when it still is in lock-step with a broken peer */
  readonly generation: Generation
  /** the primary has not left lock-step: it goes on alone first */
  readonly detachFirst: boolean
  /** the secondary's host has a record of this pair */
  readonly secondaryKnown: boolean
  /** the primary's QEMU was started as a secondary and promoted later */
  readonly primaryWasSecondary: boolean
  readonly xml: MemberXml
  readonly nowMs: number
  /** the command that finishes it; that of a resync unless told */
  readonly finish?: string
  /** the secondary is on another host than before */
  readonly placement?: Placement
}

/**
 * A new or returning secondary is brought level and the pair becomes protected again. The whole of each disk is copied; the
 * secondary's copy is marked `incomplete` before anything of it is overwritten. Once it may take over nothing is taken back: the primary
 * would go on alone in a generation in which the secondary could be promoted, too.
 */
export function planResync(input: ResyncInput): Plan {
  const {identity, primary, secondary, generation} = input
  const layout = layoutOfPair(identity)
  const between: AttachInput = {
    primaryWasSecondary: input.primaryWasSecondary,
    identity,
    layout,
    primary,
    secondary,
    generation,
    otherwise: nextGeneration(generation, input.planId),
    xml: input.xml,
    placement: input.placement,
  }
  return {
    id: input.planId,
    kind: 'resync',
    pair: identity.spec.name,
    title: `protect ${identity.spec.name} again: ${primary} by ${secondary}`,
    finish: input.finish ?? `colo pair resync ${identity.spec.name}`,
    pointOfNoReturn: promotableStep(secondary),
    steps: [
      ...(input.detachFirst ? primaryAlone({layout, primary, generation}) : []),
      clearPrimary(layout, primary),
      step(secondary, 'incomplete', 'note that this copy is being replaced', [
        input.secondaryKnown
          ? {
              kind: 'record-change',
              change: {
                role: 'secondary',
                alone: false,
                clean: false,
                marks: {incomplete: {why: 'resync', detail: `being copied from ${primary}`}},
                ...(input.placement === undefined ? {} : {...input.placement, generation, peer: primary}),
              },
            }
          : {kind: 'record-create', record: newSecondaryRecord(input)},
      ]),
      step(secondary, 'end-old', 'end what is left of the old copy', [
        ...network.taps(layout, 'down'),
        {kind: 'domain-destroy', domain: layout.domain},
        ...network.noTapFilters(layout),
      ]),
      ...network.provenLinks(layout, {primary, secondary}),
      step(secondary, 'images', 'make the images', storage.images(layout, secondary)),
      ...secondaryUp(between),
      ...attach(between),
      ...recordProtected(between),
    ],
  }
}

/**
 * What an attempt that died left on the primary: a mirror, an NBD client of a secondary that is ended now, filters. Left there, nothing
 * could be attached again, and a target that is a child of the quorum would pass for a copied one.
 */
function clearPrimary(layout: PairLayout, primary: string): Step {
  return step(primary, 'clear', 'remove what an earlier attempt left', [
    ...yank(layout),
    {kind: 'migrate-cancel'},
    {kind: 'mirrors-abort', disks: storage.mirrorsOf(layout)},
    ...storage.noSecondChildren(layout),
    ...network.noPrimaryObjects(layout),
    ...storage.noNbdNodes(layout),
    {kind: 'vm-continue'},
  ])
}

function newSecondaryRecord(input: ResyncInput): PairRecord {
  return {
    format: recordFormat,
    ...input.identity,
    host: input.secondary,
    peer: input.primary,
    role: 'secondary',
    generation: input.generation,
    alone: false,
    wasProtected: false,
    clean: false,
    marks: {incomplete: {why: 'resync', detail: `being copied from ${input.primary}`}},
    images: [],
    updatedAtMs: input.nowMs,
  }
}

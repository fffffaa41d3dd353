import type {CopyFault} from '../pair/copy-faults.js'
import {layoutOfPair, type MemberXml, type PairIdentity} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import type {Generation, Marks} from '../pair/record.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Plan, Step} from './plan.js'

export interface StartInput {
  readonly planId: string
  readonly identity: PairIdentity
  /** the side the start rules chose */
  readonly host: string
  readonly peer: string
  readonly generation: Generation
  /** QEMU died while the promoted copy still committed its overlays: they are merged offline first */
  readonly mergeOverlays: boolean
  /** names of the disks whose overlays are to be merged; all unless told */
  readonly unmerged?: readonly string[] | undefined
  /** the mark of a suspended protection, which a start does not end */
  readonly suspended?: string | undefined
  /** the other host's copy is stale and still runs, fenced: it is ended first */
  readonly endPeer?: boolean
  /** what is wrong with the files of the copy and was accepted by name */
  readonly accepted: ReadonlyArray<CopyFault['kind']>
  readonly xml: MemberXml
}

/** Starts the chosen copy alone, in a new generation; the other side is brought level by a resync afterwards. */
export function planStart(input: StartInput): Plan {
  const {identity, host, generation} = input
  const layout = layoutOfPair(identity)
  const kept: Marks = input.suspended === undefined ? {} : {suspended: input.suspended}
  return {
    id: input.planId,
    kind: 'start',
    pair: identity.spec.name,
    title: `start ${identity.spec.name} on ${host}`,
    finish: `colo pair start ${identity.spec.name}`,
    pointOfNoReturn: `${host}/alone`,
    steps: [
      ...(input.endPeer === true ? [endStale(layout, input.peer)] : []),
      step(host, 'verify', 'compare the images with the record', [{kind: 'images-verify', accepted: input.accepted}]),
      ...(input.mergeOverlays
        ? [
            step(
              host,
              'merge',
              'merge the overlays into the disk',
              storage.mergeOverlays(identity, layout, {host, names: input.unmerged}),
            ),
            step(host, 'merged', 'note that the disk is complete', [
              {kind: 'record-change', change: {marks: kept}},
              ...storage.noOverlays(identity, layout, host),
            ]),
          ]
        : []),
      step(host, 'alone', 'note that this side goes on alone', [
        {
          kind: 'record-change',
          change: {
            role: 'primary',
            generation,
            alone: true,
            wasProtected: false,
            clean: false,
            startAtBoot: false,
            marks: kept,
          },
        },
      ]),
      step(host, 'domain', 'start the guest', [
        ...storage.memberFiles(identity, layout, host),
        {kind: 'domain-create', domain: layout.domain, xml: input.xml('primary', host)},
        ...network.tapFilters(layout),
        storage.recordImages(layout, host),
        {kind: 'vm-continue'},
        {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
      ]),
    ],
  }
}

function endStale(layout: PairLayout, host: string): Step {
  return step(host, 'end-stale', 'end the stale copy', [
    ...network.taps(layout, 'down'),
    {kind: 'domain-destroy', domain: layout.domain},
    ...network.noTapFilters(layout),
  ])
}

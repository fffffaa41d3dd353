import {imagePath, layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import type {Action} from './action.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Plan, Step} from './plan.js'

export interface DestroyInput {
  readonly planId: string
  readonly identity: PairIdentity
  /** the side whose disks are kept */
  readonly keep: string
  /** sides to clean up, those that answer */
  readonly hosts: readonly string[]
  /** the other side's images go too */
  readonly deleteCopies: boolean
  /** definition of the plain domain for the kept side; it is what libvirt has again in the end */
  readonly plain?: string | undefined
}

/**
 * Ends a pair: both copies, their overlays, rules and records. The disks of the current side stay. The secondary goes first, and the
 * record of each side last, so that an interrupted destroy can be run again.
 */
export function planDestroy(input: DestroyInput): Plan {
  const {identity, keep} = input
  const layout = layoutOfPair(identity)
  const order = [...input.hosts].sort((a, b) => Number(a === keep) - Number(b === keep))
  return {
    id: input.planId,
    kind: 'destroy',
    pair: identity.spec.name,
    title:
      identity.origin === undefined
        ? `destroy ${identity.spec.name}; the disks on ${keep} are kept`
        : `destroy ${identity.spec.name}; ${keep} has the domain ${identity.origin.domain} again`,
    finish: `colo pair destroy ${identity.spec.name}`,
    ...(order[0] === undefined ? {} : {pointOfNoReturn: `${order[0]}/end`}),
    steps: [
      ...order.map((host) =>
        step(host, 'end', 'end this copy', [
          ...(host === keep ? [] : [markStale]),
          ...network.taps(layout, 'down'),
          {kind: 'domain-destroy', domain: layout.domain},
        ]),
      ),
      ...order.map((host) => cleanUp(input, layout, host)),
    ],
  }
}

const markStale: Action = {
  kind: 'record-change',
  change: {alone: false, marks: {stale: 'the pair is being destroyed; the other side is kept'}},
}

/** The record goes after it, so that what was lost with a crash is given back by the next destroy. */
function giveBack({identity: {origin}, keep, plain}: DestroyInput, host: string): Action[] {
  if (origin === undefined || plain === undefined || host !== keep) return []
  return [{kind: 'domain-define', uuid: origin.uuid, xml: plain, autostart: origin.autostart}]
}

function cleanUp(input: DestroyInput, layout: PairLayout, host: string): Step {
  const copies: Action[] =
    input.deleteCopies && host !== input.keep
      ? layout.disks.map((disk) => ({kind: 'file-remove', path: imagePath(disk, host)}))
      : []
  return step(host, 'clean-up', 'remove overlays, rules and the record', [
    ...storage.noOverlays(input.identity, layout, host),
    ...network.noTapFilters(layout),
    {kind: 'firewall', ensure: 'absent', table: layout.firewallTable},
    ...copies,
    {kind: 'directory-remove', path: layout.runDir},
    ...giveBack(input, host),
    {kind: 'record-remove', uuid: input.identity.uuid},
  ])
}

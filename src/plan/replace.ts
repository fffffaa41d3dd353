import {imagePath, layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {Action, Placement} from './action.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Plan, Step} from './plan.js'
import {planResync, type ResyncInput} from './resync.js'

export interface ReplaceInput extends Omit<ResyncInput, 'placement' | 'finish'> {
  /** the host whose place is taken, when it answers and has a record of the pair */
  readonly former: FormerMember | undefined
  /** what the primary's record says of its peer until then */
  readonly before: Placement & {readonly peer: string}
}

export interface FormerMember {
  readonly host: string
  /** as its own record knows the pair */
  readonly identity: PairIdentity
  readonly deleteCopies: boolean
}

/**
 * Another host takes the place of the secondary. The former one's copy is stale from the moment the primary goes on without it; its QEMU, its
 * record and what else it has stay until the new one is protected, its images for ever unless asked otherwise.
 */
export function planReplace(input: ReplaceInput): Plan {
  const {identity, primary, secondary, former} = input
  const {spec, ports, addresses, beaconPorts} = identity
  const {name} = spec
  const finish = `colo pair replace ${name} --secondary ${secondary}`
  const plan = planResync({...input, finish, placement: {spec, ports, addresses, beaconPorts}})
  const at = plan.steps.findIndex(({id}) => id === `${primary}/clear`)
  const watched = plan.steps.findIndex(({id}) => id === `${primary}/watch`)
  // the watch looks for connections to the peer that the record names
  const place = step(
    primary,
    'place',
    'note the new secondary',
    [{kind: 'record-change', change: {peer: secondary, spec, ports, addresses, beaconPorts}}],
    {undo: [{kind: 'record-change', change: input.before}]},
  )
  return {
    ...plan,
    kind: 'replace',
    title: `replace the secondary of ${name} by ${secondary}`,
    steps: [
      ...plan.steps.slice(0, at),
      ...(former === undefined ? [] : [outOfDate(former, secondary)]),
      ...plan.steps.slice(at, watched),
      place,
      ...plan.steps.slice(watched),
      ...(former === undefined ? [] : [leave(former)]),
    ],
  }
}

/** What a host that was away when it was replaced still has: run again when it is back. */
export function planLeave(planId: string, former: FormerMember, secondary: string): Plan {
  const {name} = former.identity.spec
  return {
    id: planId,
    kind: 'replace',
    pair: name,
    title: `remove what is left of ${name} on ${former.host}`,
    finish: `colo pair replace ${name} --secondary ${secondary}`,
    pointOfNoReturn: `${former.host}/stale`,
    steps: [outOfDate(former, secondary), leave(former)],
  }
}

function outOfDate({host}: FormerMember, secondary: string): Step {
  return step(host, 'stale', 'note that this copy is stale', [
    {
      kind: 'record-change',
      change: {role: 'secondary', alone: false, marks: {stale: `${secondary} took the place of this host`}},
    },
  ])
}

/** Its record goes last, so that an interrupted replace can be run again. */
function leave({host, identity, deleteCopies}: FormerMember): Step {
  const layout = layoutOfPair(identity)
  const copies: Action[] = deleteCopies
    ? layout.disks.map((disk) => ({kind: 'file-remove', path: imagePath(disk, host)}))
    : []
  return step(
    host,
    'leave',
    'end the former copy and remove its record',
    [
      ...network.taps(layout, 'down'),
      {kind: 'domain-destroy', domain: layout.domain},
      ...storage.noOverlays(identity, layout, host),
      ...network.noTapFilters(layout),
      {kind: 'firewall', ensure: 'absent', table: layout.firewallTable},
      ...copies,
      {kind: 'directory-remove', path: layout.runDir},
      {kind: 'record-remove', uuid: identity.uuid},
    ],
    {optional: true},
  )
}

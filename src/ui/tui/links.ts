import type {MemberObservation} from '../../pair/observation.js'
import type {Data, PairView} from './model.js'

/** No host of the pair answers: what is shown is the last that was known. */
export function isLost({status}: PairView, data: Data): boolean {
  const hosts = status?.members.map(({host}) => host) ?? []
  return hosts.length > 0 && hosts.every((host) => data.hosts.get(host)?.state === 'lost')
}

/** The member in COLO as primary. */
export function primaryOf({members, status}: PairView): MemberObservation | undefined {
  return members.find(({host}) => host === status?.primary)
}

export function secondaryOf({members, status}: PairView): MemberObservation | undefined {
  return members.find(({host}) => host === status?.secondary)
}

/** Connections between the hosts that are up, of those that should be: `4/4`; `-` outside lock-step. */
export function linksOf(pair: PairView): string {
  const primary = primaryOf(pair)
  if (primary?.vm?.coloMode !== 'primary') return '-'
  const states = [
    ...primary.disks.map(({replication}) => replication === 'connected'),
    ...primary.nics.flatMap(({chardevs}) => chardevs.map(({connected}) => connected)),
  ]
  return `${states.filter(Boolean).length}/${states.length}`
}

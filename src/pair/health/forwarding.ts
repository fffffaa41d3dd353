import type {NicLayout} from '../layout.js'
import type {ForwardObservation, MemberObservation} from '../observation.js'
import type {PairSpec} from '../spec.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** Fewer frames than these tell nothing when none of them arrives: single frames are lost on any link. */
const leastFrames = 3

/**
 * S7 for `via: tc`: the rules are there, nothing foreign is in the way, the link has a carrier and was not touched since it was proven, and
 * what one side sends the other one receives.
 */
export function forwardFaults(
  spec: PairSpec,
  nics: readonly NicLayout[],
  members: {readonly primary: MemberObservation; readonly secondary: MemberObservation},
): Reason[] {
  return nics
    .filter((nic) => nic.spec.forward.via === 'tc')
    .flatMap((nic) => {
      const [primary, secondary] = [members.primary, members.secondary].map((member) => ({
        host: member.host,
        seen: member.nics[nic.index]?.forward,
      })) as [End, End]
      const place = {nic: nic.spec.name, pair: spec.name}
      const own = [...endFaults(primary, place), ...endFaults(secondary, place)]
      // what is known to be missing explains why nothing arrives
      const explained = own.some(({code}) => code !== 'forward-touched')
      return explained ? own : [...own, ...silence(primary, secondary, place), ...silence(secondary, primary, place)]
    })
}

interface End {
  readonly host: string
  readonly seen: ForwardObservation | undefined
}

interface Place {
  readonly nic: string
  readonly pair: string
}

function endFaults({host, seen}: End, {nic, pair}: Place): Reason[] {
  if (seen === undefined) {
    return [reason('unseen', `forwarding of NIC ${nic} could not be read on ${host}`, {host})]
  }
  const {device, carrier, touched, missing, foreign} = seen
  const repair = `colo pair status ${pair} --repair`
  return [
    ...foreign.map((what) =>
      reason('forward-reused', `the forward NIC of ${nic} is used for something else on ${host}: ${what}`, {
        host,
        remedy: `remove that: ${device} must be used for nothing else`,
      }),
    ),
    ...(carrier
      ? []
      : [
          reason('forward-no-carrier', `the forward link of NIC ${nic} is cut: ${device} has no carrier on ${host}`, {
            host,
            remedy: `look at the cable of ${device} between both hosts; then colo net verify ${pair}`,
          }),
        ]),
    ...(missing.length === 0
      ? []
      : [
          reason('forward-rules', `forwarding of NIC ${nic} is incomplete on ${host}: no ${missing.join(', no ')}`, {
            host,
            remedy: repair,
            repairable: true,
          }),
        ]),
    ...(carrier && touched
      ? [
          reason('forward-touched', `the forward link of NIC ${nic} (${device} on ${host}) was cut or re-plugged`, {
            host,
            remedy: `colo net verify ${pair}`,
          }),
        ]
      : []),
  ]
}

/** One side sends, and the other one receives nothing at all: a swapped cable, a switch that drops, a dead port. */
function silence(from: End, to: End, {nic, pair}: Place): Reason[] {
  const [sent, received] = [from.seen?.sent, to.seen?.received]
  if (sent === undefined || received === undefined || sent < leastFrames || received > 0) return []
  const [out, into] = [from.seen?.device ?? '?', to.seen?.device ?? '?']
  return [
    reason(
      'forward-silent',
      `none of ${sent} frames of NIC ${nic} that ${from.host} sent over ${out} arrived at ${into} on ${to.host}`,
      {host: to.host, remedy: `look at the cable between ${out} and ${into}; then colo net verify ${pair}`},
    ),
  ]
}

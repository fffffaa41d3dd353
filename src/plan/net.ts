import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import {stationOf} from '../net/forward/probe.js'
import type {Action} from './action.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import type {Plan} from './plan.js'

export interface NetInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly primary: string
  readonly secondary: string
}

/** Makes the kernel's forwarding of a pair in lock-step whole: the secondary's side first, so that nothing it answers is lost. */
export function planNetUp({planId, identity, primary, secondary}: NetInput): Plan {
  const layout = layoutOfPair(identity)
  return {
    ...outline(planId, identity, 'up'),
    title: `forward the packets of ${identity.spec.name} between ${primary} and ${secondary}`,
    steps: [
      step(
        secondary,
        'forward',
        'forward to and from the secondary',
        network.forwarding(layout, secondary, {role: 'secondary', mirror: false}),
      ),
      step(
        primary,
        'forward',
        'forward to the secondary, and back to the comparer',
        network.forwarding(layout, primary, {role: 'primary', mirror: true}),
      ),
    ],
  }
}

/** Takes the kernel's forwarding of a pair away on these hosts; the forward NICs become as they were. */
export function planNetDown(input: Pick<NetInput, 'planId' | 'identity'> & {readonly hosts: readonly string[]}): Plan {
  const layout = layoutOfPair(input.identity)
  return {
    ...outline(input.planId, input.identity, 'down'),
    title: `end the forwarding of ${input.identity.spec.name}`,
    steps: input.hosts.map((host) => step(host, 'no-forward', 'remove the forwarding', network.noForwarding(layout))),
  }
}

/** Proves the links of a pair that is not in lock-step, and leaves them as they were. */
export function planNetProve({planId, identity, primary, secondary}: NetInput): Plan {
  const layout = layoutOfPair(identity)
  const away = (host: string) => step(host, 'no-forward', 'leave the NIC as it was', network.noForwarding(layout))
  return {
    ...outline(planId, identity, 'verify'),
    title: `prove the forward links of ${identity.spec.name}`,
    steps: [...network.provenLinks(layout, {primary, secondary}), away(secondary), away(primary)],
  }
}

/** Frames into the LAN's side of the primary's tap, as many per NIC: they take the way of a client's. */
export function planNetSend({planId, identity, primary}: NetInput, count: number): Plan {
  const paths = network.forwardPaths(layoutOfPair(identity), primary)
  const actions = paths.map((path): Action => ({
    kind: 'forward-send',
    to: 'guest',
    path,
    station: stationOf(path),
    count,
  }))
  return {
    ...outline(planId, identity, 'verify'),
    title: `send frames to ${identity.spec.name}`,
    steps: [step(primary, 'send', 'send frames to the guest', actions)],
  }
}

/** The secondary's NICs announce themselves: frames on their way to the comparer. */
export function planNetAnnounce({planId, identity, secondary}: NetInput): Plan {
  return {
    ...outline(planId, identity, 'verify'),
    title: `let the secondary of ${identity.spec.name} send frames`,
    steps: [step(secondary, 'announce', 'let the secondary send frames', [{kind: 'announce'}])],
  }
}

/** Both ends of every link are as they should be. */
export function planNetProven({planId, identity, primary, secondary}: NetInput): Plan {
  const layout = layoutOfPair(identity)
  const proven = (host: string): Action => ({kind: 'forward-proven', paths: network.forwardPaths(layout, host)})
  return {
    ...outline(planId, identity, 'verify'),
    title: `note that the forward links of ${identity.spec.name} are proven`,
    steps: [primary, secondary].map((host) => step(host, 'proven', 'note that the link is proven', [proven(host)])),
  }
}

function outline(id: string, {spec}: PairIdentity, verb: string): Pick<Plan, 'id' | 'kind' | 'pair' | 'finish'> {
  return {id, kind: 'net', pair: spec.name, finish: `colo net ${verb} ${spec.name}`}
}

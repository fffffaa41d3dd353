import {stepsRelease, stepsUp, type NetStep} from '../net/forward/converge.js'
import type {ObservedNetwork} from '../net/forward/observed.js'
import {senderSteps} from '../net/forward/probe.js'
import {hookAdd, ruleAdd} from '../net/forward/rules.js'
import {wishOf} from '../net/forward/wish.js'
import type {Action, ForwardPath} from './action.js'
import {shell} from './describe-text.js'

const nothing: ObservedNetwork = {links: [], qdiscs: [], rules: []}

/** As on a host where nothing of it is there yet; what is there is left out when it runs. */
export function describeForward(action: Extract<Action, {kind: 'forward'}>): string[] {
  if (action.ensure === 'absent') {
    return action.paths.map(({owner, ifb, feedTap, tap}) => {
      return `# forwarding of ${owner}: its rules (on ${tap} and the forward NIC), ${ifb} and ${feedTap} removed, the NIC as before`
    })
  }
  const {role, mirror} = action
  return action.paths.flatMap((path) =>
    stepsUp(wishOf(path, {role, mirror, uid: 'QEMU-USER'}), nothing, 'clsact').map(netStep),
  )
}

/** What begins at the switchover into lock-step. */
export function mirrorSteps(paths: readonly ForwardPath[]): string[] {
  const rules = paths.flatMap((path) => wishOf(path, {role: 'primary', mirror: true, uid: 'QEMU-USER'}).rules.slice(-1))
  return rules.flatMap((rule) => [shell(hookAdd(rule.device, rule.hook, 'clsact')), shell(ruleAdd(rule, 'clsact'))])
}

function netStep(step: NetStep): string {
  return 'argv' in step ? shell(step.argv) : `echo ${step.text} >${step.path}`
}

export function describeRelease({paths}: Extract<Action, {kind: 'forward-release'}>): string[] {
  return paths.flatMap((path) => stepsRelease(path, 'clsact').map(netStep))
}

export function describeSend({to, path, station}: Extract<Action, {kind: 'forward-send'}>): string[] {
  const {prepare, send, remove} = senderSteps(path, {station, to: to === 'link' ? path.nic : path.tap})
  return [...prepare, ...send, ...remove].map(netStep)
}

import type {NicLayout} from '../pair/layout.js'
import {onHost} from '../pair/spec.js'
import type {ForwardNames, ForwardPath} from './action.js'

/** The path of a NIC with `via: tc` on one host; undefined for others. */
export function forwardPathOf(nic: NicLayout, host: string): ForwardPath | undefined {
  const {forward, bridge} = nic.spec
  if (forward.via !== 'tc') return undefined
  const device = onHost(forward.nic, host)
  const lan = onHost(bridge, host)
  if (device === undefined || lan === undefined) return undefined
  const vlan = forward.vlan === undefined ? {} : {vlan: forward.vlan}
  return {...forwardNamesOf(nic), nic: device, ...vlan, bridge: lan, vnetHdr: nic.vnetHdr}
}

export function forwardNamesOf({tap, forward}: NicLayout): ForwardNames {
  const {owner, cookie, ifb, feedTap, vlanDevice} = forward
  return {owner, cookie, tap, ifb, feedTap, vlanDevice}
}

import type {ForwardPath} from '../../plan/action.js'
import type {Role} from '../../pair/record.js'
import type {TcRule} from './rules.js'

/** A device of ours. */
export interface LinkWish {
  readonly name: string
  readonly make:
    | {readonly kind: 'ifb'}
    /** opened by QEMU, which runs as this user: a number, or a word that stands for it in a description */
    | {readonly kind: 'tap'; readonly uid: number | string}
    | {readonly kind: 'vlan'; readonly below: string; readonly id: number}
}

/** What the kernel of one host must hold for one NIC. */
export interface ForwardWish {
  readonly owner: string
  readonly cookie: string
  /** the dedicated NIC: promiscuous, since the guest's frames are not addressed to it, and used for nothing else */
  readonly nic: string
  /** it carries nothing but VLANs, which other NICs may share it for */
  readonly shared: boolean
  readonly links: readonly LinkWish[]
  /** switched on, in this order, after the rules are there */
  readonly up: readonly string[]
  /** the host itself says nothing there */
  readonly quiet: readonly string[]
  /** must belong to no bridge */
  readonly alone: readonly string[]
  readonly rules: readonly TcRule[]
}

/** Guest's tap, forward NIC (or the VLAN on it) and what lies between, as rules. @see facts: qemu-colo.md section 8 */
export function wishOf(
  path: ForwardPath,
  {role, mirror, uid}: {readonly role: Role; readonly mirror: boolean; readonly uid: number | string},
): ForwardWish {
  const {owner, cookie, nic, tap, ifb, feedTap, vlan, vlanDevice, vnetHdr} = path
  const wire = vlan === undefined ? nic : vlanDevice
  const rule = (from: string, verb: TcRule['verb'], to: string): TcRule => {
    const [device = '', hook] = from.split(' ')
    return {device, hook: hook === 'egress' ? 'egress' : 'ingress', verb, to, cookie}
  }
  const vlans: LinkWish[] = vlan === undefined ? [] : [{name: vlanDevice, make: {kind: 'vlan', below: nic, id: vlan}}]
  const base = {owner, cookie, nic, shared: vlan !== undefined}
  if (role === 'secondary') {
    return {
      ...base,
      links: vlans,
      up: [nic, ...vlans.map(({name}) => name), tap],
      quiet: [nic, ...vlans.map(({name}) => name), tap],
      alone: [tap],
      rules: [rule(`${tap} ingress`, 'redirect', wire), rule(`${wire} ingress`, 'redirect', tap)],
    }
  }
  return {
    ...base,
    links: [...vlans, {name: ifb, make: {kind: 'ifb'}}, {name: feedTap, make: {kind: 'tap', uid}}],
    up: [nic, ...vlans.map(({name}) => name), ifb, feedTap],
    quiet: [nic, ...vlans.map(({name}) => name), ifb, feedTap],
    alone: [],
    rules: [
      {...rule(`${ifb} egress`, 'redirect', feedTap), ...(vnetHdr ? {levelled: true} : {})},
      rule(`${wire} ingress`, 'redirect', ifb),
      ...(mirror ? [rule(`${tap} egress`, 'mirror', wire)] : []),
    ],
  }
}

/** All devices that one of our rules may hang on, for either role. */
export function devicesOf(path: ForwardPath): string[] {
  return [path.nic, path.vlanDevice, path.tap, path.ifb, path.feedTap]
}

import type {HostEntry} from '../../pair/inventory.js'
import type {PairRecord} from '../../pair/record.js'
import {onHost, type NicSpec, type PairSpec} from '../../pair/spec.js'
import {fail, pass, warn, type Check} from '../check.js'
import type {HostFacts} from '../facts.js'

/** Pieces that kernel forwarding cannot do without. */
const required = ['sch_ingress', 'cls_u32', 'cls_bpf', 'act_mirred', 'ifb', 'tun'] as const
/** Pieces that only old engines ask for: Xen's kernel proxy, Remus' buffers, colo-agent. */
const historical = ['sch_prio', 'sch_plug', 'cls_basic', 'cls_tcindex', 'blktap2'] as const

/** What a host needs to forward: only asked of one that has a forward NIC in the inventory. */
export function checkForwarding(facts: HostFacts, entry: HostEntry): Check[] {
  if (entry.forward.length === 0 || facts.forwarding === undefined) return []
  return [...checkKernel(facts, false), ...checkTun(facts), ...entry.forward.flatMap((nic) => checkNicUse(facts, nic))]
}

/** The same for a pair with `via: tc`; and no other pair has its NIC. */
export function checkPairForwarding(spec: PairSpec, facts: HostFacts, records: readonly PairRecord[]): Check[] {
  const nics = spec.nics.filter(({forward}) => forward.via === 'tc')
  if (nics.length === 0) return []
  const vlan = nics.some(({forward}) => forward.via === 'tc' && forward.vlan !== undefined)
  return [
    ...checkKernel(facts, vlan),
    ...checkTun(facts),
    ...nics.flatMap((nic) => {
      const device = nic.forward.via === 'tc' ? onHost(nic.forward.nic, facts.host) : undefined
      if (device === undefined) return []
      return [
        ...checkNicUse(facts, device),
        ...checkMtu(nic, device, facts),
        ...checkOtherPairs(spec, {nic, device, host: facts.host}, records),
      ]
    }),
  ]
}

function checkKernel({forwarding, host}: HostFacts, vlan: boolean): Check[] {
  const about = {id: 'forward-kernel', host}
  if (forwarding === undefined)
    return [warn(about, 'what the kernel can forward could not be read', 'update the agent')]
  const state = (name: string): string => forwarding.kernel[name] ?? 'missing'
  const told = (names: readonly string[]): string => names.map((name) => `${name} ${state(name)}`).join(', ')
  const needed = [...required, ...(vlan ? ['8021q'] : [])]
  const missing = needed.filter((name) => state(name) === 'missing')
  if (missing.length > 0) {
    return [
      fail(
        about,
        `the kernel has no ${missing.join(', no ')} (${told(needed)})`,
        'use a kernel with them (CONFIG_NET_SCH_INGRESS, NET_CLS_U32, NET_CLS_BPF, NET_ACT_MIRRED, IFB, TUN, VLAN_8021Q), or `forward: {via: socket}`',
      ),
    ]
  }
  return [pass(about, `${told(needed)}; only for old engines: ${told(historical)}`)]
}

/** What lets QEMU open a tap by itself. */
export const tunRemedy =
  'in /etc/libvirt/qemu.conf set cgroup_device_acl to the list that stands there as a comment, with "/dev/net/tun" added; then restart libvirtd'

/** QEMU opens the tap that leads to its comparer by itself. */
function checkTun({forwarding, host}: HostFacts): Check[] {
  if (forwarding === undefined) return []
  const about = {id: 'forward-tun', host}
  if (forwarding.tunForQemu) return [pass(about, 'QEMU may open /dev/net/tun')]
  return [fail(about, 'libvirt keeps /dev/net/tun from QEMU', tunRemedy)]
}

function checkNicUse({forwarding, links, host}: HostFacts, device: string): Check[] {
  const about = {id: 'forward-nic', host}
  const stacked = links.filter(({below, kind}) => below === device && kind !== 'veth' && kind !== '')
  return [
    ...(forwarding?.routed.includes(device) === true
      ? [
          fail(
            about,
            `a route leads over ${device}`,
            `\`ip route flush dev ${device}\`: it must be used for nothing else`,
          ),
        ]
      : []),
    ...stacked
      .filter(({alias}) => alias?.startsWith('colo ') !== true)
      .map(({name}) => fail(about, `${name} is stacked on ${device}`, `\`ip link del ${name}\`, or name another NIC`)),
    ...(forwarding?.offloads[device] ?? []).map((feature) =>
      warn(
        about,
        `${device} has ${feature} on, which changes frames before they are copied`,
        `\`ethtool -K ${device} ${feature} off\``,
      ),
    ),
  ]
}

function checkMtu(nic: NicSpec, device: string, {links, host}: HostFacts): Check[] {
  const bridge = onHost(nic.bridge, host)
  const mtuOf = (name: string | undefined): number | undefined => links.find((link) => link.name === name)?.mtu
  const [wire, lan] = [mtuOf(device), mtuOf(bridge)]
  if (wire === undefined || lan === undefined || wire >= lan) return []
  return [
    fail(
      {id: 'forward-nic', host},
      `${device} has MTU ${wire}, less than ${lan} of ${bridge ?? '?'}: large frames would be lost`,
      `\`ip link set ${device} mtu ${lan}\` on both hosts`,
    ),
  ]
}

function checkOtherPairs(
  spec: PairSpec,
  {nic, device, host}: {readonly nic: NicSpec; readonly device: string; readonly host: string},
  records: readonly PairRecord[],
): Check[] {
  const vlan = nic.forward.via === 'tc' ? nic.forward.vlan : undefined
  const others = records.filter((record) => record.host === host && record.spec.name !== spec.name)
  const clash = others.find((record) =>
    record.spec.nics.some(({forward}) => {
      if (forward.via !== 'tc' || onHost(forward.nic, host) !== device) return false
      return vlan === undefined || forward.vlan === undefined || forward.vlan === vlan
    }),
  )
  if (clash === undefined) return []
  return [
    fail(
      {id: 'forward-nic', host},
      `${device} already forwards for pair ${clash.spec.name}`,
      'name another NIC, or give both a `vlan` of their own',
    ),
  ]
}

import type {Argv} from '../../os/process.js'
import {checkCount, checkInterface} from '../check.js'
import {hookAdd, hookDel, ruleAdd, type TcRule} from './rules.js'

/** One NIC of a Xen guest with the kernel proxy. */
export interface XenPath {
  /** `vif1.0-emu` or `vif1.0` */
  readonly vif: string
  readonly forward: string
  /** of the LAN: where the vif goes back to */
  readonly bridge: string
}

/** The bridge of the secondary. Its name is fixed in Xen's script, hence one such VM per secondary. */
export const xenBridge = 'colobr0'

/** Xen's scripts know `prio` and `ingress` only; the libxl of today still runs on kernels that have no clsact. */
const dialect = 'ingress-prio'

/**
 * What enters the guest is copied to the forward NIC, per protocol: the tc part of the kernel proxy's set-up on the primary.
 *
 * @see xen-project/xen tools/hotplug/Linux/colo-proxy-setup, setup_primary
 */
export function xenPrimaryUp({vif, forward}: XenPath): Argv[] {
  return [
    hookAdd(vif, 'egress', dialect),
    ...(['ip', 'arp', 'ipv6'] as const).map((protocol, index) => {
      const rule: TcRule = {device: vif, hook: 'egress', verb: 'mirror', to: forward, protocol, preference: 10 + index}
      return ruleAdd(rule, dialect)
    }),
  ]
}

export function xenPrimaryDown({vif}: XenPath): Argv[] {
  return [hookDel(vif, 'egress', dialect)]
}

/**
 * On the secondary the vif leaves the LAN and shares a bridge with the forward NIC alone.
 *
 * @see xen-project/xen tools/hotplug/Linux/colo-proxy-setup, setup_secondary
 */
export function xenSecondaryUp({vif, forward}: XenPath): Argv[] {
  return [
    link(vif, 'nomaster'),
    ['ip', 'link', 'add', 'name', xenBridge, 'type', 'bridge'],
    link(vif, 'master', xenBridge),
    link(forward, 'master', xenBridge),
    link(xenBridge, 'up'),
  ]
}

export function xenSecondaryDown({vif, forward, bridge}: XenPath): Argv[] {
  return [
    link(forward, 'nomaster'),
    link(vif, 'nomaster'),
    ['ip', 'link', 'del', 'dev', xenBridge],
    link(vif, 'master', checkInterface('bridge', bridge)),
  ]
}

/**
 * The netfilter part of the kernel proxy: the comparison itself. Its modules are for kernels 3.x and 4.x.
 *
 * Xen's own tear-down flushes every arptables rule of the host instead of deleting its own.
 *
 * @param index  of the proxy, as libxl numbers them: 0 to 100
 * @see xen-project/xen tools/hotplug/Linux/colo-proxy-setup
 */
export function xenNetfilter(
  ensure: 'present' | 'absent',
  {vif, forward, role, index}: XenPath & {readonly role: 'primary' | 'secondary'; readonly index: number},
): Argv[] {
  const verb = ensure === 'present' ? '-I' : '-D'
  const number = String(checkCount('index', index, 0))
  const target = role === 'primary' ? 'PMYCOLO' : 'SECCOLO'
  const seen = ['-m', 'physdev', '--physdev-in', checkInterface('vif', vif)]
  const nic = checkInterface('forward', forward)
  const rules: Argv[] = (['iptables', 'ip6tables'] as const).map((program) => [
    program, '-t', 'mangle', verb, 'PREROUTING', ...seen, '-j', target, '--index', number,
  ]) // prettier-ignore
  const mark: Argv[] =
    role === 'primary' ? [['arptables', verb, 'INPUT', '-i', nic, '-j', 'MARK', '--set-mark', number]] : []
  if (ensure === 'absent') return [...rules, ...mark, ['rmmod', `xt_${target}`]]
  const modules: Argv[] =
    role === 'primary'
      ? [
          ['modprobe', 'nf_conntrack_ipv4'],
          ['modprobe', 'xt_PMYCOLO', `sec_dev=${nic}`],
        ]
      : [['modprobe', 'xt_SECCOLO']]
  return [...modules, ...rules, ...mark]
}

/** Remus holds a guest's output at a `plug` until the next checkpoint. */
export interface RemusBuffer {
  readonly vif: string
  readonly ifb: string
  /** bytes that may be held; 10 000 000 in Xen's script */
  readonly limitBytes?: number
}

/**
 * What comes out of the guest goes to an ifb, where it waits at a plug (libnl's tools: tc has no word for it). IPv4 only, as Xen does it.
 *
 * @see xen-project/xen tools/hotplug/Linux/remus-netbuf-setup, setup_ifb
 */
export function remusBufferUp({vif, ifb, limitBytes = 10_000_000}: RemusBuffer): Argv[] {
  const device = checkInterface('ifb', ifb)
  const rule: TcRule = {device: vif, hook: 'ingress', verb: 'redirect', to: ifb, protocol: 'ip'}
  const plug = [`--dev=${device}`, '--parent', 'root']
  return [
    link(ifb, 'up'),
    hookAdd(vif, 'ingress', dialect),
    ruleAdd(rule, dialect),
    ['nl-qdisc-add', ...plug, 'plug'],
    ['nl-qdisc-add', ...plug, '--update', 'plug', `--limit=${checkCount('limit', limitBytes, 1)}`],
  ]
}

export function remusBufferDown({vif, ifb}: RemusBuffer): Argv[] {
  return [
    link(ifb, 'down'),
    ['nl-qdisc-delete', `--dev=${checkInterface('ifb', ifb)}`, '--parent', 'root', 'plug'],
    hookDel(vif, 'ingress', dialect),
  ]
}

function link(name: string, ...words: readonly string[]): Argv {
  return ['ip', 'link', 'set', 'dev', checkInterface('device', name), ...words]
}

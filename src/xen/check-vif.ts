import {isIpv4, isPort} from './check-disk.js'
import type {Proxy} from './layout.js'
import {idleKeys, proxyKeys, servers, socketGroups} from './names.js'
import type {ConfigProblem} from './problem.js'

/** One item of `vif = [ ]`. */
export interface Vif {
  readonly proxy: Proxy
  readonly problems: readonly ConfigProblem[]
}

/** @see xen-project/xen docs/man/xl-network-configuration.5.pod.in; tools/xl/xl_parse.c, parse_nic_config */
const plainKeys = [
  'type', 'mac', 'bridge', 'gatewaydev', 'ip', 'script', 'model', 'vifname', 'rate', 'backend', 'devid', 'mtu', 'forwarddev',
] // prettier-ignore
const known = new Set<string>([...plainKeys, ...proxyKeys, ...idleKeys])
const queues = ['all', 'rx', 'tx']

/** Never throws. @param text  as between the quotes */
export function checkVif(text: string, where: string): Vif {
  const problems: ConfigProblem[] = []
  const wrong = (key: string, problem: string, laxity: boolean): void =>
    void problems.push({where: key === '' ? where : `${where}.${key}`, problem, laxity})
  const values = new Map<string, string>()
  for (const field of text.split(',')) {
    const at = field.indexOf('=')
    const key = (at < 0 ? field : field.slice(0, at)).replace(/^[ \t]+/, '')
    if (at < 0 || !known.has(key)) {
      wrong(key, 'is unknown: xl drops it and goes on', false)
      continue
    }
    if (values.has(key)) wrong(key, 'is given twice', true)
    const value = field.slice(at + 1)
    if (value.trim() === '') wrong(key, 'is empty', true)
    values.set(key, value)
  }
  checkPlain(values, wrong)
  const proxy = proxyOf(values, wrong)
  if (proxy === 'userspace') checkProxy(values, wrong)
  return {proxy, problems}
}

type Wrong = (key: string, problem: string, laxity: boolean) => void

function checkPlain(values: ReadonlyMap<string, string>, wrong: Wrong): void {
  const type = values.get('type')
  if (type !== undefined && type !== 'ioemu' && type !== 'vif') wrong('type', 'is neither ioemu nor vif', false)
  const mac = values.get('mac')
  if (mac === undefined) wrong('mac', 'is missing: both sides would get addresses of their own', true)
  else if (!/^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$/.test(mac)) {
    // xl reads two digits six times, and past the end of one that is too short
    wrong('mac', 'is no MAC address', /^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){0,4}$/.test(mac))
  }
  for (const key of ['bridge', 'forwarddev']) {
    const value = values.get(key)
    if (value && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(value)) wrong(key, 'is no name of an interface', true)
  }
  if (!values.has('bridge')) wrong('bridge', 'is missing', true)
}

function proxyOf(values: ReadonlyMap<string, string>, wrong: Wrong): Proxy {
  const userspace = [...values.keys()].some((key) => key.startsWith('colo_'))
  const kernel = values.has('forwarddev')
  if (userspace && kernel) wrong('forwarddev', 'is of the kernel proxy, the others of the userspace proxy', true)
  if (!userspace && !kernel) return 'none'
  if (values.get('type') === 'vif') wrong('type', 'COLO compares an emulated NIC only: ioemu', true)
  return userspace ? 'userspace' : 'kernel'
}

/** A group of keys with one missing is left out by libxl without a word. */
function checkProxy(values: ReadonlyMap<string, string>, wrong: Wrong): void {
  for (const key of proxyKeys) if (!values.has(key)) wrong(key, 'is missing', true)
  const socket = (group: string, part: string): string | undefined => values.get(`colo_sock_${group}_${part}`)
  const ids = socketGroups.map((group) => socket(group, 'id'))
  for (const group of socketGroups) {
    const [ip, port, id] = [socket(group, 'ip'), socket(group, 'port'), socket(group, 'id')]
    if (port && !isPort(port)) wrong(`colo_sock_${group}_port`, 'is no port from 1 to 65535', true)
    if (ip && !isIpv4(ip)) wrong(`colo_sock_${group}_ip`, 'is no IPv4 address', true)
    if (id && !/^[A-Za-z][A-Za-z0-9._-]*$/.test(id)) wrong(`colo_sock_${group}_id`, 'is no id of QEMU', true)
    if (id && ids.filter((other) => other === id).length > 1)
      wrong(`colo_sock_${group}_id`, 'is that of another socket', true)
  }
  const places = servers.map((group) => `${socket(group, 'ip') ?? ''}:${socket(group, 'port') ?? ''}`)
  servers.forEach((group, index) => {
    const place = places[index]
    if (place !== ':' && places.indexOf(place ?? '') < index)
      wrong(`colo_sock_${group}_port`, 'is that of another server', true)
  })
  for (const [key, value] of values) {
    if (!key.endsWith('_queue')) continue
    if (value !== '' && !queues.includes(value)) wrong(key, `is none of ${queues.join(', ')}`, true)
  }
  checkWiring(values, wrong)
  const host = values.get('colo_checkpoint_host')
  if (host && !isIpv4(host)) wrong('colo_checkpoint_host', 'is no IPv4 address: libxl reads a literal', true)
  const port = values.get('colo_checkpoint_port')
  if (port && !isPort(port)) wrong('colo_checkpoint_port', 'is no port from 1 to 65535', true)
}

/** Which filter uses which socket, and which client reaches which server. */
const wiring: ReadonlyArray<readonly [key: string, of: string]> = [
  ['colo_filter_mirror_outdev', 'colo_sock_mirror_id'],
  ['colo_filter_redirector0_indev', 'colo_sock_redirector0_id'],
  ['colo_filter_redirector1_outdev', 'colo_sock_redirector1_id'],
  ['colo_compare_pri_in', 'colo_sock_compare_pri_in_id'],
  ['colo_compare_sec_in', 'colo_sock_compare_sec_in_id'],
  ['colo_compare_out', 'colo_sock_redirector2_id'],
  ['colo_compare_notify_dev', 'colo_sock_compare_notify_id'],
  ['colo_filter_sec_redirector0_indev', 'colo_sock_sec_redirector0_id'],
  ['colo_filter_sec_redirector1_outdev', 'colo_sock_sec_redirector1_id'],
  ['colo_sock_redirector1_port', 'colo_sock_compare_pri_in_port'],
  ['colo_sock_redirector2_port', 'colo_sock_redirector0_port'],
  ['colo_sock_sec_redirector0_port', 'colo_sock_mirror_port'],
  ['colo_sock_sec_redirector1_port', 'colo_sock_compare_sec_in_port'],
  ['colo_checkpoint_port', 'colo_sock_compare_notify_port'],
]

function checkWiring(values: ReadonlyMap<string, string>, wrong: Wrong): void {
  for (const [key, of] of wiring) {
    const [here, there] = [values.get(key), values.get(of)]
    if (here !== undefined && there !== undefined && here !== there) wrong(key, `is not ${of}`, true)
  }
}

import type {Argv, Run} from '../os/process.js'
import {allNamespaces, cablesOf, labHosts, namespaces, outerInterface, type LabHost} from './layout.js'

/** Device names seen in each namespace of the lab that exists. */
export type ObservedNetwork = ReadonlyMap<string, ReadonlySet<string>>

/** Lines for one `ip -batch` run; `namespace` undefined is the machine's own. */
export interface IpBatch {
  readonly namespace: string | undefined
  readonly lines: readonly string[]
}

/** Per-namespace switches: quiet interfaces, and bridged frames that iptables never sees. */
const sysctls = [
  'net.ipv6.conf.default.disable_ipv6=1',
  'net.ipv6.conf.all.accept_dad=0',
  'net.bridge.bridge-nf-call-iptables=0',
  'net.bridge.bridge-nf-call-ip6tables=0',
  'net.bridge.bridge-nf-call-arptables=0',
] as const

/**
 * Everything that is missing or has to be (re)asserted, in order. Running it twice changes nothing; on a lab with cut links it
 * heals those that were cut by taking an interface down or out of its bridge.
 */
export function planNetwork(observed: ObservedNetwork): IpBatch[] {
  const missing = (namespace: string, device: string): boolean => observed.get(namespace)?.has(device) !== true
  const batches: IpBatch[] = []
  const add = (namespace: string | undefined, lines: string[]): void => {
    if (lines.length > 0) batches.push({namespace, lines})
  }
  for (const [namespace, bridge] of bridges) add(namespace, bridgeLines(bridge, missing(namespace, bridge)))
  for (const {near, far} of labHosts.flatMap(cablesOf)) {
    const bothMissing = missing(near.namespace, near.device) && missing(far.namespace, far.device)
    // a direct cable shows up once per host
    const twin = batches.some(({lines}) => lines.includes(vethLine(far, near)))
    if (bothMissing && !twin) add(near.namespace, [vethLine(near, far)])
  }
  for (const nic of ['0', '1']) {
    const near = {namespace: namespaces.client, device: `eth${nic}`}
    if (missing(near.namespace, near.device))
      add(near.namespace, [vethLine(near, {namespace: namespaces.lan, device: `client${nic}`})])
  }
  const outer = {namespace: namespaces.management, device: 'outer'}
  if (missing(outer.namespace, outer.device)) {
    add(undefined, [`link add ${outerInterface.name} type veth peer name ${outer.device} netns ${outer.namespace}`])
  }
  for (const host of labHosts) add(namespaces.host(host), hostLines(host))
  for (const [namespace, lines] of middleLines()) add(namespace, lines)
  add(namespaces.client, clientLines)
  add(undefined, [
    `addr replace ${outerInterface.address} dev ${outerInterface.name}`,
    `link set ${outerInterface.name} up`,
  ])
  return batches
}

/** Creates or converges all namespaces, bridges, cables and addresses. */
export async function bringUpNetwork(run: Run): Promise<void> {
  const existing = await listNamespaces(run)
  for (const namespace of allNamespaces) {
    if (!existing.includes(namespace)) await run(['ip', 'netns', 'add', namespace])
    await run(['ip', 'netns', 'exec', namespace, 'sysctl', '-q', '-e', '-w', ...sysctls])
  }
  const observed = new Map<string, ReadonlySet<string>>()
  for (const namespace of allNamespaces) observed.set(namespace, await devicesIn(run, namespace))
  for (const batch of planNetwork(observed)) await runBatch(run, batch)
  await allowClientIpv6(run)
}

/** Names of all network namespaces of the machine, as `ip netns` knows them. */
export async function listNamespaces(run: Run): Promise<string[]> {
  const {stdout} = await run(['ip', 'netns', 'list'])
  return stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '')
}

export async function runBatch(run: Run, batch: IpBatch): Promise<void> {
  await run(batchArgv(batch.namespace), {input: batch.lines.map((line) => `${line}\n`).join('')})
}

function batchArgv(namespace: string | undefined): Argv {
  return namespace === undefined ? ['ip', '-batch', '-'] : ['ip', '-n', namespace, '-batch', '-']
}

async function devicesIn(run: Run, namespace: string): Promise<Set<string>> {
  const {stdout} = await run(['ip', '-n', namespace, '-json', 'link', 'show'])
  const links = JSON.parse(stdout === '' ? '[]' : stdout) as ReadonlyArray<{ifname?: string}>
  return new Set(links.map(({ifname}) => ifname ?? ''))
}

/** The client speaks IPv6 on its LANs; `default.disable_ipv6` above would keep it off new interfaces. */
async function allowClientIpv6(run: Run): Promise<void> {
  const inClient = ['ip', 'netns', 'exec', namespaces.client] as const
  await run([
    ...inClient,
    'sysctl',
    '-q',
    '-e',
    '-w',
    'net.ipv6.conf.eth0.disable_ipv6=0',
    'net.ipv6.conf.eth1.disable_ipv6=0',
  ])
  await runBatch(run, {
    namespace: namespaces.client,
    lines: ['addr replace fd77::1/64 dev eth0 nodad', 'addr replace fd78::1/64 dev eth1 nodad'],
  })
}

const bridges: ReadonlyArray<readonly [string, string]> = [
  [namespaces.management, 'br0'],
  [namespaces.replication, 'br0'],
  [namespaces.lan, 'br0'],
  [namespaces.lan, 'br1'],
  ...labHosts.flatMap((host) => [[namespaces.host(host), 'br0'] as const, [namespaces.host(host), 'br1'] as const]),
]

const clientLines = [
  'link set lo up',
  'addr replace 10.77.0.1/24 dev eth0',
  'addr replace 10.78.0.1/24 dev eth1',
  'link set eth0 up',
  'link set eth1 up',
]

function bridgeLines(name: string, create: boolean): string[] {
  const lines = create ? [`link add ${name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`] : []
  return [...lines, `link set ${name} up`]
}

function vethLine(near: {device: string}, far: {namespace: string; device: string}): string {
  return `link add ${near.device} type veth peer name ${far.device} netns ${far.namespace}`
}

/** Addresses, bridge ports and "up" inside one host; also what power-on puts right. */
export function hostLines(host: LabHost): string[] {
  const lines = ['link set lo up']
  for (const {near, address, nearBridge} of cablesOf(host)) {
    if (nearBridge !== undefined) lines.push(`link set ${near.device} master ${nearBridge}`)
    if (address !== undefined) lines.push(`addr replace ${address} dev ${near.device}`)
    lines.push(`link set ${near.device} up`)
  }
  return lines
}

function middleLines(): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  const plug = (namespace: string, device: string, bridge: string): void => {
    lines.set(namespace, [
      ...(lines.get(namespace) ?? []),
      `link set ${device} master ${bridge}`,
      `link set ${device} up`,
    ])
  }
  for (const {far, farBridge} of labHosts.flatMap(cablesOf))
    if (farBridge !== undefined) plug(far.namespace, far.device, farBridge)
  plug(namespaces.lan, 'client0', 'br0')
  plug(namespaces.lan, 'client1', 'br1')
  plug(namespaces.management, 'outer', 'br0')
  return lines
}

/** Hosts of the lab, in the order of their last address byte. `gamma` is the spare and has no forward links. */
export const labHosts = ['alpha', 'beta', 'gamma'] as const
export type LabHost = (typeof labHosts)[number]

/** Everything a host is plugged into. */
export const labLinks = ['management', 'replication', 'lan0', 'lan1', 'fwd0', 'fwd1'] as const
export type LabLink = (typeof labLinks)[number]

/** Network namespaces of the lab; each is named `colo-…` so that it cannot meet somebody else's. */
export const namespaces = {
  host: (host: LabHost) => `colo-${host}`,
  client: 'colo-client',
  lan: 'colo-lan',
  replication: 'colo-repl',
  management: 'colo-mgmt',
} as const

/** The one interface in the machine's own namespace. */
export const outerInterface = {name: 'colo-mgmt', address: '10.99.0.254/24'} as const

/** Every namespace, in the order in which they are created. */
export const allNamespaces: readonly string[] = [
  namespaces.management,
  namespaces.replication,
  namespaces.lan,
  namespaces.client,
  ...labHosts.map((host) => namespaces.host(host)),
]

/** One end of a cable. */
export interface LinkEnd {
  readonly namespace: string
  readonly device: string
}

/** A cable: the host's end, and the other end with the bridge it is plugged into (none on a direct cable). */
export interface Cable {
  readonly host: LabHost
  readonly link: LabLink
  readonly near: LinkEnd
  readonly far: LinkEnd
  readonly farBridge: string | undefined
  /** address of the near end, with prefix length */
  readonly address: string | undefined
  /** the host's own bridge that the near end is a port of */
  readonly nearBridge: string | undefined
}

/** Last byte of a host's addresses: alpha 1, beta 2, gamma 3. */
export function hostNumber(host: LabHost): number {
  return labHosts.indexOf(host) + 1
}

export function managementAddress(host: LabHost): string {
  return `10.99.0.${hostNumber(host)}`
}

export function replicationAddress(host: LabHost): string {
  return `10.88.0.${hostNumber(host)}`
}

/** The cable of one link of one host; undefined where the host has no such link. */
export function cableOf(host: LabHost, link: LabLink): Cable | undefined {
  const near = {namespace: namespaces.host(host), device: nearDevices[link]}
  const base = {host, link, near, nearBridge: undefined, address: undefined}
  switch (link) {
    case 'management':
      return {
        ...base,
        far: {namespace: namespaces.management, device: host},
        farBridge: 'br0',
        address: `${managementAddress(host)}/24`,
      }
    case 'replication':
      return {
        ...base,
        far: {namespace: namespaces.replication, device: host},
        farBridge: 'br0',
        address: `${replicationAddress(host)}/24`,
      }
    case 'lan0':
      return {...base, far: {namespace: namespaces.lan, device: `${host}0`}, farBridge: 'br0', nearBridge: 'br0'}
    case 'lan1':
      return {...base, far: {namespace: namespaces.lan, device: `${host}1`}, farBridge: 'br1', nearBridge: 'br1'}
    case 'fwd0':
    case 'fwd1': {
      const peer = forwardPeers[host]
      if (peer === undefined) return undefined
      return {...base, far: {namespace: namespaces.host(peer), device: nearDevices[link]}, farBridge: undefined}
    }
  }
}

/** All cables of a host. */
export function cablesOf(host: LabHost): Cable[] {
  return labLinks.map((link) => cableOf(host, link)).filter((cable) => cable !== undefined)
}

export function isLabHost(name: string): name is LabHost {
  return (labHosts as readonly string[]).includes(name)
}

const nearDevices: Readonly<Record<LabLink, string>> = {
  management: 'mgmt0',
  replication: 'repl0',
  lan0: 'up0',
  lan1: 'up1',
  fwd0: 'fwd0',
  fwd1: 'fwd1',
}

const forwardPeers: Readonly<Partial<Record<LabHost, LabHost>>> = {alpha: 'beta', beta: 'alpha'}

/** The environment of a machine that has just booted: COLO_HOSTS and the like are of the machine the lab runs on. */
export const hostEnv = [
  ...['env', '-i'],
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
  'LC_ALL=C.UTF-8',
] as const

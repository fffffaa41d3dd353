import type {HostEntry} from '../../pair/inventory.js'
import type {PairRecord} from '../../pair/record.js'
import {onHost, type PairSpec} from '../../pair/spec.js'
import {allotPorts} from '../allot-ports.js'
import {fail, failUnlessForced, pass, warn, type Check} from '../check.js'
import type {HostFacts} from '../facts.js'

/** The address over which the pair's sockets run belongs to this host, on an interface that is up. */
export function checkReplicationAddress(facts: HostFacts, entry: HostEntry): Check[] {
  const about = {id: 'replication-address', host: facts.host}
  const found = facts.addresses.find(({address}) => sameAddress(address, entry.replication))
  if (found === undefined) {
    const has = facts.addresses.map(({dev, address}) => `${address} (${dev})`).join(', ') || 'none'
    return [
      fail(
        about,
        `${entry.replication} is on no interface`,
        `correct \`replication\` in hosts.yaml; the host has ${has}`,
      ),
    ]
  }
  if (!found.up)
    return [
      fail(
        about,
        `${found.dev} with ${entry.replication} is down`,
        `\`ip link set ${found.dev} up\`, and look at its cable`,
      ),
    ]
  return [pass(about, `${entry.replication} on ${found.dev}`)]
}

/** Bridges that the inventory names. */
export function checkInventoryBridges(facts: HostFacts, entry: HostEntry): Check[] {
  return entry.bridges.map((bridge) => checkBridge(facts, bridge))
}

/** Bridges that the pair's NICs are put into. */
export function checkPairBridges(spec: PairSpec, facts: HostFacts): Check[] {
  const names = new Set<string>()
  const checks: Check[] = []
  for (const nic of spec.nics) {
    const bridge = onHost(nic.bridge, facts.host)
    if (bridge !== undefined) names.add(bridge)
    else
      checks.push(
        fail(
          {id: 'bridge', host: facts.host},
          `NIC ${nic.name} has no bridge there`,
          `name one for ${facts.host} in nics[].bridge`,
        ),
      )
  }
  return [...checks, ...[...names].map((bridge) => checkBridge(facts, bridge))]
}

function checkBridge(facts: HostFacts, name: string): Check {
  const about = {id: 'bridge', host: facts.host}
  const bridge = facts.bridges.find((known) => known.name === name)
  if (bridge === undefined) {
    const has = facts.bridges.map((known) => known.name).join(', ') || 'none'
    const link = facts.links.some((known) => known.name === name)
    return fail(
      about,
      link ? `${name} is not a bridge` : `there is no bridge ${name}`,
      `make it, or name another one; the host has ${has}`,
    )
  }
  if (!bridge.up) return fail(about, `bridge ${name} is down`, `\`ip link set ${name} up\``)
  if (bridge.stp) {
    return warn(
      about,
      `bridge ${name} runs STP: a new tap is silent for up to 30 s`,
      `\`ip link set ${name} type bridge stp_state 0\``,
    )
  }
  return pass(about, `bridge ${name} with ${bridge.ports.length === 0 ? 'no ports yet' : bridge.ports.join(', ')}`)
}

/** Forward NICs of the inventory carry nothing else. */
export function checkInventoryForward(facts: HostFacts, entry: HostEntry): Check[] {
  return entry.forward.flatMap((nic) => checkForward(facts, nic))
}

export function checkPairForward(spec: PairSpec, facts: HostFacts): Check[] {
  const names = spec.nics.flatMap(({forward}) => (forward.via === 'tc' ? [onHost(forward.nic, facts.host)] : []))
  return [...new Set(names)].flatMap((name) =>
    name === undefined
      ? [
          fail(
            {id: 'forward-nic', host: facts.host},
            'a NIC with `via: tc` has no forward NIC there',
            `name one for ${facts.host} in forward.nic`,
          ),
        ]
      : checkForward(facts, name),
  )
}

function checkForward(facts: HostFacts, name: string): Check[] {
  const about = {id: 'forward-nic', host: facts.host}
  const link = facts.links.find((known) => known.name === name)
  if (link === undefined) return [fail(about, `there is no interface ${name}`, 'correct `forward` in hosts.yaml')]
  const checks: Check[] = []
  const address = facts.addresses.find(({dev, address}) => dev === name && !address.startsWith('fe80:'))
  if (link.master !== undefined) {
    checks.push(
      fail(
        about,
        `${name} belongs to ${link.master}`,
        `\`ip link set ${name} nomaster\`: it must be used for nothing else`,
      ),
    )
  }
  if (address !== undefined) {
    checks.push(
      fail(
        about,
        `${name} has the address ${address.address}`,
        `\`ip addr flush dev ${name}\`: it must be used for nothing else`,
      ),
    )
  }
  if (!link.carrier)
    checks.push(failUnlessForced(about, `${name} has no carrier`, `\`ip link set ${name} up\`, and look at its cable`))
  return checks.length > 0 ? checks : [pass(about, `${name} is free, with carrier`)]
}

/** What the comparer lets through is dropped at the tap by a netdev chain (S1). */
export function checkTapFilter(facts: HostFacts, spec?: PairSpec): Check[] {
  const about = {id: 'nft-netdev', host: facts.host}
  if (facts.nftNetdev) return [pass(about, 'nftables filters at interfaces')]
  const remedy = 'install nftables and use a kernel with its netdev family (CONFIG_NF_TABLES_NETDEV)'
  const dropped = spec?.nics.filter(({uncompared}) => uncompared === 'drop').map(({name}) => name) ?? []
  if (spec === undefined || dropped.length === 0) {
    return [
      warn(about, 'nftables cannot filter at interfaces: IPv6 and VLAN frames of a loser cannot be dropped', remedy),
    ]
  }
  return [
    fail(
      about,
      `nftables cannot filter at interfaces, which \`uncompared: drop\` of ${dropped.join(', ')} needs`,
      `${remedy}; or set \`uncompared: pass\` (two copies may then answer over IPv6)`,
    ),
  ]
}

export function checkPorts(
  spec: PairSpec,
  sides: readonly [{facts: HostFacts; entry: HostEntry}, {facts: HostFacts; entry: HostEntry}],
): Check[] {
  const choice = allotPorts(sides, spec)
  const about = {id: 'ports'}
  if ('problem' in choice) return [fail(about, choice.problem, 'widen `ports` of both hosts in hosts.yaml')]
  const {migration, nics} = choice.ports
  return [pass(about, `${migration}-${nics.at(-1)?.compare ?? choice.ports.nbd} are free on both hosts`)]
}

/** A MAC address names the tap, and two guests with one address disturb each other. */
export function checkMacs(spec: PairSpec, records: readonly PairRecord[]): Check[] {
  return spec.nics.flatMap((nic) => {
    const other = records.find(
      (record) => record.spec.name !== spec.name && record.spec.nics.some(({mac}) => mac === nic.mac),
    )
    if (other === undefined) return []
    return [
      fail(
        {id: 'mac'},
        `NIC ${nic.name}: ${nic.mac} is that of pair ${other.spec.name}`,
        'give it another MAC address',
      ),
    ]
  })
}

/** The same address in another notation counts as the same. */
export function sameAddress(a: string, b: string): boolean {
  return canonical(a) === canonical(b)
}

function canonical(address: string): string {
  if (!address.includes(':')) return address
  try {
    return new URL(`http://[${address.split('%')[0] ?? ''}]`).hostname
  } catch {
    return address.toLowerCase()
  }
}

import type {HostEntry} from '../../pair/inventory.js'
import type {PairRecord} from '../../pair/record.js'
import type {PairSpec} from '../../pair/spec.js'
import {fail, failUnlessForced, pass, warn, type Check} from '../check.js'
import type {HostFacts} from '../facts.js'

/** Programs the agent runs, and the package that has them on Debian. */
export const neededTools = {
  virsh: 'libvirt-clients',
  'qemu-img': 'qemu-utils',
  nft: 'nftables',
  ip: 'iproute2',
} as const

/** Clocks further apart make times in logs and records hard to compare; nothing is decided by them. */
const CLOCK_WARN_MS = 1000

/** Records name hosts; an agent keeps only those that name it. */
export function checkHostName(facts: HostFacts, entry: HostEntry): Check[] {
  if (facts.host === entry.name) return []
  const message = `the agent calls itself ${facts.host}, the inventory calls it ${entry.name}`
  const remedy = `rename it in the inventory, or start the agent with \`colo agent --host ${entry.name}\``
  return [fail({id: 'host-name', host: entry.name}, message, remedy)]
}

export function checkTools(facts: HostFacts): Check[] {
  const about = {id: 'tools', host: facts.host}
  const missing = Object.entries(neededTools).filter(([tool]) => facts.tools[tool] !== true)
  if (missing.length === 0) return [pass(about, `${Object.keys(neededTools).join(', ')} are installed`)]
  const names = missing.map(([tool]) => tool).join(', ')
  return [
    fail(about, `${names}: not installed`, `\`apt-get install ${missing.map(([, debian]) => debian).join(' ')}\``),
  ]
}

export function checkLibvirt(facts: HostFacts): Check[] {
  const about = {id: 'libvirt', host: facts.host}
  if ('version' in facts.libvirt) return [pass(about, `libvirt ${facts.libvirt.version} answers`)]
  return [
    fail(
      about,
      `libvirt does not answer: ${facts.libvirt.problem}`,
      'start it: `systemctl start libvirtd` (or virtqemud), and try `virsh list`',
    ),
  ]
}

/** What could not be probed is told, so that a missing finding is not taken for a good one. */
export function checkProbes(facts: HostFacts): Check[] {
  // of what runs guests its own rule tells: without it nothing runs
  const others = (facts.problems ?? []).filter(({probe}) => probe !== 'qemu' && probe !== 'xen')
  return others.map(({probe, message}) =>
    warn({id: 'probe', host: facts.host}, `could not probe ${probe}: ${message}`, 'see the log of the agent'),
  )
}

export function checkSameAgent(a: HostFacts, b: HostFacts): Check[] {
  const about = {id: 'same-agent'}
  if (a.agentVersion === b.agentVersion) return [pass(about, `both agents are colo ${a.agentVersion}`)]
  return [
    failUnlessForced(
      about,
      `the agent of ${a.host} is colo ${a.agentVersion}, that of ${b.host} ${b.agentVersion}`,
      'install the same colo on both and restart the agents; guests run on',
    ),
  ]
}

/** Compares what `fetchHostFacts` measured; a difference within the uncertainty of the measurement is none. */
export function checkClocks(a: HostFacts, b: HostFacts): Check[] {
  if (a.clock === undefined || b.clock === undefined) return []
  const about = {id: 'clock-difference'}
  const offsetMs = Math.abs(a.clock.offsetMs - b.clock.offsetMs)
  const uncertaintyMs = a.clock.uncertaintyMs + b.clock.uncertaintyMs
  const text = `${(offsetMs / 1000).toFixed(offsetMs < 10_000 ? 2 : 0)} s apart (measured within ${Math.ceil(uncertaintyMs)} ms)`
  if (offsetMs - uncertaintyMs <= CLOCK_WARN_MS) return [pass(about, `the clocks are ${text}`)]
  const behind = a.clock.offsetMs < b.clock.offsetMs ? a.host : b.host
  return [
    warn(
      about,
      `the clocks are ${text}, ${behind} is behind`,
      'run an NTP client (chrony, systemd-timesyncd) on both hosts',
    ),
  ]
}

/** A domain of this name, of whatever origin, is not touched. */
export function checkDomainName(spec: PairSpec, facts: HostFacts, adopted?: string): Check[] {
  const about = {id: 'domain-name', host: facts.host}
  if (adopted === spec.name) return [pass(about, `domain ${spec.name} becomes the pair`)]
  if (!facts.domains.includes(spec.name)) return [pass(about, `no domain is called ${spec.name}`)]
  return [
    fail(
      about,
      `libvirt has a domain ${spec.name} already`,
      `to make that domain a pair: \`colo pair create --from-domain ${spec.name}\`; else rename the pair, or remove the domain`,
    ),
  ]
}

/** No host knows a pair of this name. */
export function checkPairName(spec: PairSpec, records: readonly PairRecord[]): Check[] {
  const known = records.filter((record) => record.spec.name === spec.name)
  if (known.length === 0) return []
  const places = known.map(({host}) => host).join(' and ')
  return [
    fail(
      {id: 'pair-name'},
      `${places} has a record of a pair ${spec.name} already`,
      `see \`colo pair status ${spec.name}\`; \`colo pair destroy ${spec.name}\` removes it`,
    ),
  ]
}

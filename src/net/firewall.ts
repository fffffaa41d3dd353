import {UsageError} from '../errors.js'
import {checkAddress, checkPort, isIpv6} from './check.js'
import {isDrop, matchOf, tableReplacement, type NftTable} from './nft-list.js'

/** Who may reach a pair's ports on this host. */
export interface FirewallRule {
  /** replication address of this host */
  readonly address: string
  /** the only one that may connect */
  readonly peer: string
  readonly ports: readonly number[]
}

/**
 * Ruleset of one pair, for `nft -f -`: of everything that is sent to these TCP ports on that address only the peer's packets pass.
 * All other traffic is left to whatever else filters on this host; a drop here is final, an accept is not.
 *
 * @throws {UsageError} for an address or port that is none, addresses of two families, or no port at all
 */
export function firewallRuleset(table: string, rule: FirewallRule): string {
  const {address, peer, ports} = checked(rule)
  const ip = isIpv6(address) ? 'ip6' : 'ip'
  const match = `${ip} daddr ${address} ${ip} saddr != ${peer} tcp dport { ${ports.join(', ')} } drop`
  return tableReplacement(
    'inet',
    table,
    `  chain input {\n    type filter hook input priority -10; policy accept;\n    ${match}\n  }\n`,
  )
}

/** Reads {@link firewallRuleset} back; undefined when the table holds anything else. */
export function readFirewall(table: NftTable): FirewallRule | undefined {
  const [chain, ...otherChains] = table.chains
  const [rule, ...otherRules] = table.rules
  if (chain?.hook !== 'input' || chain.policy !== 'accept' || rule === undefined) return undefined
  if (otherChains.length > 0 || otherRules.length > 0 || rule.expr.length !== 4 || !isDrop(rule.expr[3]))
    return undefined
  const [to, from, port] = rule.expr.map(matchOf)
  const ip = to?.left === 'ip6 daddr' ? 'ip6' : 'ip'
  if (to?.left !== `${ip} daddr` || to.op !== '==' || from?.left !== `${ip} saddr` || from.op !== '!=') return undefined
  if (port?.left !== 'tcp dport' || port.op !== '==') return undefined
  const [address, peer] = [to.right[0], from.right[0]]
  const ports = port.right.filter((value) => typeof value === 'number')
  if (typeof address !== 'string' || typeof peer !== 'string' || ports.length !== port.right.length) return undefined
  return {address, peer, ports}
}

/** Whether both let the same packets through. */
export function sameFirewall(one: FirewallRule, other: FirewallRule): boolean {
  const key = ({address, peer, ports}: FirewallRule): string =>
    [canonical(address), canonical(peer), ...sorted(ports)].join(' ')
  return key(one) === key(other)
}

function checked(rule: FirewallRule): FirewallRule {
  const address = checkAddress('firewall address', rule.address)
  const peer = checkAddress('firewall peer', rule.peer)
  if (isIpv6(address) !== isIpv6(peer)) throw new UsageError(`firewall: ${address} and ${peer} are of two families`)
  if (rule.ports.length === 0) throw new UsageError(`firewall: no port on ${address} to protect`)
  const ports = sorted(rule.ports.map((port) => checkPort('firewall port', port)))
  return {address, peer, ports}
}

function sorted(ports: readonly number[]): number[] {
  return [...new Set(ports)].sort((a, b) => a - b)
}

function canonical(address: string): string {
  return isIpv6(address) ? new URL(`http://[${address}]/`).hostname : address
}

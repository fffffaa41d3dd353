import {checkInterface} from './check.js'
import {isDrop, matchOf, tableReplacement, type NftMatch, type NftTable} from './nft-list.js'

/** What QEMU's comparer lets through without comparing it. @see facts/qemu-colo.md section 2.2 */
export type Uncompared = 'ipv6' | 'vlan' | 'service-vlan' | 'fragment'

const rules: ReadonlyArray<{readonly drops: Uncompared; readonly text: string}> = [
  {drops: 'ipv6', text: 'meta protocol ip6 drop'},
  {drops: 'vlan', text: 'ether type 0x8100 drop'},
  {drops: 'service-vlan', text: 'ether type 0x88a8 drop'},
  {drops: 'fragment', text: 'ip frag-off & 0x3fff != 0 drop'},
]

/**
 * Ruleset for `nft -f -`: what comes out of the guest through this tap and is not compared is dropped, before tc and the bridge see
 * more of it. The first rule also takes IPv6 behind a VLAN tag, since the kernel takes the tag off before.
 *
 * @throws {UsageError} for names that are none
 */
export function tapFilterRuleset(table: string, tap: string): string {
  const device = checkInterface('tap', tap)
  const head = `type filter hook ingress device "${device}" priority -500; policy accept;`
  const body = [head, ...rules.map(({text}) => text)].map((line) => `    ${line}\n`).join('')
  return tableReplacement('netdev', table, `  chain ingress {\n${body}  }\n`)
}

/** What the rules of such a table drop; undefined when there is a rule we did not make, or no ingress chain. */
export function readTapFilter(table: NftTable): ReadonlySet<Uncompared> | undefined {
  if (table.chains.length !== 1 || table.chains[0]?.hook !== 'ingress') return undefined
  const drops = new Set<Uncompared>()
  for (const {expr} of table.rules) {
    const match = matchOf(expr[0])
    const dropped = expr.length === 2 && isDrop(expr[1]) && match !== undefined ? droppedBy(match) : undefined
    if (dropped === undefined) return undefined
    drops.add(dropped)
  }
  return drops
}

export function dropsAll(drops: ReadonlySet<Uncompared> | undefined): boolean {
  return drops !== undefined && rules.every((rule) => drops.has(rule.drops))
}

/** The device in nft's text of the table; nft 1.0 leaves it out of its JSON. */
export function deviceInText(text: string): string | undefined {
  return /hook ingress devices? = ?\{? ?"([^"]+)"|hook ingress device "([^"]+)"/.exec(text)?.slice(1).find(Boolean)
}

/** nft prints EtherTypes by name where it has one; the names changed from version to version. */
function droppedBy({op, left, right}: NftMatch): Uncompared | undefined {
  const [value] = right
  if (right.length !== 1) return undefined
  if (left === 'ip frag-off & 16383') return op === '!=' && value === 0 ? 'fragment' : undefined
  if (op !== '==') return undefined
  if (left === 'meta protocol') return value === 'ip6' ? 'ipv6' : undefined
  if (left !== 'ether type') return undefined
  if (['8021q', 'vlan', 0x8100].includes(value as string | number)) return 'vlan'
  return ['8021ad', 0x88a8].includes(value as string | number) ? 'service-vlan' : undefined
}

import type {Argv} from '../../os/process.js'
import type {ForwardNames} from '../../plan/action.js'
import {checkInterface} from '../check.js'
import {programName} from './leveller.js'
import {parseLinks, parseRules, type ObservedLink, type ObservedNetwork, type ObservedRule} from './observed.js'
import {
  hookAdd,
  hookDel,
  kindOf,
  preference,
  ruleAdd,
  ruleDel,
  rulesShowLine,
  type Dialect,
  type Hook,
  type TcRule,
} from './rules.js'
import type {ForwardWish, LinkWish} from './wish.js'

/** One change: a program, or a text written to a file of /proc. */
export type NetStep = {readonly argv: Argv} | {readonly path: string; readonly text: string}

/** How a forward NIC was before its first use, and who uses it now. */
export interface SavedNic {
  readonly nic: string
  readonly users: readonly string[]
  readonly before: {readonly up: boolean; readonly promiscuous: boolean; readonly ipv6: '0' | '1' | undefined}
  /** sysfs carrier_changes and ifindex when the link was last proven; a later one is a link that was touched */
  readonly proven: {readonly carrierChanges: string; readonly index: number}
}

/** Alias of a device made for this NIC of this pair. */
export const aliasOf = (owner: string): string => `colo ${owner}`

/**
 * What stands in the way of a wish, by name; empty when nothing does.
 *
 * @param claimed the forward NIC's state was saved: a hook without rules on it is ours, from a run that was cut off
 */
export function conflictsOf(wish: ForwardWish, seen: ObservedNetwork, claimed: boolean): string[] {
  const nic = seen.links.find(({name}) => name === wish.nic)
  if (nic === undefined) return [`there is no interface ${wish.nic}`]
  return [
    ...nicConflicts(wish, nic, seen),
    ...wish.links.flatMap((link) => linkConflicts(wish, link, seen)),
    ...hookConflicts(wish, seen, claimed),
  ]
}

function nicConflicts(wish: ForwardWish, nic: ObservedLink, seen: ObservedNetwork): string[] {
  const own = new Set(wish.links.map(({name}) => name))
  const stacked = seen.links.filter(({name, below, kind, alias}) => {
    return below === nic.name && kind !== 'veth' && !own.has(name) && alias?.startsWith('colo ') !== true
  })
  return [
    ...(nic.master === undefined ? [] : [`${nic.name} belongs to ${nic.master}`]),
    ...nic.addresses.map((address) => `${nic.name} has the address ${address}`),
    ...stacked.map(({name}) => `${name} is stacked on ${nic.name}`),
    ...wish.alone.flatMap((name) => {
      const master = seen.links.find((link) => link.name === name)?.master
      return master === undefined ? [] : [`${name} belongs to ${master}`]
    }),
  ]
}

function linkConflicts(wish: ForwardWish, {name}: LinkWish, seen: ObservedNetwork): string[] {
  const link = seen.links.find((known) => known.name === name)
  if (link === undefined || isOurs(link, wish.owner)) return []
  return [`${name} exists and is not ours (alias ${link.alias ?? 'none'})`]
}

/** Of this NIC; also one that was made but not yet named, since nothing else has names like these, which derive from the MAC address. */
function isOurs({alias, kind}: ObservedLink, owner: string): boolean {
  return alias === aliasOf(owner) || (alias === undefined && ['ifb', 'tun', 'vlan'].includes(kind))
}

/** Foreign rules where ours go, and a root qdisc or an ingress hook of the forward NIC that somebody else made. */
function hookConflicts(wish: ForwardWish, seen: ObservedNetwork, claimed: boolean): string[] {
  const devices = new Set([wish.nic, ...wish.rules.map(({device}) => device)])
  const foreign = seen.rules.filter(({device, cookie}) => devices.has(device) && cookie !== wish.cookie)
  const ours = (rule: ObservedRule): boolean => wish.shared && rule.cookie?.startsWith('636f6c6f') === true
  const rules = foreign
    .filter((rule) => !ours(rule))
    .map((rule) => `${rule.device} ${rule.hook} has a filter (${nameOf(rule)})`)
  const hooks = seen.qdiscs
    .filter(({device, kind}) => device === wish.nic && !claimed && ['clsact', 'ingress'].includes(kind))
    .map(({kind}) => `${wish.nic} has a ${kind} qdisc`)
  const roots = seen.qdiscs
    .filter(({device, root, kind}) => device === wish.nic && root && !defaultQdiscs.includes(kind))
    .map(({kind, handle}) => `${wish.nic} has the root qdisc ${kind} ${handle}`)
  return rules.length > 0 ? [...rules, ...roots] : [...hooks, ...roots]
}

/** What kernels give an interface by themselves. */
const defaultQdiscs = ['noqueue', 'mq', 'pfifo_fast', 'fq_codel', 'fq', 'pfifo', 'bfifo', 'sfq']

function nameOf({cookie, kind, preference: pref, protocol, verb, to}: ObservedRule): string {
  const what = verb === undefined ? kind : `${kind} ${verb} to ${to ?? '?'}`
  const mark = cookie === undefined ? '' : cookie.startsWith('636f6c6f') ? ', of another NIC of colo' : ''
  return `protocol ${protocol} pref ${pref} ${what}${mark}`
}

/**
 * The changes that make a wish true, in an order in which nothing leaks at any point: rules before switches, the tap of a secondary up
 * last. Nothing to do gives nothing.
 */
export function stepsUp(wish: ForwardWish, seen: ObservedNetwork, dialect: Dialect): NetStep[] {
  const wanted = (rule: ObservedRule): boolean => wish.rules.some((each) => fits(rule, each))
  const stale = seen.rules.filter((rule) => rule.cookie === wish.cookie && !wanted(rule))
  return [
    ...stale.map((rule): NetStep => ({argv: ruleDel(rule, dialect)})),
    ...wish.links.flatMap((link) => linkSteps(wish, link, seen)),
    ...wish.quiet.map((name): NetStep => ({path: ipv6Path(name), text: '1'})),
    ...ruleSteps(wish.rules, seen, dialect),
    ...wish.up.filter((name) => !isUp(seen, name)).map((name) => linkSet(name, 'up')),
    ...(isPromiscuous(seen, wish.nic) ? [] : [linkSet(wish.nic, 'promisc', 'on')]),
  ]
}

function linkSteps(wish: ForwardWish, {name, make}: LinkWish, seen: ObservedNetwork): NetStep[] {
  const link = seen.links.find((known) => known.name === name)
  const device = checkInterface('device', name)
  const made: NetStep[] = link === undefined ? [{argv: addArgv(device, make)}] : []
  const named = link?.alias === aliasOf(wish.owner) ? [] : [linkSet(name, 'alias', aliasOf(wish.owner))]
  return [...made, ...named]
}

function addArgv(name: string, make: LinkWish['make']): Argv {
  switch (make.kind) {
    case 'ifb':
      return ['ip', 'link', 'add', 'name', name, 'type', 'ifb']
    case 'tap':
      return ['ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', String(make.uid)]
    case 'vlan':
      return ['ip', 'link', 'add', 'link', make.below, 'name', name, 'type', 'vlan', 'id', String(make.id)]
  }
}

function ruleSteps(rules: readonly TcRule[], seen: ObservedNetwork, dialect: Dialect): NetStep[] {
  const missing = rules.filter((rule) => !seen.rules.some((known) => fits(known, rule)))
  const hooks = new Map(missing.map(({device, hook}) => [hookKey(device, hook, dialect), {device, hook}]))
  const made = new Set(seen.qdiscs.flatMap(({device, kind, handle}) => hookKeysOf(device, kind, handle)))
  return [
    ...[...hooks].filter(([key]) => !made.has(key)).map(([, at]) => ({argv: hookAdd(at.device, at.hook, dialect)})),
    ...missing.map((rule) => ({argv: ruleAdd(rule, dialect)})),
  ]
}

function hookKey(device: string, hook: Hook, dialect: Dialect): string {
  return dialect === 'clsact' ? `${device} clsact` : `${device} ${hook}`
}

function hookKeysOf(device: string, kind: string, handle: string): string[] {
  if (kind === 'clsact') return [`${device} clsact`]
  if (kind === 'ingress') return [`${device} ingress`]
  return kind === 'prio' && handle === '1:' ? [`${device} egress`] : []
}

/**
 * The changes that take all of ours away for one NIC. Hooks go only where nothing but ours hung on them, devices only when they are ours.
 */
export function stepsDown(names: ForwardNames, seen: ObservedNetwork): NetStep[] {
  const mine = seen.rules.filter(({cookie}) => cookie === names.cookie)
  const made = [names.ifb, names.feedTap, names.vlanDevice]
  const doomed = seen.links.filter((link) => made.includes(link.name) && isOurs(link, names.owner))
  const gone = new Set(doomed.map(({name}) => name))
  const kept = mine.filter(({device}) => !gone.has(device))
  const hooks = hooksLeft(kept, seen, names)
  return [
    ...kept.map((rule) => ({argv: ruleDel(rule, dialectAt(rule, seen))})),
    ...hooks,
    ...doomed.map(({name}) => ({argv: ['ip', 'link', 'del', 'dev', name] as const})),
  ]
}

/** Hooks that nothing but the rules `kept` hang on: of their devices, and of the guest's tap, where a run may have been cut off. */
function hooksLeft(kept: readonly ObservedRule[], seen: ObservedNetwork, names: ForwardNames): NetStep[] {
  const devices = new Set([...kept.map(({device}) => device), names.tap])
  return seen.qdiscs.flatMap((qdisc): NetStep[] => {
    const {device, kind} = qdisc
    if (!devices.has(device) || !isHook(qdisc)) return []
    if (seen.rules.some((rule) => rule.device === device && !kept.includes(rule))) return []
    const dialect: Dialect = kind === 'clsact' ? 'clsact' : 'ingress-prio'
    return [{argv: hookDel(device, kind === 'prio' ? 'egress' : 'ingress', dialect)}]
  })
}

function isHook({kind, handle}: {readonly kind: string; readonly handle: string}): boolean {
  return kind === 'clsact' || kind === 'ingress' || (kind === 'prio' && handle === '1:')
}

function dialectAt({device}: ObservedRule, seen: ObservedNetwork): Dialect {
  return seen.qdiscs.some((qdisc) => qdisc.device === device && qdisc.kind === 'clsact') ? 'clsact' : 'ingress-prio'
}

/** The forward NIC as it was before its first use; nobody uses it any more. */
export function stepsRestore(saved: SavedNic, seen: ObservedNetwork): NetStep[] {
  const link = seen.links.find(({name}) => name === saved.nic)
  if (link === undefined) return []
  const {up, promiscuous, ipv6} = saved.before
  const hooks = seen.qdiscs.filter(({device, kind}) => device === saved.nic && ['clsact', 'ingress'].includes(kind))
  const free = !seen.rules.some(({device, cookie}) => device === saved.nic && cookie?.startsWith('636f6c6f') !== true)
  return [
    ...(free
      ? hooks.map(({kind}) => ({
          argv: hookDel(saved.nic, 'ingress', kind === 'clsact' ? 'clsact' : 'ingress-prio'),
        }))
      : []),
    ...(link.promiscuous && !promiscuous ? [linkSet(saved.nic, 'promisc', 'off')] : []),
    ...(link.up && !up ? [linkSet(saved.nic, 'down')] : []),
    ...(ipv6 === '0' ? [{path: ipv6Path(saved.nic), text: '0'}] : []),
  ]
}

/** The promoted side, in the moment of failover: only what its guest needs to be heard. */
export function stepsRelease(path: {readonly tap: string; readonly bridge: string}, dialect: Dialect): NetStep[] {
  return [
    {argv: ruleDel({device: path.tap, hook: 'ingress'}, dialect)},
    linkSet(path.tap, 'master', checkInterface('bridge', path.bridge)),
  ]
}

/** How each tool shows afterwards, in its batch mode, that its part of a release was done. @throws {DecodeError} for what is no answer */
export function releaseLooks(
  {tap, bridge}: {readonly tap: string; readonly bridge: string},
  dialect: Dialect,
): Readonly<Record<'ip' | 'tc', {readonly look: string; readonly isDone: (line: string) => boolean}>> {
  return {
    tc: {
      look: rulesShowLine(tap, 'ingress', dialect),
      isDone: (line) =>
        !parseRules(line, [{device: tap, hook: 'ingress', dialect}]).some(({action}) => action === 'mirred'),
    },
    ip: {
      look: `link show dev ${checkInterface('tap', tap)}`,
      isDone: (line) => parseLinks(line).some(({name, master}) => name === tap && master === bridge),
    },
  }
}

/** Whether the kernel holds a rule as wished. */
export function fits(known: ObservedRule, wished: TcRule): boolean {
  return (
    known.device === wished.device &&
    known.hook === wished.hook &&
    known.kind === kindOf(wished) &&
    known.program === (wished.levelled === true ? programName : undefined) &&
    known.protocol === (wished.protocol ?? 'all') &&
    known.preference === (wished.preference ?? preference) &&
    known.verb === wished.verb &&
    known.to === wished.to &&
    known.cookie === wished.cookie
  )
}

export function ipv6Path(name: string): string {
  return `/proc/sys/net/ipv6/conf/${checkInterface('device', name)}/disable_ipv6`
}

function linkSet(name: string, ...words: readonly string[]): NetStep {
  return {argv: ['ip', 'link', 'set', 'dev', checkInterface('device', name), ...words]}
}

function isUp(seen: ObservedNetwork, name: string): boolean {
  return seen.links.find((link) => link.name === name)?.up === true
}

function isPromiscuous(seen: ObservedNetwork, name: string): boolean {
  return seen.links.find((link) => link.name === name)?.promiscuous === true
}

import type {Argv} from '../../os/process.js'
import {checkCount, checkInterface} from '../check.js'
import {programPath, programSection} from './leveller.js'

/**
 * How a kernel hangs rules on a device: `clsact` (Linux 4.5 and later) has both hooks; before, `ingress` has the one and a classful root
 * qdisc, `prio`, stands in for the other.
 */
export type Dialect = 'clsact' | 'ingress-prio'
export type Hook = 'ingress' | 'egress'

/** Frames that pass one hook of one device are copied (`mirror`) or moved (`redirect`) to the egress of another one. */
export interface TcRule {
  readonly device: string
  readonly hook: Hook
  readonly verb: 'mirror' | 'redirect'
  readonly to: string
  /** EtherTypes by tc's names; `all` unless told */
  readonly protocol?: 'all' | 'ip' | 'ipv6' | 'arp'
  readonly preference?: number
  /** hex, at most 32 digits; kept by the kernel beside the action: whose rule it is */
  readonly cookie?: string
  /** frames go through the leveller on their way */
  readonly levelled?: boolean
}

/** The place of our rules among those of a hook. */
export const preference = 10

/** Makes what rules hang on, at one hook of a device. */
export function hookAdd(device: string, hook: Hook, dialect: Dialect): Argv {
  return ['tc', 'qdisc', 'add', 'dev', checkInterface('device', device), ...qdiscOf(hook, dialect)]
}

/** Takes it away, with all rules on it. */
export function hookDel(device: string, hook: Hook, dialect: Dialect): Argv {
  const qdisc = qdiscOf(hook, dialect)
  const place = qdisc[0] === 'root' ? ['root'] : qdisc
  return ['tc', 'qdisc', 'del', 'dev', checkInterface('device', device), ...place]
}

/** @throws {UsageError} for names that are none */
export function ruleAdd(rule: TcRule, dialect: Dialect): Argv {
  // at a classful root the frame also needs a class to go on in
  const classid = dialect === 'ingress-prio' && rule.hook === 'egress' ? ['flowid', '1:2'] : []
  const mirred = ['action', 'mirred', 'egress', rule.verb, 'dev', checkInterface('device', rule.to)]
  const cookie = rule.cookie === undefined ? [] : ['cookie', rule.cookie]
  return [...placeOf('add', rule, dialect), ...matchOf(rule), ...classid, ...mirred, ...cookie] as unknown as Argv
}

export function ruleDel(rule: Place, dialect: Dialect): Argv {
  return [...placeOf('del', rule, dialect), rule.kind ?? 'u32'] as unknown as Argv
}

/** tc's word for what picks the frames of a rule. */
export function kindOf({levelled}: TcRule): 'u32' | 'bpf' {
  return levelled === true ? 'bpf' : 'u32'
}

/** All frames. */
function matchOf({levelled}: TcRule): string[] {
  if (levelled !== true) return ['u32', 'match', 'u32', '0', '0']
  return ['bpf', 'object-file', programPath, 'section', programSection]
}

/** A line for `tc -json -s -batch -`. */
export function rulesShowLine(device: string, hook: Hook, dialect: Dialect): string {
  return ['filter', 'show', 'dev', checkInterface('device', device), ...parentOf(hook, dialect)].join(' ')
}

/** Where a rule is; the protocol as the kernel may have it, too. */
type Place = Pick<TcRule, 'device' | 'hook' | 'preference'> & {readonly protocol?: string; readonly kind?: string}

function placeOf(verb: 'add' | 'del', rule: Place, dialect: Dialect): string[] {
  const prio = checkCount('preference', rule.preference ?? preference, 1)
  const device = checkInterface('device', rule.device)
  const parent = parentOf(rule.hook, dialect)
  return ['tc', 'filter', verb, 'dev', device, ...parent, 'protocol', rule.protocol ?? 'all', 'prio', String(prio)]
}

function parentOf(hook: Hook, dialect: Dialect): string[] {
  if (dialect === 'clsact') return [hook]
  return ['parent', hook === 'ingress' ? 'ffff:' : '1:']
}

function qdiscOf(hook: Hook, dialect: Dialect): string[] {
  if (dialect === 'clsact') return ['clsact']
  return hook === 'ingress' ? ['ingress'] : ['root', 'handle', '1:', 'prio']
}

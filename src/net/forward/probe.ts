import type {ForwardPath} from '../../plan/action.js'
import {isRecord} from '../../qmp/messages.js'
import {checkInterface, checkTable} from '../check.js'
import {matchOf, tableReplacement, type NftTable} from '../nft-list.js'
import {ipv6Path, type NetStep} from './converge.js'
import {hookAdd, ruleAdd} from './rules.js'

/** An address of TEST-NET-1, which nobody has: the frames ask for nothing and nobody answers them. @see RFC 5737 */
const nobody = '192.0.2.1/32'

/** A made-up station per NIC, locally administered. */
export function stationOf(path: {readonly cookie: string}): string {
  const tail = path.cookie.slice(-6)
  return `02:c0:10:${tail.slice(0, 2)}:${tail.slice(2, 4)}:${tail.slice(4, 6)}`
}

/**
 * Sends real frames without a program that opens raw sockets: a pair of virtual interfaces, whose one end announces itself by ARP each
 * time it is switched on, and whose other end moves what it gets to the egress of `to`.
 *
 * @see linux Documentation/networking/ip-sysctl.rst, arp_notify
 */
export function senderSteps(
  path: Pick<ForwardPath, 'cookie'>,
  {station, to}: {readonly station: string; readonly to: string},
): {readonly prepare: NetStep[]; readonly send: NetStep[]; readonly remove: NetStep[]} {
  const {near, far} = senderNames(path)
  const link = (name: string, word: string): NetStep => ({argv: ['ip', 'link', 'set', 'dev', name, word]})
  const rule = {device: far, hook: 'ingress', verb: 'redirect', to: checkInterface('device', to)} as const
  return {
    prepare: [
      {argv: ['ip', 'link', 'add', 'name', far, 'type', 'veth', 'peer', 'name', near, 'address', station]},
      {path: ipv6Path(near), text: '1'},
      {path: ipv6Path(far), text: '1'},
      {path: `/proc/sys/net/ipv4/conf/${near}/arp_notify`, text: '1'},
      {argv: ['ip', 'addr', 'add', nobody, 'dev', near]},
      {argv: hookAdd(far, 'ingress', 'clsact')},
      {argv: ruleAdd(rule, 'clsact')},
      link(far, 'up'),
    ],
    send: [link(near, 'up'), link(near, 'down')],
    remove: [{argv: ['ip', 'link', 'del', 'dev', far]}],
  }
}

/** Interfaces of a probe; the first one is `far`. */
export function senderNames(path: Pick<ForwardPath, 'cookie'>): {readonly near: string; readonly far: string} {
  const mac = path.cookie.slice(-12)
  return {near: `cn${mac}`, far: `cx${mac}`}
}

/** Rule set that counts a station's frames as they come in, at each of these interfaces by its own chain. */
export function listenerRuleset(
  table: string,
  station: string,
  links: ReadonlyArray<{readonly name: string; readonly index: number}>,
): string {
  const chains = links.map(({name, index}) => {
    const head = `type filter hook ingress device "${checkInterface('device', name)}" priority -500; policy accept;`
    return `  chain i${index} {\n    ${head}\n    ether saddr ${station} counter\n  }\n`
  })
  return tableReplacement('netdev', checkTable('table', table), chains.join(''))
}

/** Frames counted per interface index. */
export function readListener(table: NftTable): ReadonlyMap<number, number> {
  return new Map(
    table.rules.flatMap(({chain, expr}): Array<[number, number]> => {
      const counted: unknown = expr.find((each) => isRecord(each) && 'counter' in each)
      const counter = isRecord(counted) ? counted['counter'] : undefined
      const packets = isRecord(counter) ? counter['packets'] : undefined
      if (matchOf(expr[0])?.left !== 'ether saddr' || typeof packets !== 'number') return []
      return [[Number(chain.slice(1)), packets]]
    }),
  )
}

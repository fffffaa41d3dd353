import {DecodeError} from '../../errors.js'
import type {Argv} from '../../os/process.js'
import type {HostFacts} from '../facts.js'

/** One call tells addresses, kinds, masters and the STP of bridges. */
export const ipArgv: Argv = ['ip', '-json', '-details', 'addr', 'show']

export type LinkFacts = Pick<HostFacts, 'addresses' | 'bridges' | 'links'>

export const noLinks: LinkFacts = {addresses: [], bridges: [], links: []}

/**
 * Reads `ip -json -details addr show`.
 *
 * `up` means that the interface is switched on and, as far as the driver knows, has a carrier.
 *
 * @throws {DecodeError} when it is not that
 * @see iproute2 ip/ipaddress.c, print_linkinfo; linux if.h, IFF_UP and IFF_LOWER_UP
 */
export function parseIpAddr(stdout: string): LinkFacts {
  const links = decode(stdout)
  return {
    addresses: links.flatMap((link) =>
      link.addresses.map((address) => ({dev: link.name, address, up: link.isUp, mtu: link.mtu})),
    ),
    bridges: links
      .filter(({kind}) => kind === 'bridge')
      .map(({name, switchedOn, stp}) => ({
        name,
        up: switchedOn, // a bridge without ports has no carrier, and that is no fault
        stp,
        ports: links.filter(({master}) => master === name).map((port) => port.name),
      })),
    links: links.map(({name, kind, carrier, mtu, master, below, alias}) => {
      const more = {...(below === undefined ? {} : {below}), ...(alias === undefined ? {} : {alias})}
      return {name, kind, carrier, mtu, master, ...more}
    }),
  }
}

interface Link {
  readonly name: string
  readonly kind: string
  readonly mtu: number
  readonly master: string | undefined
  readonly switchedOn: boolean
  readonly carrier: boolean
  readonly isUp: boolean
  readonly stp: boolean
  readonly below: string | undefined
  readonly alias: string | undefined
  readonly addresses: readonly string[]
}

function decode(stdout: string): Link[] {
  let value: unknown
  try {
    value = JSON.parse(stdout)
  } catch (cause) {
    throw new DecodeError({source: 'ip', path: 'output', expected: 'JSON'}, {cause})
  }
  if (!Array.isArray(value)) throw new DecodeError({source: 'ip', path: 'output', expected: 'a list'})
  return value.map((item: unknown, index) => decodeLink(item, index)).filter((link) => link !== undefined)
}

/** Older iproute2 prints an empty object for what a filter left out. */
function decodeLink(item: unknown, index: number): Link | undefined {
  if (!isRecord(item)) throw new DecodeError({source: 'ip', path: String(index), expected: 'an object'})
  if (Object.keys(item).length === 0) return undefined
  const {ifname: name, mtu, flags, linkinfo, master, link_type: type, addr_info: addresses} = item
  if (typeof name !== 'string' || typeof mtu !== 'number' || !Array.isArray(flags)) {
    throw new DecodeError({source: 'ip', path: String(index), expected: 'an interface'})
  }
  const details = isRecord(linkinfo) ? linkinfo : {}
  const bridge = isRecord(details['info_data']) ? details['info_data'] : {}
  const kind = details['info_kind'] ?? type
  const switchedOn = flags.includes('UP')
  const carrier = flags.includes('LOWER_UP')
  return {
    name,
    kind: typeof kind === 'string' ? kind : '',
    mtu,
    master: typeof master === 'string' ? master : undefined,
    switchedOn,
    carrier,
    isUp: switchedOn && carrier,
    below: typeof item['link'] === 'string' ? item['link'] : undefined,
    alias: typeof item['ifalias'] === 'string' ? item['ifalias'] : undefined,
    stp: bridge['stp_state'] !== undefined && bridge['stp_state'] !== 0,
    addresses: Array.isArray(addresses) ? addresses.flatMap((entry: unknown) => localOf(entry)) : [],
  }
}

function localOf(entry: unknown): string[] {
  return isRecord(entry) && typeof entry['local'] === 'string' ? [entry['local']] : []
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

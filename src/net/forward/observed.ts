import {DecodeError} from '../../errors.js'
import {isRecord} from '../../qmp/messages.js'
import type {Dialect, Hook} from './rules.js'

/** A link as `ip -json -details -stats addr show` tells it. */
export interface ObservedLink {
  readonly name: string
  readonly index: number
  /** `veth`, `ifb`, `tun`, `vlan`, `bridge`; empty for hardware */
  readonly kind: string
  readonly up: boolean
  readonly carrier: boolean
  readonly promiscuous: boolean
  readonly mtu: number
  readonly master: string | undefined
  readonly alias: string | undefined
  /** the device below a VLAN or another stacked one */
  readonly below: string | undefined
  /** addresses but link-local ones, which the kernel gives by itself */
  readonly addresses: readonly string[]
  readonly rxPackets: number
  readonly txPackets: number
}

export interface ObservedQdisc {
  readonly device: string
  readonly kind: string
  /** `ffff:`, `1:`, `0:` */
  readonly handle: string
  readonly root: boolean
}

/** A filter of one hook; of those that are not mirred only what tells that they are foreign. */
export interface ObservedRule {
  readonly device: string
  readonly hook: Hook
  readonly protocol: string
  readonly preference: number
  readonly kind: string
  /** its first action, `mirred` for ours */
  readonly action: string | undefined
  /** of an eBPF filter: object file and section, as in `leveller.o:[colo_vnet_1]` */
  readonly program: string | undefined
  readonly verb: string | undefined
  readonly to: string | undefined
  readonly cookie: string | undefined
  readonly packets: number
  readonly bytes: number
  readonly drops: number
}

/** Links, qdiscs and rules of a host at one moment. */
export interface ObservedNetwork {
  readonly links: readonly ObservedLink[]
  readonly qdiscs: readonly ObservedQdisc[]
  readonly rules: readonly ObservedRule[]
}

/** Where rules can hang: what to ask `tc filter show` for. */
export interface HookPlace {
  readonly device: string
  readonly hook: Hook
  readonly dialect: Dialect
}

/** @throws {DecodeError} when it is not what ip prints @see iproute2 ip/ipaddress.c, print_linkinfo */
export function parseLinks(stdout: string): ObservedLink[] {
  return listOf('ip', stdout).flatMap((item, index) => {
    if (!isRecord(item)) throw odd('ip', String(index), 'an object')
    if (Object.keys(item).length === 0) return [] // older iproute2 prints one for what a filter left out
    const {ifname: name, ifindex, mtu, flags} = item
    if (typeof name !== 'string' || typeof ifindex !== 'number' || typeof mtu !== 'number' || !Array.isArray(flags)) {
      throw odd('ip', String(index), 'an interface')
    }
    const details = isRecord(item['linkinfo']) ? item['linkinfo'] : {}
    const addresses = Array.isArray(item['addr_info']) ? (item['addr_info'] as unknown[]) : []
    return [
      {
        name,
        index: ifindex,
        kind: textOf(details['info_kind']) ?? '',
        up: flags.includes('UP'),
        carrier: flags.includes('LOWER_UP'),
        promiscuous: flags.includes('PROMISC'),
        mtu,
        master: textOf(item['master']),
        alias: textOf(item['ifalias']),
        below: textOf(item['link']),
        addresses: addresses.flatMap(addressOf),
        rxPackets: packetsOf(item, 'rx'),
        txPackets: packetsOf(item, 'tx'),
      },
    ]
  })
}

/** @throws {DecodeError} when it is not what tc prints */
export function parseQdiscs(stdout: string): ObservedQdisc[] {
  return listOf('tc', stdout).map((item, index) => {
    if (!isRecord(item) || typeof item['kind'] !== 'string' || typeof item['dev'] !== 'string') {
      throw odd('tc', String(index), 'a qdisc')
    }
    return {
      device: item['dev'],
      kind: item['kind'],
      handle: textOf(item['handle']) ?? '',
      root: item['root'] === true,
    }
  })
}

/** Hooks of these qdiscs, in a stable order. */
export function hooksOf(qdiscs: readonly ObservedQdisc[]): HookPlace[] {
  return qdiscs.flatMap(({device, kind, handle, root}): HookPlace[] => {
    if (kind === 'clsact') {
      return [
        {device, hook: 'ingress', dialect: 'clsact'},
        {device, hook: 'egress', dialect: 'clsact'},
      ]
    }
    if (kind === 'ingress') return [{device, hook: 'ingress', dialect: 'ingress-prio'}]
    return root && kind === 'prio' && handle === '1:' ? [{device, hook: 'egress', dialect: 'ingress-prio'}] : []
  })
}

/**
 * Reads what `tc -json -s -batch -` printed for one `filter show` per hook: one document per line, in the order asked.
 *
 * @throws {DecodeError} when it is not that
 */
export function parseRules(stdout: string, places: readonly HookPlace[]): ObservedRule[] {
  const lines = stdout.split('\n').filter((line) => line.trim() !== '')
  if (lines.length !== places.length)
    throw odd('tc', 'output', `${places.length} lists of filters, not ${lines.length}`)
  return places.flatMap((place, index) => rulesOf(lines[index] ?? '', place))
}

/** Several entries tell of one u32 or bpf filter; the one with a match, program or action counts. */
function rulesOf(line: string, {device, hook}: HookPlace): ObservedRule[] {
  const entries = listOf('tc', line).filter(isRecord)
  return entries
    .filter((entry) => {
      const options = entry['options']
      if (entry['kind'] === 'bpf') return isRecord(options)
      if (entry['kind'] !== 'u32') return true
      return isRecord(options) && ('match' in options || 'actions' in options)
    })
    .map((entry): ObservedRule => {
      const options = isRecord(entry['options']) ? entry['options'] : {}
      const actions: unknown = options['actions']
      const first: unknown = Array.isArray(actions) ? actions[0] : undefined
      const action = isRecord(first) ? first : {}
      const stats = isRecord(action['stats']) ? action['stats'] : {}
      return {
        device,
        hook,
        protocol: textOf(entry['protocol']) ?? '',
        preference: numberOf(entry['pref']),
        kind: textOf(entry['kind']) ?? '',
        action: textOf(action['kind']),
        program: textOf(options['bpf_name']),
        verb: textOf(action['mirred_action']),
        to: textOf(action['to_dev']),
        cookie: textOf(action['cookie']),
        packets: numberOf(stats['packets']),
        bytes: numberOf(stats['bytes']),
        drops: numberOf(stats['drops']),
      }
    })
}

function addressOf(entry: unknown): string[] {
  const local = isRecord(entry) ? entry['local'] : undefined
  return typeof local === 'string' && !/^fe[89ab]/i.test(local) ? [local] : []
}

function packetsOf(item: Record<string, unknown>, direction: 'rx' | 'tx'): number {
  const stats = item['stats64'] ?? item['stats']
  const side = isRecord(stats) ? stats[direction] : undefined
  return isRecord(side) ? numberOf(side['packets']) : 0
}

function listOf(source: string, text: string): unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text.trim() === '' ? '[]' : text)
  } catch (cause) {
    throw new DecodeError({source, path: 'output', expected: 'JSON'}, {cause})
  }
  if (!Array.isArray(value)) throw odd(source, 'output', 'a list')
  return value as unknown[]
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function odd(source: string, path: string, expected: string): DecodeError {
  return new DecodeError({source, path, expected})
}

import {addDuration, emptyHistogram, type Histogram} from './histogram.js'
import type {TraceLine} from './trace-line.js'

/**
 * What only QEMU's `colo_*` traces tell: the phases of a checkpoint, its dirty pages, and the comparer's verdicts. Phases as in the
 * facts on QEMU, section 12.2: handshake (request to reply), transfer (vmstate-send to received), load (received to loaded), the
 * pause (run to stop to run); flush is the secondary's copying of the received pages into the guest.
 */
export const phases = ['handshake', 'transfer', 'load', 'pause', 'flush'] as const
export type Phase = (typeof phases)[number]

export interface PacketCounts {
  readonly same: number
  readonly different: number
  readonly unsupported: number
  readonly dropped: number
  /** UDP and ICMP only: a TCP mismatch has no trace of its own and shows as an early checkpoint */
  readonly miscompares: number
}

export interface PhaseSeries {
  readonly durations: Readonly<Record<Phase, Histogram>>
  /** pages the last checkpoint moved, and all of them; 4 KiB each. Secondary only */
  readonly dirtyPages: {
    readonly last: number | undefined
    readonly sum: number
    readonly count: number
    readonly max: number
  }
  readonly packets: PacketCounts
  /** begin of what is under way */
  readonly since: Readonly<Partial<Record<Phase, number>>>
}

const noPackets: PacketCounts = {same: 0, different: 0, unsupported: 0, dropped: 0, miscompares: 0}

export const emptyPhases: PhaseSeries = {
  durations: {
    handshake: emptyHistogram,
    transfer: emptyHistogram,
    load: emptyHistogram,
    pause: emptyHistogram,
    flush: emptyHistogram,
  },
  dirtyPages: {last: undefined, sum: 0, count: 0, max: 0},
  packets: noPackets,
  since: {},
}

/** Takes in one line; lines of no meaning here change nothing. */
export function feedTrace(series: PhaseSeries, {name, text, atMs}: TraceLine): PhaseSeries {
  switch (name) {
    case 'colo_send_message':
    case 'colo_receive_message':
      return message(series, /'([\w-]+)'/.exec(text)?.[1] ?? '', atMs)
    case 'colo_vm_state_change':
      if (text.endsWith("=> 'stop'")) return begin(series, 'pause', atMs)
      return text.endsWith("=> 'run'") ? finish(series, 'pause', atMs) : series
    case 'colo_flush_ram_cache_begin':
      return begin(dirty(series, Number(/dirty_pages (\d+)/.exec(text)?.[1] ?? 'NaN')), 'flush', atMs)
    case 'colo_flush_ram_cache_end':
      return finish(series, 'flush', atMs)
    default:
      return packet(series, name, text)
  }
}

function message(series: PhaseSeries, word: string, atMs: number): PhaseSeries {
  switch (word) {
    case 'checkpoint-request':
      return begin(series, 'handshake', atMs)
    case 'checkpoint-reply':
      return finish(series, 'handshake', atMs)
    case 'vmstate-send':
      return begin(series, 'transfer', atMs)
    case 'vmstate-received':
      return begin(finish(series, 'transfer', atMs), 'load', atMs)
    case 'vmstate-loaded':
      return finish(series, 'load', atMs)
    default:
      return series
  }
}

function packet(series: PhaseSeries, name: string, text: string): PhaseSeries {
  const key = packetKey(name, text)
  if (key === undefined) return series
  return {...series, packets: {...series.packets, [key]: series.packets[key] + 1}}
}

function packetKey(name: string, text: string): keyof PacketCounts | undefined {
  switch (name) {
    case 'colo_compare_udp_miscompare':
    case 'colo_compare_icmp_miscompare':
      return 'miscompares'
    case 'colo_compare_drop_packet':
      return 'dropped'
    case 'colo_compare_main':
      if (text.includes('packet same')) return 'same'
      if (text.includes('unsupported packet')) return 'unsupported'
      return text.includes('packet different') ? 'different' : undefined
    default:
      return undefined
  }
}

function begin(series: PhaseSeries, phase: Phase, atMs: number): PhaseSeries {
  return {...series, since: {...series.since, [phase]: atMs}}
}

function finish(series: PhaseSeries, phase: Phase, atMs: number): PhaseSeries {
  const {[phase]: since, ...others} = series.since
  if (since === undefined) return series
  const durations = {...series.durations, [phase]: addDuration(series.durations[phase], atMs - since)}
  return {...series, since: others, durations}
}

function dirty(series: PhaseSeries, pages: number): PhaseSeries {
  if (!Number.isFinite(pages)) return series
  const {sum, count, max} = series.dirtyPages
  return {...series, dirtyPages: {last: pages, sum: sum + pages, count: count + 1, max: Math.max(max, pages)}}
}

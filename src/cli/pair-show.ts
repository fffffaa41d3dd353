import {currencyOf, type Currency, type PairRecord} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import type {Seen} from '../pair/status.js'
import {formatBytes} from '../ui/bytes.js'
import {plainText, renderTable} from '../ui/table.js'
import {formatInstant} from '../ui/time.js'

/** The record as it may be shown: without the beacons' key, and with the spec told once. */
export type ShownRecord = Omit<PairRecord, 'beaconKey' | 'spec' | 'host' | 'origin'> & {
  readonly currency: Currency
  /** the domain it came from, without its definition, which may hold passwords */
  readonly origin?: {readonly domain: string; readonly host: string; readonly autostart: boolean}
}

export interface ShownMember {
  readonly host: string
  /** why there is no record: the host does not answer, or knows nothing */
  readonly problem?: string
  readonly record?: ShownRecord
}

/** What `colo pair show --json` prints. */
export interface PairShowDocument {
  readonly pair: string
  /** of the member with the highest epoch */
  readonly spec?: PairSpec
  readonly members: readonly ShownMember[]
}

export function showDocument(pair: string, seen: readonly Seen[]): PairShowDocument {
  const records = seen.flatMap((side) =>
    'member' in side && side.member.record !== undefined ? [side.member.record] : [],
  )
  const newest = [...records].sort((a, b) => b.generation.epoch - a.generation.epoch)[0]
  return {
    pair,
    ...(newest === undefined ? {} : {spec: newest.spec}),
    members: seen.map(shownMember),
  }
}

function shownMember(side: Seen): ShownMember {
  if ('unreachable' in side) return {host: side.host, problem: side.unreachable}
  const {record} = side.member
  if (record === undefined) return {host: side.host, problem: 'no record of this pair'}
  const {beaconKey: _key, spec: _spec, host: _host, origin, ...shown} = record
  const from =
    origin === undefined ? {} : {origin: {domain: origin.domain, host: origin.host, autostart: origin.autostart}}
  return {host: side.host, record: {...shown, ...from, currency: currencyOf(record)}}
}

/** Spec in a few lines, then one block per host. */
export function showText({pair, spec, members}: PairShowDocument): string {
  return [
    pair,
    ...(spec === undefined ? [] : specLines(spec)),
    ...members.flatMap((member) => ['', ...memberLines(member)]),
  ].join('\n')
}

function specLines({vm, disks, nics, checkpoint}: PairSpec): string[] {
  return [
    `  vm: ${vm.vcpus} vcpus, ${formatBytes(vm.memoryBytes)}, machine ${vm.machine}, cpu ${vm.cpu}`,
    ...(vm.imported === undefined || vm.imported.dropped.length === 0
      ? []
      : [`  left out of the imported definition: ${vm.imported.dropped.join(', ')}`]),
    ...disks.map((disk) => `  disk ${disk.name}: ${disk.bus}, ${disk.format}, ${formatBytes(disk.sizeBytes)}`),
    ...nics.map((nic) => `  nic ${nic.name}: ${nic.model}, ${nic.mac}, uncompared frames: ${nic.uncompared}`),
    `  checkpoint every ${checkpoint.intervalMs} ms, answers are compared for ${checkpoint.compareTimeoutMs} ms`,
  ]
}

function memberLines({host, problem, record}: ShownMember): string[] {
  if (record === undefined) return [`${host}: ${plainText(problem ?? 'no record')}`]
  const {generation, marks} = record
  const facts: ReadonlyArray<readonly [string, string]> = [
    ['role', record.alone ? `${record.role}, alone` : record.role],
    [
      'copy',
      [record.currency, marks.stale, marks.incomplete?.detail, marks.notPromotable]
        .filter((part) => part !== undefined)
        .join(': '),
    ],
    ['generation', `epoch ${generation.epoch}, ${generation.id}, ${generation.ancestors.length} ancestors`],
    ['stopped cleanly', record.clean ? 'yes' : 'no'],
    ['was protected', record.wasProtected ? 'yes' : 'no'],
    ['address', record.addresses[host] ?? ''],
    ['ports', portsText(record)],
    ['machine', `${record.machine}, ${record.accel}`],
    ...(record.origin === undefined
      ? []
      : [['imported', `domain ${record.origin.domain} of ${record.origin.host}; destroy gives it back`] as const]),
    ...record.images.map(
      (image) =>
        [`image ${image.disk}`, `${image.path} (inode ${image.inode}, ${formatBytes(image.sizeBytes)})`] as const,
    ),
    ['updated', formatInstant(record.updatedAtMs)],
  ]
  const table = renderTable(
    [
      {title: '', value: ([name]) => name},
      {title: '', value: ([, value]) => value},
    ],
    facts,
    {header: false},
  )
  return [`${host}:`, ...table.split('\n').map((line) => `  ${line}`)]
}

function portsText({ports}: ShownRecord): string {
  const nics = ports.nics.map(({mirror, compare}) => `${mirror} and ${compare}`)
  return `migration ${ports.migration}, nbd ${ports.nbd}, nics ${nics.join(', ')}`
}

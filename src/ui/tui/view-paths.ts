import type {ChardevObservation, ObjectObservation} from '../../pair/observation.js'
import type {PairSides} from '../../stats/pair-stats.js'
import {formatBytes} from '../bytes.js'
import {primaryOf, secondaryOf} from './links.js'
import type {PairView} from './model.js'
import {fitted, span, type Line, type Style} from './text.js'

/** Disks: whether writes reach the other side, and how much was written. */
export function diskLines(pair: PairView, {primary: stats}: PairSides): readonly Line[] {
  const primary = primaryOf(pair)
  const secondary = secondaryOf(pair)
  if (primary === undefined || primary.disks.length === 0) return []
  const head = `${fitted('DISK', 12)} ${fitted('REPLICATION', 12)} ${fitted('SECONDARY', 12)} ${fitted('WRITTEN', 10)} ${fitted('READ', 10)} WRITES`
  const names: readonly string[] = primary.record?.spec.disks.map(({name}) => name) ?? []
  const lines = primary.disks.map((disk): Line => {
    const traffic = stats?.disks.find(({index}) => index === disk.index)
    const other = secondary?.disks.find(({index}) => index === disk.index)
    return [
      span(`${fitted(names[disk.index] ?? String(disk.index), 12)} `),
      span(
        `${fitted(disk.replication, 12)} `,
        linkStyle(disk.replication === 'connected', disk.replication === 'none'),
      ),
      span(`${fitted(other === undefined ? '-' : other.exported ? other.replication : 'not exported', 12)} `),
      span(`${fitted(traffic === undefined ? '-' : formatBytes(traffic.writtenBytes), 10)} `),
      span(`${fitted(traffic === undefined ? '-' : formatBytes(traffic.readBytes), 10)} `),
      span(traffic === undefined ? '-' : String(traffic.writes)),
    ]
  })
  return [[], [span(head, 'head')], ...lines]
}

/** NICs: the way of a packet, object by object, and the links between the hosts. */
export function nicLines(pair: PairView, {primary: stats, secondary: otherStats}: PairSides): readonly Line[] {
  const primary = primaryOf(pair)
  if (primary === undefined || primary.nics.length === 0) return []
  const secondary = secondaryOf(pair)
  const lines = primary.nics.flatMap((nic): Line[] => {
    const traffic = stats?.nics.find(({index}) => index === nic.index)
    const other = secondary?.nics.find(({index}) => index === nic.index)
    const otherTraffic = otherStats?.nics.find(({index}) => index === nic.index)
    const packets = (of: typeof traffic): string =>
      of === undefined
        ? ''
        : `  out ${of.fromGuestPackets} (${formatBytes(of.fromGuestBytes)})  in ${of.toGuestPackets} (${formatBytes(of.toGuestBytes)})`
    return [
      [
        span(`NIC ${nic.index}  `, 'strong'),
        span(`${nic.tap} ${nic.tapState}${nic.bridge === undefined ? '' : ` in ${nic.bridge}`}${packets(traffic)}`),
        span(nic.tapFilter ? '  uncompared dropped' : '  uncompared pass', 'dim'),
      ],
      [span('  primary    '), ...pathSpans(nic.objects, nic.chardevs)],
      ...(other === undefined
        ? []
        : [
            [
              span('  secondary  '),
              ...pathSpans(other.objects, other.chardevs),
              span(packets(otherTraffic), 'dim'),
            ] as Line,
          ]),
    ]
  })
  return [[], [span('PACKET PATH', 'head')], ...lines]
}

function pathSpans(objects: readonly ObjectObservation[], chardevs: readonly ChardevObservation[]): Line {
  if (objects.length === 0) return [span('no comparing', 'dim')]
  const filters = objects.map(({id, on}) => (on === false ? `${id}(off)` : id)).join(' > ')
  const broken = chardevs.filter(({connected}) => !connected).map(({id}) => id)
  return [
    span(`${filters}  `),
    broken.length === 0
      ? span(`links ${chardevs.length}/${chardevs.length}`, 'good')
      : span(`links ${chardevs.length - broken.length}/${chardevs.length}, DOWN: ${broken.join(' ')}`, 'bad'),
  ]
}

function linkStyle(good: boolean, idle: boolean): Style {
  return good ? 'good' : idle ? 'dim' : 'bad'
}

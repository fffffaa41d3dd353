import type {PairStatus} from '../pair/status.js'
import type {Color, Paint} from '../ui/colors.js'
import {renderTable, plainText, type Column} from '../ui/table.js'
import {formatTransfer} from '../ui/bytes.js'
import {formatAge, formatDuration} from '../ui/time.js'
import {exitCodes} from '../exit-codes.js'
import {exitOfStatus} from './exit-of-status.js'

/** One word first, then why with what to do, then both members. */
export function statusText(status: PairStatus, paint: Paint): string {
  const parts = [paint(colorOf(status), stateWord(status)), ...reasonLines(status)]
  if (status.resync !== undefined) {
    parts.push('', `resync: ${formatTransfer(status.resync.doneBytes, status.resync.totalBytes, '')}`)
  }
  if (status.members.length > 0) parts.push('', renderTable(memberColumns, status.members))
  const {count, lastAtMs, lastPauseMs} = status.checkpoints
  if (count > 0) {
    const pause = lastPauseMs === undefined ? '' : `, the guest stood still for ${formatDuration(lastPauseMs)}`
    parts.push('', `checkpoints: ${count}, the last ${formatAge(lastAtMs, status.atMs)}${pause}`)
  }
  return parts.join('\n')
}

/** The word, with its qualifier: `protected (IPv4 only)`. */
export function stateWord({state, qualifier}: PairStatus): string {
  return qualifier === undefined ? state : `${state} (${qualifier})`
}

/** Columns of `colo pair list`. */
export const listColumns: readonly Column<PairStatus>[] = [
  {title: 'PAIR', value: (status) => status.pair},
  {title: 'STATE', value: stateWord},
  {title: 'PRIMARY', value: (status) => status.primary},
  {title: 'SECONDARY', value: (status) => status.secondary},
  {title: 'EPOCH', value: (status) => status.epoch, align: 'right'},
  {title: 'CHECKPOINTS', value: (status) => status.checkpoints.count, align: 'right', wide: true},
  {title: 'LAST', value: (status) => formatAge(status.checkpoints.lastAtMs, status.atMs), wide: true},
  {
    title: 'PAUSE',
    value: ({checkpoints}) =>
      checkpoints.lastPauseMs === undefined ? undefined : formatDuration(checkpoints.lastPauseMs),
    align: 'right',
    wide: true,
  },
  {title: 'REASON', value: (status) => status.reasons.map(({message}) => message).join('; ')},
]

const memberColumns: readonly Column<PairStatus['members'][number]>[] = [
  {title: 'HOST', value: (member) => member.host},
  {title: 'ROLE', value: (member) => (member.alone ? `${member.role ?? ''} alone` : member.role)},
  {title: 'COPY', value: (member) => member.currency},
  {title: 'DOMAIN', value: (member) => (member.reachable ? member.domain : 'host does not answer')},
  {title: 'EPOCH', value: (member) => member.epoch, align: 'right'},
  {title: 'QEMU', value: (member) => member.qemu},
]

function reasonLines({reasons}: PairStatus): string[] {
  return reasons.flatMap(({code, host, message, remedy}) => [
    '',
    `${code}${host === undefined ? '' : ` on ${host}`}: ${plainText(message)}`,
    ...(remedy === undefined ? [] : [`  remedy: ${plainText(remedy)}`]),
  ])
}

function colorOf(status: PairStatus): Color {
  if (exitOfStatus(status) === exitCodes.done) return 'green'
  return status.state === 'split-brain' || status.state === 'failed' || status.state === 'suspect' ? 'red' : 'yellow'
}

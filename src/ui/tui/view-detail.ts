import {sidesOf} from '../../stats/pair-stats.js'

import {formatAge, formatClock} from '../time.js'
import {plainText} from '../table.js'
import {isLost} from './links.js'
import {shownData, type Data, type LogEntry, type Model, type PairView} from './model.js'
import {styleOf} from './rows.js'
import {fitted, span, type Line} from './text.js'
import {diskLines, nicLines} from './view-paths.js'
import {statsLines} from './view-stats.js'

/** Everything about one pair; longer than the screen, it scrolls. */
export function detailLines(model: Model, name: string, room: number): readonly Line[] {
  const data = shownData(model)
  const pair = data.pairs.get(name)
  if (pair === undefined) return [[span(`${name}: no host knows it`)]]
  const sides = sidesOf(name, [...pair.stats.values()])
  const top = [
    ...headLines(pair, data),
    [],
    ...memberLines(pair, data),
    [],
    ...statsLines(model, pair),
    ...diskLines(pair, sides),
    ...nicLines(pair, sides),
  ]
  const logRoom = Math.min(200, Math.max(20, room - top.length - 2))
  return [...top, [], [span('EVENTS', 'head')], ...logLines(data.log, logRoom)]
}

function headLines(pair: PairView, data: Data): readonly Line[] {
  const {status, name} = pair
  if (status === undefined) return [[span(name, 'strong'), span('  state not known yet')]]
  const lost = isLost(pair, data)
  const word = status.qualifier === undefined ? status.state : `${status.state} (${status.qualifier})`
  const head: Line = [
    span(`${name}  `, 'strong'),
    span(
      lost ? `${word}?  no host answers, last known state` : word,
      lost ? 'dim' : styleOf(status.state, status.reasons.length),
    ),
    span(`   generation ${status.epoch ?? '-'}`),
  ]
  const reasons = status.reasons.flatMap(({code, host, message, remedy}): Line[] => [
    [span('! ', 'warn'), span(`${code}${host === undefined ? '' : ` on ${host}`}: ${plainText(message)}`)],
    ...(remedy === undefined ? [] : [[span(`    remedy: ${plainText(remedy)}`, 'dim')]]),
  ])
  const intents = pair.members.flatMap(({intent, host}): Line[] =>
    intent === undefined
      ? []
      : [[span('* ', 'warn'), span(`${intent.title} (${host}): ${intent.done.length} steps done, by ${intent.owner}`)]],
  )
  return [head, ...reasons, ...intents]
}

function memberLines({status, members}: PairView, data: Data): readonly Line[] {
  const head = `${fitted('HOST', 12)} ${fitted('ROLE', 10)} ${fitted('COPY', 11)} ${fitted('DOMAIN', 10)} ${fitted('QEMU', 8)} ${fitted('AGENT', 10)} PEER HEARD`
  const lines = (status?.members ?? []).map((member): Line => {
    const seen = members.find(({host}) => host === member.host)
    const host = data.hosts.get(member.host)
    const lost = host?.state === 'lost'
    const cells = [
      fitted(member.host, 12),
      fitted(member.alone ? `${member.role ?? ''} alone` : (member.role ?? '-'), 10),
      fitted(member.currency ?? '-', 11),
      fitted(member.reachable ? member.domain : '-', 10),
      fitted(member.qemu ?? '-', 8),
      fitted(lost ? 'LOST' : member.reachable ? 'answers' : 'silent', 10),
      seen?.peer === undefined ? '-' : formatAge(seen.peer.atMs, seen.atMs),
    ]
    return [span(cells.join(' '), lost ? 'dim' : undefined)]
  })
  return [[span(head, 'head')], ...lines]
}

/** Newest last; what comes with every checkpoint and job would bury everything else. */
function logLines(log: readonly LogEntry[], room: number): readonly Line[] {
  const shown = log.filter(({type}) => !quiet.has(type)).sort((a, b) => a.atMs - b.atMs)
  if (shown.length === 0) return [[span('none yet', 'dim')]]
  return shown.slice(-room).map(({atMs, host, type, data}): Line => {
    const detail = Object.entries(data)
      .map(([key, value]) => `${key}=${plainText(typeof value === 'string' ? value : JSON.stringify(value))}`)
      .join(' ')
    return [span(`${formatClock(atMs)}  ${fitted(host, 10)} `, 'dim'), span(`${fitted(type, 26)} ${detail}`)]
  })
}

const quiet = new Set(['STOP', 'RESUME', 'JOB_STATUS_CHANGE'])

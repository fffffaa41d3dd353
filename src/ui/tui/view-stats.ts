import {beatOf} from '../../stats/beat.js'
import {causes, rateOf, recentSummary, type Cause, type Minute, type Series} from '../../stats/checkpoints.js'
import {barsOf, summaryOf, type Summary} from '../../stats/histogram.js'
import type {MemberStats} from '../../stats/member-stats.js'
import {phaseFigures, sidesOf} from '../../stats/pair-stats.js'
import {transferOf} from '../../stats/transfer.js'
import {formatBytes, formatTransfer} from '../bytes.js'
import {formatDuration} from '../time.js'
import {shownData, type Model, type PairView} from './model.js'
import {bar, short, span, sparkline, type Line} from './text.js'
import {beside} from './beside.js'

/** Checkpoints in figures and pictures, and a resync under way. */
export function statsLines(model: Model, pair: PairView): readonly Line[] {
  const {primary, secondary} = sidesOf(pair.name, [...pair.stats.values()])
  const lead = primary ?? secondary
  const resync = resyncLines(model, pair)
  if (lead === undefined)
    return [...resync, [span('CHECKPOINTS', 'head')], [span('no figures from the agents yet', 'dim')]]
  const nowMs = shownData(model).atMs + (shownData(model).hosts.get(lead.host)?.offsetMs ?? 0)
  return [
    ...resync,
    [span('CHECKPOINTS', 'head')],
    ...figureLines(lead, secondary, nowMs),
    sparkLine(lead.series, model),
    [],
    ...beside(histogramLines(lead.series, model), causeLines(lead.series, nowMs, model), model.columns),
  ]
}

function resyncLines({settings}: Model, {resync}: PairView): readonly Line[] {
  const transfer = transferOf(resync)
  if (transfer === undefined) return []
  const {doneBytes, totalBytes, share, bytesPerSecond, leftMs} = transfer
  const rate = bytesPerSecond === undefined ? '' : `${formatBytes(bytesPerSecond)}/s`
  const left = leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`
  return [
    [
      span('RESYNC  ', 'head'),
      span(`${bar(share, 20, settings.ascii)} ${formatTransfer(doneBytes, totalBytes, rate)}${left}`),
    ],
    [],
  ]
}

function figureLines(lead: MemberStats, secondary: MemberStats | undefined, nowMs: number): readonly Line[] {
  const {series, delayMs} = lead
  const {perSecond, divergencePerSecond} = rateOf(series, nowMs)
  const beat = beatOf(series, nowMs, delayMs)
  const load = secondary === undefined || secondary === lead ? undefined : recentSummary(secondary.series)
  const silent = beat.silentMs === undefined ? 'COLO is off' : `last sign ${formatDuration(beat.silentMs)} ago`
  return [
    [
      span(`${series.session} since COLO began, ${series.total} in all, interval ${formatDuration(delayMs)}, `),
      beat.dead ? span(`NO BEAT: ${silent}`, 'bad') : span(silent, series.colo ? undefined : 'dim'),
    ],
    [span(`now       ${short(perSecond)}/s, divergence ${short(divergencePerSecond)}/s`)],
    [span(`pause ms  ${figures(recentSummary(series))}`)],
    [span(`all       ${figures(summaryOf(series.durations))}`)],
    ...(load === undefined ? [] : [[span(`load ms   ${figures(load)}`)]]),
    ...phaseLines(lead, secondary),
  ]
}

function figures(summary: Summary | undefined): string {
  if (summary === undefined) return 'none'
  const {p50Ms, p95Ms, p99Ms, maxMs, meanMs} = summary
  return `p50 ${short(p50Ms)}  p95 ${short(p95Ms)}  p99 ${short(p99Ms)}  max ${short(maxMs)}  mean ${short(meanMs)}`
}

/** Only where traces were switched on. */
function phaseLines(lead: MemberStats, secondary: MemberStats | undefined): readonly Line[] {
  const lines: Line[] = []
  if (lead.phases !== undefined) {
    const {durations, packets} = phaseFigures(lead.phases)
    const shown = (['handshake', 'transfer', 'load'] as const).map(
      (phase) => `${phase} ${short(durations[phase]?.p50Ms)}`,
    )
    const counts = Object.values(packets).some((count) => count > 0)
      ? `   packets: ${Object.entries(packets)
          .map(([name, count]) => `${name} ${count}`)
          .join(', ')}`
      : ''
    lines.push([span(`phases ms ${shown.join('  ')} (p50, traced)${counts}`)])
  }
  const pages = secondary?.phases === undefined ? undefined : phaseFigures(secondary.phases).dirtyPages
  if (pages !== undefined) {
    lines.push([
      span(
        `dirty     ${pages.last ?? '-'} pages last, ${Math.round(pages.mean)} mean, ${pages.max} most (${formatBytes(pages.mean * 4096)} mean)`,
      ),
    ])
  }
  return lines
}

function sparkLine({recent}: Series, {columns, settings}: Model): Line {
  const pauses = recent.map(({durationMs}) => durationMs)
  const width = Math.min(pauses.length, Math.max(10, columns - 34))
  const most = Math.max(0, ...pauses.slice(-width))
  return [
    span('last      '),
    span(sparkline(pauses, width, settings.ascii), 'strong'),
    span(`  up to ${short(most)} ms`, 'dim'),
  ]
}

function histogramLines({durations}: Series, {settings}: Model): readonly Line[] {
  const bars = barsOf(durations)
  const most = Math.max(1, ...bars.map(({count}) => count))
  const lines = bars.map(({fromMs, toMs, count}): Line => [
    span(`${short(fromMs).padStart(5)} - ${short(toMs).padEnd(5)} ms `),
    span(bar(count / most, 16, settings.ascii).replace(/[.░]/g, ' ')),
    span(` ${count}`, 'dim'),
  ])
  return [[span('pauses, all', 'dim')], ...lines]
}

const causeMarks: Readonly<Record<Cause, string>> = {initial: 'i', periodic: '.', divergence: 'd', manual: 'm'}

/** The last minutes: how many checkpoints of each cause, one line per cause. */
function causeLines({minutes, counts}: Series, nowMs: number, {settings}: Model): readonly Line[] {
  const now = Math.floor(nowMs / 60_000)
  const byMinute = new Map<number, Minute>(minutes.map((minute) => [minute.minute, minute]))
  const last = Array.from({length: 30}, (_, n) => byMinute.get(now - 29 + n))
  const lines = causes.map((cause): Line => {
    const values = last.map((minute) => minute?.counts[cause] ?? 0)
    return [
      span(`${causeMarks[cause]} ${cause.padEnd(11)}`),
      span(values.some((value) => value > 0) ? sparkline(values, 30, settings.ascii) : ' '.repeat(30)),
      span(` ${counts[cause]}`, 'dim'),
    ]
  })
  return [[span('causes, last 30 minutes, and all', 'dim')], ...lines]
}

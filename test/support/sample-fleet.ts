import type {MemberObservation} from '../../src/pair/observation.js'
import type {PairRecord, Role} from '../../src/pair/record.js'
import type {PairName} from '../../src/pair/spec.js'
import {assess} from '../../src/pair/assess.js'
import type {Seen} from '../../src/pair/status.js'
import {emptySeries, feed, type Series} from '../../src/stats/checkpoints.js'
import type {MemberStats} from '../../src/stats/member-stats.js'
import {initialModel, type Message, type Model, type Place} from '../../src/ui/tui/model.js'
import {update} from '../../src/ui/tui/update.js'
import {memberOf, recordOf, specOf} from './pair-fixtures.js'

/** A made-up fleet for screens and tests: fixed time, fixed figures. */

export const sampleNowMs = Date.UTC(2026, 10, 20, 12, 0, 0)

export function sampleModel(
  change: {
    readonly columns?: number
    readonly rows?: number
    readonly place?: Place
    readonly readOnly?: boolean
    readonly ascii?: boolean
  } = {},
): Model {
  const start = {
    nowMs: sampleNowMs,
    columns: 80,
    rows: 24,
    only: [],
    place: {kind: 'list'} as Place,
    readOnly: false,
    ascii: false,
    intervalMs: 1000,
    hosts: ['alpha', 'beta', 'gamma'],
    ...change,
  }
  return sampleMessages().reduce((model, message) => update(model, message).model, initialModel(start))
}

/** What the agents of alpha and beta say; gamma does not answer. */
export function sampleMessages(): readonly Message[] {
  const pairs = [
    sampleSeen('db', {}),
    sampleSeen('mail', {marks: {}, alone: true}, {secondary: 'gone'}),
    sampleSeen('web1', {}),
    sampleSeen('web2', {alone: true}, {secondary: 'gone', mirror: 0.4}),
    sampleSeen('web10', {}, {secondary: 'dead'}),
  ]
  return [
    {kind: 'host', host: 'alpha', state: 'up', version: '0.1.0', startedAtMs: sampleNowMs - 3_600_000},
    {kind: 'host', host: 'beta', state: 'up', version: '0.1.0', startedAtMs: sampleNowMs - 3_600_000},
    {kind: 'host', host: 'gamma', state: 'lost', problem: 'no route to host'},
    {kind: 'observed', pairs: pairs.map(({status, members}) => ({status, members}))},
    ...[sampleStats('db', 'primary', 45), sampleStats('web1', 'primary', 30), sampleStats('web1', 'secondary', 12)].map(
      (whole): Message => ({
        kind: 'stats',
        host: whole.host,
        offsetMs: 0,
        updates: [{pair: whole.pair, atMs: whole.atMs, change: whole.change, whole}],
      }),
    ),
    ...[
      {type: 'MIGRATION', data: {status: 'colo'}},
      {type: 'PROTECTION_BEGAN', data: {connections: 2}},
      {type: 'STOP', data: {}},
      {type: 'CHECKPOINT_REQUESTED', data: {}},
    ].map((event, n): Message => ({
      kind: 'event',
      host: 'alpha',
      event: {seq: n + 1, atMs: sampleNowMs - 90_000 + n * 100, pair: 'web1', ...event},
    })),
    {kind: 'tick', nowMs: sampleNowMs},
  ]
}

/** Both members of a pair, and what the state machine says of them. */
function sampleSeen(
  name: string,
  change: Partial<PairRecord>,
  {secondary = 'there', mirror}: {secondary?: 'there' | 'gone' | 'dead'; mirror?: number} = {},
) {
  const spec = specOf({name: name as PairName})
  const member = (role: Role, more: Partial<MemberObservation> = {}): MemberObservation => ({
    ...memberOf(role, {record: recordOf(role, {spec, ...(role === 'primary' ? change : {})})}),
    atMs: sampleNowMs,
    checkpoints: {count: 90, lastAtMs: sampleNowMs - 400, lastPauseMs: 40, openForMs: undefined},
    ...more,
  })
  const alone = {vm: {status: 'running', coloMode: 'none', migration: 'none', qemuVersion: '11.1.3'}} as const
  const total = 64 * 1024 ** 2
  const jobs = mirror === undefined ? [] : [{id: 'resync0', status: 'running', current: total * mirror, total}]
  const primary = member('primary', secondary === 'gone' ? {...alone, jobs} : {})
  const other = member('secondary', secondary === 'dead' ? {qmp: 'absent', domain: 'absent', vm: undefined} : {})
  const members = secondary === 'gone' ? [primary] : [primary, other]
  const seen: Seen[] = members.map((each) => ({host: each.host, member: each}))
  if (secondary === 'gone') seen.push({host: 'beta', unreachable: 'no answer from beta'})
  return {status: assess(name, seen, sampleNowMs), members}
}

export function sampleStats(pair: string, role: Role, pauseMs: number): MemberStats {
  return {
    pair,
    host: role === 'primary' ? 'alpha' : 'beta',
    atMs: sampleNowMs,
    role,
    delayMs: 1000,
    series: sampleSeries(pauseMs, role),
    phases: undefined,
    tracing: 'off',
    disks: role === 'primary' ? [{index: 0, name: 'root', writtenBytes: 12_582_912, readBytes: 4096, writes: 320}] : [],
    nics: [
      {
        index: 0,
        tap: 'co52540000001',
        fromGuestPackets: 900,
        fromGuestBytes: 81_920,
        toGuestPackets: 870,
        toGuestBytes: 65_536,
      },
    ],
    change: '1',
  }
}

/** Ten minutes of a beat of one second, with pauses that swing and every seventh checkpoint asked for by the comparer. */
export function sampleSeries(pauseMs: number, side: Role, count = 600): Series {
  let atMs = sampleNowMs - count * 1000
  let series = feed(emptySeries, {kind: 'begin', atMs, side}, 1000)
  for (let n = 0; n < count; n++) {
    atMs += n % 7 === 6 ? 400 : 1000 + (n % 7 === 0 && n > 0 ? 600 : 0)
    series = feed(series, {kind: 'stop', atMs: atMs - 500}, 1000)
    series = feed(
      series,
      {kind: 'resume', atMs: atMs - 500 + pauseMs * (1 + 0.5 * Math.sin(n / 3) + (n % 50 === 0 ? 3 : 0))},
      1000,
    )
  }
  return series
}

/**
 * Two scripted agents in a process of their own: `node --import tsx agents.ts DIRECTORY PAIRS`. Their sockets are DIRECTORY/alpha.sock
 * and beta.sock. Every pair makes two checkpoints a second, told in a line per half second and host, as the real agent does.
 */
import {join} from 'node:path'
import type {MemberObservation} from '../../../src/pair/observation.js'
import type {PairName} from '../../../src/pair/spec.js'
import {listenUnix, type Port} from '../../../src/os/sockets.js'
import {LineFramer} from '../../../src/qmp/line-framer.js'
import {feed, type Series} from '../../../src/stats/checkpoints.js'
import {sentOf, updateOf, type Sent} from '../../../src/stats/stream.js'
import type {MemberStats} from '../../../src/stats/member-stats.js'
import {helloOf} from '../../contract/host/fake-agent.js'
import {memberOf, recordOf, specOf} from '../../support/pair-fixtures.js'
import {sampleSeries} from '../../support/sample-fleet.js'

const [directory = '', count = '200'] = process.argv.slice(2)
const beatMs = 500
const names = Array.from({length: Number(count)}, (_, n) => `web${String(n).padStart(3, '0')}`)

for (const role of ['primary', 'secondary'] as const) {
  const host = role === 'primary' ? 'alpha' : 'beta'
  const members = new Map(names.map((name): [string, MemberObservation] => [name, observed(name, role)]))
  const figures = new Map(
    names.map((name): [string, Series] => [name, sampleSeries(role === 'primary' ? 40 : 12, role, 300)]),
  )
  const readers = new Set<{port: Port; id: number; sent: Map<string, Sent>}>()
  await listenUnix({path: join(directory, `${host}.sock`), mode: 0o600}, (port) => {
    const framer = new LineFramer()
    port.onClose(() => {
      for (const reader of readers) if (reader.port === port) readers.delete(reader)
    })
    port.onData((chunk) => {
      for (const line of framer.push(chunk)) {
        const {id, method, params} = JSON.parse(line) as {
          id: number
          method: string
          params: {pair?: string; follow?: boolean}
        }
        const reply = (result: unknown): void => port.write(`${JSON.stringify({id, result})}\n`)
        if (method === 'hello') reply(helloOf(host))
        else if (method === 'pairs.observe')
          reply({members: params.pair === undefined ? [...members.values()] : [members.get(params.pair)]})
        else if (method === 'stats.read' && params.follow === true) readers.add({port, id, sent: new Map()})
        else if (method === 'stats.read') reply({members: params.pair === undefined ? [] : [statsOf(params.pair)]})
        else if (method !== 'events.read') reply({})
      }
    })
  })
  const statsOf = (pair: string): MemberStats => ({
    pair,
    host,
    role,
    atMs: Date.now(),
    delayMs: beatMs,
    series: figures.get(pair) ?? sampleSeries(40, role, 1),
    phases: undefined,
    tracing: 'off',
    disks: [],
    nics: [],
    change: '1',
  })
  setInterval(() => {
    const nowMs = Date.now()
    for (const [pair, series] of figures) {
      const pauseMs = (role === 'primary' ? 40 : 12) * (0.5 + Math.random())
      figures.set(
        pair,
        feed(
          feed(series, {kind: 'stop', atMs: nowMs - 60}, beatMs),
          {kind: 'resume', atMs: nowMs - 60 + pauseMs},
          beatMs,
        ),
      )
    }
    for (const {port, id, sent} of readers) {
      const updates = names.flatMap((pair) => {
        const now = statsOf(pair)
        const update = updateOf(now, sent.get(pair))
        sent.set(pair, sentOf(now))
        return update ?? []
      })
      for (let at = 0; at < updates.length; at += 50) {
        const data = {updates: updates.slice(at, at + 50)}
        port.write(`${JSON.stringify({id, event: {seq: 0, atMs: nowMs, pair: '', type: 'STATISTICS', data}})}\n`)
      }
    }
  }, beatMs)
}
console.log('ready')

function observed(name: string, role: 'primary' | 'secondary'): MemberObservation {
  const spec = specOf({name: name as PairName})
  const member = memberOf(role, {record: recordOf(role, {spec})})
  return {
    ...member,
    atMs: Date.now(),
    checkpoints: {count: 300, lastAtMs: Date.now(), lastPauseMs: 40, openForMs: undefined},
  }
}

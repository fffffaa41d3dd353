import assert from 'node:assert/strict'
import type {Command} from '@oclif/core'
import PairStats from '../../../commands/pair/stats.js'
import Top from '../../../commands/top.js'
import {moment} from '../../../src/cli/flags.js'
import {initialModel} from '../../../src/ui/tui/model.js'
import {sampleNowMs, sampleStats} from '../../support/sample-fleet.js'
import {memberOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {problemsOf, readSchema} from './json-schema.js'
import {runCommand} from './run-command.js'
import {scripted} from './scripted-agents.js'

const test = suite('stats and top commands')
const agents = () =>
  scripted({
    alpha: {member: memberOf('primary'), stats: sampleStats('web1', 'primary', 30)},
    beta: {member: memberOf('secondary'), stats: sampleStats('web1', 'secondary', 12)},
  })
const wired = (command: unknown) => agents().wire(command as Command.Class)

test('pair stats: text, one document, one line; all of them of both sides', async () => {
  const text = await runCommand(wired(PairStats), ['web1'])
  assert.equal(text.exit, 0, text.stderr)
  assert.match(text.stdout, /pause on alpha[^]*load on beta/)
  const json = await runCommand(wired(PairStats), ['web1', '--json'])
  const document = JSON.parse(json.stdout) as {pause: {p50Ms: number}; load: {p50Ms: number}}
  assert.deepEqual(problemsOf(document, readSchema('pair-stats.schema.json')), [])
  assert.ok(document.pause.p50Ms > document.load.p50Ms)
  const line = await runCommand(wired(PairStats), ['web1', '--json-lines'])
  assert.equal(line.stdout.trim().split('\n').length, 1)
  assert.deepEqual(problemsOf(JSON.parse(line.stdout), readSchema('pair-stats.schema.json')), [])
})

test('pair stats takes no lock and leaves no connection open', async () => {
  const hosts = agents()
  await runCommand(hosts.wire(PairStats), ['web1'])
  assert.deepEqual(hosts.calls.sort(), ['alpha stats.read', 'beta stats.read'])
  assert.equal(hosts.open(), 0)
})

test('top without a terminal prints the pairs once; as a document it fits its schema', async () => {
  const plain = await runCommand(wired(Top), ['--plain', '--ascii', '--interval', '250ms'])
  assert.equal(plain.exit, 0, plain.stderr)
  assert.match(plain.stdout, /web1 +protected +alpha +beta/)
  const json = await runCommand(wired(Top), ['--json', '--interval', '250ms'])
  assert.deepEqual(problemsOf(JSON.parse(json.stdout), readSchema('top.schema.json')), [])
  const hosts = await runCommand(wired(Top), ['--plain', '--hosts', '--interval', '250ms'])
  assert.match(hosts.stdout, /alpha +answers[^]*beta +answers/)
})

test('top without a pair to show ends, too, as soon as the hosts have answered', async () => {
  const hosts = scripted({alpha: {events: []}, beta: {events: []}})
  const json = await runCommand(hosts.wire(Top), ['--json', '--interval', '250ms'])
  assert.equal(json.exit, 0, json.stderr)
  const {pairs, hosts: found} = JSON.parse(json.stdout) as {pairs: unknown[]; hosts: Array<{state: string}>}
  assert.deepEqual([pairs, found.map(({state}) => state)], [[], ['up', 'up']])
  assert.equal(hosts.open(), 0)
})

test('top of a pair that no host knows is an error, as everywhere', async () => {
  const {exit, stderr, stdout} = await runCommand(wired(Top), ['web9', '--plain', '--interval', '250ms'])
  assert.deepEqual([exit, stdout], [3, ''])
  assert.match(stderr, /no host knows a pair named web9/)
})

test('top of one pair prints its detail; an odd name or interval is refused before anything is asked', async () => {
  const detail = await runCommand(wired(Top), ['web1', '--plain', '--interval', '250ms'])
  assert.match(detail.stdout, /^web1 +protected[^]*CHECKPOINTS[^]*PACKET PATH/m)
  assert.equal((await runCommand(wired(Top), ['../x', '--plain'])).exit, 2)
  assert.equal((await runCommand(wired(Top), ['--plain', '--interval', '10ms'])).exit, 2)
})

test('a moment: how long ago, or an instant, UTC without a zone', async () => {
  const nowMs = Date.UTC(2026, 10, 20, 12)
  assert.equal(await moment('10m', nowMs), nowMs - 600_000)
  assert.equal(await moment('2026-11-20T11:00:00Z', nowMs), nowMs - 3_600_000)
  assert.equal(await moment('2026-11-20T11:00:00', nowMs), nowMs - 3_600_000)
  assert.equal(await moment('2026-11-20T13:00:00+02:00', nowMs), nowMs - 3_600_000)
  await assert.rejects(moment('2026-99-20', nowMs), /no moment/)
  await assert.rejects(moment('yesterday', nowMs))
})

test('a model without hosts says so, and does not fail', () => {
  const start = {
    nowMs: sampleNowMs,
    columns: 80,
    rows: 24,
    only: [],
    readOnly: false,
    ascii: true,
    intervalMs: 1000,
    hosts: [],
  }
  assert.equal(initialModel({...start, place: {kind: 'list'}}).data.pairs.size, 0)
})

test.run()

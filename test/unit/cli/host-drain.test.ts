import assert from 'node:assert/strict'
import Drain from '../../../commands/host/drain.js'
import type {DrainResult} from '../../../src/operation/drain.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {problemsOf, readSchema} from './json-schema.js'
import {runCommand} from './run-command.js'
import {scripted, type ScriptedHost} from './scripted-agents.js'

const test = suite('host drain')
const beat = () => ({count: 3, lastAtMs: Date.now() - 200, lastPauseMs: 40, openForMs: undefined})
const healthy = (): Record<string, ScriptedHost> => ({
  alpha: {member: memberOf('primary', {atMs: Date.now(), checkpoints: beat()})},
  beta: {member: memberOf('secondary', {atMs: Date.now(), checkpoints: beat()})},
})

async function drain(hosts: Record<string, ScriptedHost>, ...argv: string[]) {
  const agents = scripted(hosts)
  const ran = await runCommand(agents.wire(Drain), [...argv, '--json'])
  const document = JSON.parse(ran.stdout) as DrainResult
  return {ran, agents, document}
}

test('the primary of a protected pair is failed over, a secondary is ended and its primary let go', async () => {
  const schema = readSchema('host-drain.schema.json')
  for (const [host, outcome, to, first] of [
    ['alpha', 'failed-over', 'beta', 'alpha steps.run'],
    ['beta', 'secondary-ended', 'alpha', 'beta steps.run'],
  ] as const) {
    const {ran, agents, document} = await drain(healthy(), host, '--yes')
    assert.equal(ran.exit, 0, ran.stdout + ran.stderr)
    assert.deepEqual(problemsOf(document, schema), [])
    assert.deepEqual(
      document.pairs.map(({pair, outcome: was, to: next}) => [pair, was, next]),
      [['web1', outcome, to]],
    )
    assert.equal(
      agents.calls.filter((call) => call.endsWith('steps.run'))[0],
      first,
      'the side to be drained is fenced first',
    )
    assert.equal(agents.open(), 0)
  }
})

test('a copy that is the only one is left, named, and the command ends with 5', async () => {
  const hosts = healthy()
  const record = recordOf('primary', {alone: true, wasProtected: false})
  hosts['alpha'] = {
    member: memberOf('primary', {
      record,
      vm: {status: 'running', coloMode: 'none', migration: 'none', qemuVersion: '11.1.3'},
    }),
  }
  hosts['beta'] = {
    member: memberOf('secondary', {
      domain: 'absent',
      qmp: 'absent',
      vm: undefined,
      record: recordOf('secondary', {marks: {stale: 'lost'}}),
    }),
  }
  const {ran, agents, document} = await drain(hosts, 'alpha', '--yes')
  assert.equal(ran.exit, 5)
  assert.equal(document.pairs[0]?.outcome, 'left')
  assert.match(document.pairs[0]?.why ?? '', /cannot be moved: the pair is unprotected/)
  assert.ok(!agents.calls.some((call) => call.endsWith('steps.run')), 'nothing was done')
  const stopped = await drain(hosts, 'alpha', '--yes', '--stop')
  assert.deepEqual([stopped.ran.exit, stopped.document.pairs[0]?.outcome], [0, 'stopped'])
  assert.ok(stopped.agents.calls.includes('alpha steps.run'))
  assert.equal((await drain(hosts, 'beta', '--yes')).document.pairs.length, 0, 'a copy that does not run needs no move')
})

test('without a confirmation nothing is done, and a dry run asks nothing', async () => {
  const refused = await drain(healthy(), 'alpha')
  assert.equal(refused.ran.exit, 22)
  assert.ok(!refused.agents.calls.some((call) => call.includes('lock')), refused.agents.calls.join())
  const dry = await drain(healthy(), 'alpha', '--dry-run')
  assert.deepEqual([dry.ran.exit, dry.document.changed, dry.document.dryRun], [0, true, true])
  assert.ok(!dry.agents.calls.some((call) => call.includes('lock')), dry.agents.calls.join())
})

test('without a name the local host is drained; a host that does not answer is an error', async () => {
  assert.equal((await drain(healthy(), '--yes')).document.host, 'alpha')
  assert.equal((await drain({...healthy(), alpha: {}}, 'alpha', '--yes')).ran.exit, 20)
})

test.run()

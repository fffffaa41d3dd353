import assert from 'node:assert/strict'
import Resolve from '../../../commands/pair/resolve.js'
import {firstGeneration, kinship, nextGeneration} from '../../../src/pair/generation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {planResolve} from '../../../src/plan/resolve.js'
import {identityOf} from '../../../src/pair/identity.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {runCommand} from '../cli/run-command.js'
import {scripted, type ScriptedHost} from '../cli/scripted-agents.js'

const test = suite('resolve')
const first = firstGeneration('gen-1')
const ownWay = (id: string): Partial<PairRecord> => ({
  role: 'primary',
  alone: true,
  generation: nextGeneration(first, id),
})
const split = (alpha: Partial<PairRecord> = {}, beta: Partial<PairRecord> = {}): Record<string, ScriptedHost> => ({
  alpha: {member: memberOf('primary', {record: recordOf('primary', {...ownWay('gen-2a'), ...alpha})})},
  beta: {member: memberOf('secondary', {record: recordOf('secondary', {...ownWay('gen-2b'), ...beta})})},
})
const resolve = async (hosts: Record<string, ScriptedHost>, ...argv: string[]) => {
  const agents = scripted(hosts)
  const ran = await runCommand(agents.wire(Resolve), ['web1', ...argv])
  const steps = agents.calls.filter((call) => call.endsWith('steps.run'))
  return {...ran, steps}
}

test('the discarded copy is marked, then ended, then the kept one follows from both', async () => {
  const {exit, stdout, stderr, steps} = await resolve(split(), '--discard', 'alpha', '--yes')
  assert.equal(exit, 0, stdout + stderr)
  assert.deepEqual(steps, ['alpha steps.run', 'beta steps.run'])
  assert.match(stderr, /copy on alpha \(generation 2, running\) is discarded: its last checkpoint was .* is lost/)
  const dry = await resolve(split(), '--discard', 'alpha', '--dry-run')
  const order = ['marks=stale', 'ip link set', 'destroy --domain web1', 'generation=3'].map((text) =>
    dry.stdout.indexOf(text),
  )
  assert.ok(!order.includes(-1), dry.stdout)
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  )
  assert.deepEqual(dry.steps, [])
})

test('the new generation makes the discarded copy outdated, whatever its epoch was', () => {
  const generation = {...nextGeneration(nextGeneration(first, 'x'), 'gen-3b'), id: 'gen-3b'}
  const plan = planResolve({
    planId: 'p',
    identity: identityOf(recordOf('primary')),
    keep: 'alpha',
    discard: 'beta',
    generation: {epoch: 4, id: 'gen-4', ancestors: ['gen-2a', generation.id, 'gen-1']},
    stale: 'discarded',
  })
  const change = plan.steps.at(-1)?.actions[0]
  assert.ok(change?.kind === 'record-change' && change.change.generation !== undefined)
  assert.equal(kinship(generation, change.change.generation), 'older')
  assert.equal(plan.pointOfNoReturn, 'beta/discard')
})

test('refused: not split-brain, one record unread, the only copy, a strange host, nobody confirmed', async () => {
  const healthy = {alpha: {member: memberOf('primary')}, beta: {member: memberOf('secondary')}}
  const cases: ReadonlyArray<readonly [Record<string, ScriptedHost>, string[], number, RegExp]> = [
    [healthy, ['--discard', 'beta', '--yes'], 5, /nothing to resolve/],
    [{...split(), beta: {}}, ['--discard', 'alpha', '--yes'], 22, /beta gives no record/],
    [
      split({}, {alone: false, marks: {stale: 'discarded before'}}),
      ['--discard', 'alpha', '--yes'],
      22,
      /it is the only one/,
    ],
    [split(), ['--discard', 'gamma', '--yes'], 2, /gamma is no host/],
    [split(), ['--discard', 'alpha'], 22, /Not confirmed/],
  ]
  for (const [hosts, argv, exit, text] of cases) {
    const ran = await resolve(hosts, ...argv)
    assert.equal(ran.exit, exit, ran.stdout + ran.stderr)
    assert.match(ran.stderr.replaceAll(/\s+/g, ' '), text)
    assert.deepEqual(ran.steps, [])
  }
})

test('one that was cut off is finished by running it again', async () => {
  const begun = split({alone: false, role: 'secondary', marks: {stale: 'discarded by x'}})
  assert.equal((await resolve(begun, '--discard', 'alpha', '--yes')).exit, 0)
})

test.run()

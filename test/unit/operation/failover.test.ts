import assert from 'node:assert/strict'
import Failover from '../../../commands/pair/failover.js'
import {AgentError} from '../../../src/host/agent-wire.js'
import {nextGeneration} from '../../../src/pair/generation.js'
import {layoutOf} from '../../../src/pair/layout.js'
import type {IntentSummary, MemberObservation} from '../../../src/pair/observation.js'
import {memberOf, recordOf, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {runCommand} from '../cli/run-command.js'
import {scripted, type ScriptedHost} from '../cli/scripted-agents.js'

const test = suite('failover: who may go on (S1, S4)')
const first = recordOf('primary').generation
const second = nextGeneration(first, 'gen-2')
const nic = layoutOf(specOf()).nics[0]

/** beta was promoted and goes on alone; nothing of COLO is left in its QEMU */
function promoted(change: Partial<MemberObservation> = {}): MemberObservation {
  const plain = memberOf('primary')
  return memberOf('secondary', {
    record: recordOf('secondary', {role: 'primary', generation: second, alone: true, wasProtected: false}),
    vm: {status: 'running', coloMode: 'none', migration: 'completed', qemuVersion: '11.1.3'},
    nics: plain.nics.map((each) => ({...each, objects: [], chardevs: []})),
    disks: plain.disks.map((each) => ({...each, children: ['childs0']})),
    ...change,
  })
}

const intent: IntentSummary = {
  plan: 'p',
  kind: 'failover',
  title: 'fail over web1 to beta',
  startedAtMs: 0,
  owner: 'root@x',
  done: ['beta/alone', 'beta/promote'],
  committed: true,
  finish: 'colo pair failover web1 --to beta',
}

async function failover(hosts: Record<string, ScriptedHost>, ...args: string[]) {
  const agents = scripted(hosts)
  const ran = await runCommand(agents.wire(Failover), ['web1', '--yes', '--no-resync', ...args])
  return {...ran, steps: agents.calls.filter((call) => call.endsWith('steps.run'))}
}

test('an old primary that came back never takes over from the copy that went on alone', async () => {
  const hosts = {alpha: {member: memberOf('primary')}, beta: {member: promoted()}}
  const {exit, stderr, steps} = await failover(hosts, '--to', 'alpha')
  assert.deepEqual([exit, steps], [22, []])
  assert.match(stderr, /beta went on alone in generation 2/)
})

test('a stale primary does not take over, whatever was said about its peer', async () => {
  const stale = memberOf('primary', {record: recordOf('primary', {marks: {stale: 'the other side went on alone'}})})
  for (const to of [[], ['--to', 'alpha']]) {
    const {exit, stderr, steps} = await failover({alpha: {member: stale}, beta: {}}, '--force', 'peer-unknown', ...to)
    assert.deepEqual([exit, steps], [22, []], stderr)
    assert.match(stderr, /its copy is stale/)
  }
})

test('a secondary does not take over from a primary that is alone in the same generation', async () => {
  const lonely = memberOf('primary', {record: recordOf('primary', {alone: true, wasProtected: false})})
  const {exit, steps} = await failover({alpha: {member: lonely}, beta: {member: memberOf('secondary')}}, '--to', 'beta')
  assert.deepEqual([exit, steps], [22, []])
})

test('a secondary does not take over when the primary saw a write that did not arrive, and a checkpoint after it', async () => {
  const missed = {kind: 'quorum-report-bad', atMs: 999_000, detail: 'write on nbd0: No space left on device'} as const
  const refused = await failover(
    {alpha: {member: memberOf('primary', {latched: [missed]})}, beta: {member: memberOf('secondary')}},
    '--to',
    'beta',
  )
  assert.deepEqual([refused.exit, refused.steps], [22, []])
  const later = {...missed, atMs: 999_900} // no checkpoint since: the secondary has its own writes
  const gone = await failover(
    {alpha: {member: memberOf('primary', {latched: [later]})}, beta: {member: memberOf('secondary')}},
    '--to',
    'beta',
  )
  assert.ok(gone.steps.includes('beta steps.run'), gone.stderr)
})

test('a peer that answers without a record is as unknown as a silent one', async () => {
  const hosts = {alpha: {member: memberOf('primary', {record: undefined})}, beta: {member: memberOf('secondary')}}
  const refused = await failover(hosts)
  assert.deepEqual([refused.exit, refused.steps], [22, []])
  assert.match(refused.stderr, /has no record of web1/)
  assert.deepEqual((await failover(hosts, '--force', 'peer-unknown')).steps, ['beta steps.run'])
})

test('a peer whose record is of a newer release is named as that, not as dead', async () => {
  const error = {
    code: 'newer-format',
    exit: 1,
    message: 'record.json: format 99 is newer',
    hint: 'install that release',
  }
  const unreadable = new AgentError({host: 'beta', method: 'pairs.observe'}, error)
  const refused = await failover({alpha: {member: memberOf('primary')}, beta: {unreadable}})
  assert.deepEqual([refused.exit, refused.steps], [22, []])
  assert.match(
    refused.stderr,
    /beta answers, but .* unknown:\s+record\.json: format 99 is\s+newer; install that release/,
  )
  assert.doesNotMatch(refused.stderr, /may be dead/)
})

test('one that was cut off after the take-over is finished when it is run again', async () => {
  const loser = memberOf('primary', {intent})
  const done = await failover({alpha: {member: loser}, beta: {member: promoted({intent})}}, '--to', 'beta')
  assert.equal(done.exit, 0, done.stderr)
  assert.deepEqual(done.steps, ['alpha steps.run', 'beta steps.run', 'alpha steps.run'])
  const again = await failover({alpha: {member: memberOf('primary')}, beta: {member: promoted()}}, '--to', 'beta')
  assert.deepEqual([again.exit, again.steps], [5, []])
})

test('a primary that left lock-step with its comparer still there is let go when it is run again', async () => {
  const capture = {id: nic?.objects.capture ?? '', type: 'filter-redirector', on: true, vnetHdr: true}
  const held = promoted({
    nics: memberOf('primary').nics.map((each) => ({...each, objects: [capture]})),
  })
  const {exit, steps} = await failover({alpha: {}, beta: {member: held}}, '--force', 'peer-unknown', '--to', 'beta')
  assert.deepEqual([exit, steps], [0, ['beta steps.run']])
})

test('without a checkpoint beat the other copy is not waited for', async () => {
  const silent = memberOf('primary', {
    checkpoints: {count: 3, lastAtMs: 900_000, lastPauseMs: 40, openForMs: undefined},
  })
  const agents = scripted({alpha: {member: silent}, beta: {member: memberOf('secondary')}})
  const ran = await runCommand(agents.wire(Failover), ['web1', '--to', 'beta', '--dry-run', '--json'])
  assert.doesNotMatch(ran.stdout, /alpha\/level/)
})

test('a primary that makes a checkpoint at this very moment lives: the failover is planned', async () => {
  const vm = {status: 'colo', coloMode: 'primary', migration: 'colo', qemuVersion: '11.1.3'} as const
  const agents = scripted({alpha: {member: memberOf('primary', {vm})}, beta: {member: memberOf('secondary')}})
  const ran = await runCommand(agents.wire(Failover), ['web1', '--dry-run', '--json'])
  assert.match(ran.stdout, /alpha\/level[^]*beta\/trial/)
})

test('records of two pairs of one name are not taken for two copies of one', async () => {
  const other = memberOf('secondary', {record: recordOf('secondary', {uuid: '6d1f7a52-0000-4000-8000-000000000002'})})
  const {exit, stderr, steps} = await failover({alpha: {member: memberOf('primary')}, beta: {member: other}})
  assert.deepEqual([exit, steps], [4, []])
  assert.match(stderr, /two different pairs named web1/)
})

test.run()

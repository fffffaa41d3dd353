import assert from 'node:assert/strict'
import Checkpoint from '../../../commands/pair/checkpoint.js'
import Events from '../../../commands/pair/events.js'
import Failover from '../../../commands/pair/failover.js'
import List from '../../../commands/pair/list.js'
import Show from '../../../commands/pair/show.js'
import Status from '../../../commands/pair/status.js'
import Wait from '../../../commands/pair/wait.js'
import type {RecordedEvent} from '../../../src/agent/protocol.js'
import {ColoError, StateError} from '../../../src/errors.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {problemsOf, readSchema} from './json-schema.js'
import {runCommand} from './run-command.js'
import {scripted, type ScriptedHost} from './scripted-agents.js'

const test = suite('pair commands')

const healthy = (): Record<string, ScriptedHost> => ({
  alpha: {member: memberOf('primary', {atMs: Date.now(), checkpoints: beat()})},
  beta: {member: memberOf('secondary', {atMs: Date.now(), checkpoints: beat()})},
})
const beat = () => ({count: 3, lastAtMs: Date.now() - 200, lastPauseMs: 40, openForMs: undefined})
const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

test('status of a healthy pair: the word first, both members, exit 0', async () => {
  const agents = scripted(healthy())
  const ran = await runCommand(agents.wire(Status), ['web1'])
  assert.equal(ran.exit, 0, ran.stdout + ran.stderr)
  assert.equal(ran.stdout.split('\n')[0], 'protected')
  assert.match(ran.stdout, /^alpha +primary +current +running +1 +11\.1\.3$/m)
  assert.match(ran.stdout, /^beta +secondary +promotable +running +1 +11\.1\.3$/m)
  assert.equal(agents.open(), 0, 'every connection is closed')
})

test('status --json is the status document, and -q prints nothing', async () => {
  const ran = await runCommand(scripted(healthy()).wire(Status), ['web1', '--json'])
  const document = json(ran.stdout)
  assert.equal(document['state'], 'protected')
  assert.deepEqual(Object.keys(document), [
    'pair',
    'state',
    'reasons',
    'epoch',
    'primary',
    'secondary',
    'members',
    'checkpoints',
    'atMs',
  ])
  const quiet = await runCommand(scripted(healthy()).wire(Status), ['web1', '-q'])
  assert.deepEqual([quiet.stdout, quiet.stderr, quiet.exit], ['', '', 0])
})

test('status of a pair with a silent host: exit 10, the reason and the host are named', async () => {
  const ran = await runCommand(scripted({...healthy(), beta: {}}).wire(Status), ['web1'])
  assert.equal(ran.exit, 10)
  assert.notEqual(ran.stdout.split('\n')[0], 'protected')
  assert.match(ran.stdout, /on beta: /)
  assert.match(ran.stdout, /^beta +- +- +host does not answer/m)
})

test('status: exit 20 when no host answers, 3 when none knows the pair, 12 for split-brain', async () => {
  const silent = await runCommand(scripted({alpha: {}, beta: {}}).wire(Status), ['web1', '--json'])
  assert.equal(silent.exit, 20)
  assert.equal((json(silent.stdout)['error'] as {code: string}).code, 'unreachable')

  const nothing = {member: memberOf('primary', {record: undefined})}
  assert.equal((await runCommand(scripted({alpha: nothing, beta: nothing}).wire(Status), ['web1'])).exit, 3)

  const split = (role: 'primary' | 'secondary'): ScriptedHost => ({
    member: memberOf(role, {
      record: recordOf(role, {generation: {epoch: 2, id: `own-${role}`, ancestors: ['gen-1']}, alone: true}),
    }),
  })
  const ran = await runCommand(scripted({alpha: split('primary'), beta: split('secondary')}).wire(Status), ['web1'])
  assert.equal(ran.exit, 12)
  assert.equal(ran.stdout.split('\n')[0], 'split-brain')
})

test('every document fits its schema', async () => {
  const events = {events: [{seq: 1, atMs: 1000, pair: 'web1', type: 'STOP', data: {}}]}
  const cases: ReadonlyArray<readonly [string, never, Record<string, ScriptedHost>, readonly string[]]> = [
    ['pair-status', Status as never, healthy(), ['web1']],
    ['pair-status', Status as never, {...healthy(), beta: {}}, ['web1']],
    ['pair-list', List as never, healthy(), []],
    ['pair-show', Show as never, {...healthy(), beta: {}}, ['web1']],
    ['pair-wait', Wait as never, healthy(), ['web1', '--for', 'protected']],
    ['pair-events', Events as never, {alpha: events, gamma: {}}, ['web1']],
    ['pair-checkpoint', Checkpoint as never, healthy(), ['web1']],
    ['pair-failover', Failover as never, healthy(), ['web1', '--dry-run']],
    ['error', Status as never, {alpha: {}}, ['web1']],
    ['error', Status as never, {}, ['web1', '--bogus']],
    ['error', Wait as never, healthy(), ['web1', '--for', 'stopped', '--timeout', '1ms']],
    ['error', Failover as never, healthy(), ['web1', '--to', 'nowhere', '--yes']],
  ]
  for (const [schema, command, hosts, argv] of cases) {
    const ran = await runCommand(scripted(hosts).wire(command), [...argv, '--json'])
    const document = json(ran.stdout)
    assert.deepEqual(problemsOf(document, readSchema(`${schema}.schema.json`)), [], `${schema} ${argv.join(' ')}`)
  }
})

test('a dry run prints commands per host and shows no key', async () => {
  const secret = 'cd'.repeat(32)
  const hosts = {
    alpha: {member: memberOf('primary', {record: recordOf('primary', {beaconKey: secret})})},
    beta: {member: memberOf('secondary', {record: recordOf('secondary', {beaconKey: secret})})},
  }
  for (const argv of [
    ['web1', '--dry-run'],
    ['web1', '--dry-run', '--json'],
  ]) {
    const agents = scripted(hosts)
    const ran = await runCommand(agents.wire(Failover), argv)
    assert.equal(ran.exit, 0, ran.stderr)
    assert.match(ran.stdout, /x-colo-lost-heartbeat/)
    assert.ok(!ran.stdout.includes(secret))
    assert.ok(
      agents.calls.every((call) => call.endsWith('pairs.observe')),
      agents.calls.join(', '),
    )
  }
})

test('an odd name is refused before any host is asked', async () => {
  for (const name of ['../web1', 'a; rm -rf', '-', '']) {
    const agents = scripted(healthy())
    const ran = await runCommand(agents.wire(Status), ['--json', '--', name])
    assert.equal(ran.exit, 2, name)
    assert.deepEqual(agents.calls, [], name)
  }
})

test('list: a table, names, yaml, one document', async () => {
  const agents = (): ReturnType<typeof scripted> => scripted(healthy())
  const table = await runCommand(agents().wire(List), [])
  assert.match(table.stdout, /^PAIR +STATE +PRIMARY +SECONDARY +EPOCH +REASON\nweb1 +protected +alpha +beta +1 +-\n$/)
  assert.match((await runCommand(agents().wire(List), ['-o', 'wide'])).stdout, /CHECKPOINTS +LAST +PAUSE/)
  assert.equal((await runCommand(agents().wire(List), ['-o', 'name'])).stdout, 'web1\n')
  assert.match(
    (await runCommand(agents().wire(List), ['-o', 'yaml'])).stdout,
    /^pairs:\n {2}- pair: web1\n {4}state: protected\n/,
  )
  const document = json((await runCommand(agents().wire(List), ['-o', 'json'])).stdout)
  assert.equal((document['pairs'] as unknown[]).length, 1)
  const none = await runCommand(scripted({alpha: {member: memberOf('primary', {record: undefined})}}).wire(List), [])
  assert.equal(none.stdout, 'no pairs on the hosts of hosts.yaml\n')
})

test('list: hosts that do not answer are named, since pairs of theirs are missing; 20 when none answers', async () => {
  const hosts = {alpha: {member: memberOf('primary', {record: undefined})}, beta: {}}
  const some = await runCommand(scripted(hosts).wire(List), [])
  assert.deepEqual([some.exit, some.stdout], [0, 'no pairs on the hosts of hosts.yaml that answer\n'])
  assert.match(some.stderr, /^beta: beta does not answer/m)
  const document = json((await runCommand(scripted(hosts).wire(List), ['--json'])).stdout)
  assert.deepEqual(problemsOf(document, readSchema('pair-list.schema.json')), [])
  assert.deepEqual(document['silent'], [{host: 'beta', problem: 'beta does not answer'}])
  assert.equal((await runCommand(scripted({alpha: {}}).wire(List), [])).exit, 20)
})

test('show tells the records and never the key', async () => {
  const secret = 'ab'.repeat(32)
  const host = {member: memberOf('primary', {record: recordOf('primary', {beaconKey: secret})})}
  for (const argv of [['web1'], ['web1', '--json']]) {
    const ran = await runCommand(scripted({alpha: host, beta: {}}).wire(Show), argv)
    assert.equal(ran.exit, 0, ran.stderr)
    assert.ok(!ran.stdout.includes(secret), argv.join(' '))
    assert.match(ran.stdout, /gen-1/)
    assert.match(ran.stdout, /beta.*does not answer|does not answer/)
  }
})

test('a checkpoint: progress on standard error, the result on standard output, everything closed', async () => {
  const agents = scripted(healthy())
  const ran = await runCommand(agents.wire(Checkpoint), ['web1'])
  assert.equal(ran.exit, 0, ran.stderr)
  assert.match(ran.stderr, /alpha: bring the secondary level/)
  assert.equal(ran.stdout, 'checkpoint of web1: done in 250 ms\nweb1 is protected\n')
  assert.equal(agents.open(), 0)
  const quiet = await runCommand(scripted(healthy()).wire(Checkpoint), ['web1', '-q'])
  assert.deepEqual([quiet.stdout, quiet.stderr], ['', ''])
})

test('a checkpoint as a document: outline and timeline, nothing on standard error', async () => {
  const ran = await runCommand(scripted(healthy()).wire(Checkpoint), ['web1', '--json'])
  assert.equal(ran.stderr, '')
  const {plan, timeline, changed, dryRun, status} = json(ran.stdout)
  assert.deepEqual([changed, dryRun], [true, false])
  assert.deepEqual(plan, {
    kind: 'checkpoint',
    title: 'checkpoint of web1',
    steps: [{id: 'alpha/checkpoint', host: 'alpha', label: 'bring the secondary level'}],
  })
  assert.deepEqual(timeline, [{atMs: 1250, host: 'alpha', step: 'alpha/checkpoint', state: 'done', tookMs: 250}])
  assert.equal((status as {state: string}).state, 'protected')
})

test('a step that fails keeps its class: exit status, message and hint of the agent', async () => {
  const failure = new StateError(
    'the guest is paused',
    {actual: 'paused', required: ['running']},
    {hint: 'continue it'},
  )
  const hosts = healthy()
  const ran = await runCommand(scripted({...hosts, alpha: {...hosts['alpha'], failure}}).wire(Checkpoint), ['web1'])
  assert.equal(ran.exit, 5)
  assert.match(ran.stderr, /colo: the guest is paused\n {2}hint: continue it\n$/)
})

test('failover to an unknown peer needs the name on a terminal, or --yes --force peer-unknown', async () => {
  const left = {
    beta: {member: memberOf('secondary', {latched: [{kind: 'colo-exit', atMs: 1, detail: 'error'}]})},
    alpha: {},
  }
  const refused = await runCommand(scripted(left).wire(Failover), ['web1', '--yes', '--json'])
  assert.equal(refused.exit, 22)
  const {error} = json(refused.stdout) as {error: {code: string; hint: string}}
  assert.match(error.hint, /--yes --force peer-unknown/)

  const wrong = scripted(left)
  const typed = await runCommand(
    wrong.wire(Failover, async () => 'web2'),
    ['web1'],
  )
  assert.equal(typed.exit, 22)
  assert.ok(!wrong.calls.includes('beta steps.run'), 'nothing was done')

  const agents = scripted(left)
  const asked: string[] = []
  const ask = async (text: string): Promise<string> => {
    asked.push(text)
    return 'web1'
  }
  await runCommand(agents.wire(Failover, ask), ['web1'])
  assert.match(asked.join('\n'), /Type web1 to go on: $/)
  assert.ok(agents.calls.includes('beta steps.run'), agents.calls.join(', '))
})

test('wait: at once when it is so, 21 with what was seen last, 3 for an unknown pair', async () => {
  const now = await runCommand(scripted(healthy()).wire(Wait), ['web1', '--for', 'protected', '--json'])
  assert.equal(now.exit, 0, now.stdout)
  assert.equal(json(now.stdout)['state'], 'protected')
  const late = await runCommand(scripted(healthy()).wire(Wait), ['web1', '--for', 'stopped', '--timeout', '50ms'])
  assert.equal(late.exit, 21)
  assert.match(late.stderr, /^colo: web1 is not stopped after 0\.\d s: it is protected/)
  const nothing = {alpha: {member: memberOf('primary', {record: undefined})}}
  assert.equal((await runCommand(scripted(nothing).wire(Wait), ['web1', '--for', 'protected'])).exit, 3)
  assert.equal((await runCommand(scripted(nothing).wire(Wait), ['web1', '--for', 'gone'])).exit, 0)
  const unsure = scripted({...nothing, beta: {}})
  const gone = await runCommand(unsure.wire(Wait), ['web1', '--for', 'gone', '--timeout', '50ms'])
  assert.equal(gone.exit, 21, 'a host that does not answer may have it')
  assert.match(gone.stderr, /no host that answers knows a pair named web1/)
  assert.equal((await runCommand(unsure.wire(Status), ['web1'])).exit, 20)
  assert.equal((await runCommand(unsure.wire(Events), ['web1'])).exit, 20)
  assert.equal((await runCommand(scripted(healthy()).wire(Wait), ['web1', '--for', 'happy'])).exit, 2)
})

test('what checkpoints stop and resume in a row is one line of the table, and each a line when asked for', async () => {
  const event = (seq: number, type: string): RecordedEvent => ({seq, atMs: seq * 1000, pair: 'web1', type, data: {}})
  const beats = Array.from({length: 6}, (_, n) => event(n + 2, n % 2 === 0 ? 'STOP' : 'RESUME'))
  const hosts = {
    alpha: {events: [event(1, 'MIGRATION'), ...beats, event(8, 'COLO_EXIT'), event(9, 'STOP'), event(10, 'RESUME')]},
  }
  const lines = async (...flags: string[]): Promise<string[]> => {
    const {stdout} = await runCommand(scripted(hosts).wire(Events), ['web1', ...flags])
    return stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^\S+\s+alpha\s+/, '').trim())
  }
  const folded = 'checkpoints  6 of STOP and RESUME since 1970-01-01T00:00:02.000Z'
  assert.deepEqual(
    (await lines()).map((line) => line.replace(/\s+-?$/, '')),
    ['MIGRATION', folded, 'COLO_EXIT', 'STOP', 'RESUME'],
  )
  assert.equal((await lines('--checkpoints')).length, 10)
})

test('events of both hosts in order; a silent host is named', async () => {
  const event = (seq: number, atMs: number, type: string): RecordedEvent => ({
    seq,
    atMs,
    pair: 'web1',
    type,
    data: {n: seq},
  })
  const hosts = {
    alpha: {events: [event(1, 1000, 'STOP'), event(2, 3000, 'RESUME')]},
    beta: {events: [event(1, 2000, 'MIGRATION')]},
    gamma: {},
    delta: {unreadable: new ColoError('not-found', 3, 'no pair web1 on this host')},
  }
  const ran = await runCommand(scripted(hosts).wire(Events), ['web1', '--json'])
  const document = json(ran.stdout) as {events: Array<{host: string; type: string}>; silent: unknown[]}
  assert.deepEqual(
    document.events.map(({host, type}) => `${host} ${type}`),
    ['alpha STOP', 'beta MIGRATION', 'alpha RESUME'],
  )
  assert.deepEqual(document.silent, [{host: 'gamma', problem: 'gamma does not answer'}])
  const last = await runCommand(scripted(hosts).wire(Events), ['web1', '--last', '1'])
  assert.match(last.stdout, /^TIME.*\n1970-01-01T00:00:03\.000Z +alpha +RESUME +n=2\n$/)
  const lines = await runCommand(scripted(hosts).wire(Events), ['web1', '--follow', '--json'])
  assert.equal(lines.stderr, '', 'a host that has no part in the pair is no error')
  assert.equal(
    lines.stdout
      .trim()
      .split('\n')
      .map((line) => json(line)).length,
    3,
  )
})

test.run()

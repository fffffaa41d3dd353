import assert from 'node:assert/strict'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import Apply from '../../../commands/pair/apply.js'
import {pairDocument} from '../../../src/config/pair-document.js'
import {specDifferences} from '../../../src/config/spec-differences.js'
import type {ApplyResult} from '../../../src/operation/apply.js'
import {identityOf} from '../../../src/pair/identity.js'
import type {HostName, PairSpec} from '../../../src/pair/spec.js'
import {planApply} from '../../../src/plan/apply.js'
import {describePlan} from '../../../src/plan/describe.js'
import {memberOf, recordOf, specOf} from '../../support/pair-fixtures.js'
import {suite, type T} from '../../support/suite.js'
import {problemsOf, readSchema} from './json-schema.js'
import {runCommand} from './run-command.js'
import {scripted, type ScriptedHost} from './scripted-agents.js'

const test = suite('pair apply')
const fields = (after: PairSpec, before = specOf()) =>
  specDifferences(before, after, ['alpha', 'beta']).map(({field, how}) => `${field} ${how}`)
const faster = specOf({checkpoint: {intervalMs: 500, compareTimeoutMs: 2000}, resync: 'manual'})

const healthy = (): Record<string, ScriptedHost> => {
  const beat = {count: 3, lastAtMs: Date.now() - 200, lastPauseMs: 40, openForMs: undefined}
  return {
    alpha: {member: memberOf('primary', {atMs: Date.now(), checkpoints: beat})},
    beta: {member: memberOf('secondary', {atMs: Date.now(), checkpoints: beat})},
  }
}
const stopped = (): Record<string, ScriptedHost> => {
  const down = {domain: 'absent', qmp: 'absent', vm: undefined} as const
  return {
    alpha: {member: memberOf('primary', {...down, record: recordOf('primary', {clean: true})})},
    beta: {member: memberOf('secondary', {...down, record: recordOf('secondary', {clean: true})})},
  }
}

async function apply(t: T, spec: PairSpec, hosts: Record<string, ScriptedHost>, ...argv: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'colo-apply-'))
  t.defer(() => rm(directory, {recursive: true}))
  const file = join(directory, 'web1.yaml')
  await writeFile(file, pairDocument(spec))
  const agents = scripted(hosts)
  const ran = await runCommand(agents.wire(Apply), ['-f', file, '--json', ...argv])
  const document = JSON.parse(ran.stdout) as ApplyResult & {error?: {message: string; hint: string}}
  return {
    exit: ran.exit,
    document,
    steps: agents.calls.filter((call) => call.endsWith('steps.run')),
    open: agents.open(),
  }
}

test('nothing differs: nothing is changed, however the file words it', async (t) => {
  assert.deepEqual(fields(specOf()), [])
  const [root, data] = specOf().disks
  const perHost = specOf({
    disks: [
      {
        ...root!,
        image: {byHost: {alpha: '/var/lib/colo/images/web1-root.qcow2', beta: '/var/lib/colo/images/web1-root.qcow2'}},
      },
      {...data!, sizeBytes: 0},
    ],
    hosts: {primary: 'beta' as HostName, secondary: 'alpha' as HostName},
  })
  assert.deepEqual(fields(perHost), [])
  const {exit, document, steps, open} = await apply(t, specOf(), healthy())
  assert.deepEqual([exit, document.changed, document.did, steps, open], [0, false, [], [], 0])
  assert.deepEqual(document.before, document.after)
  assert.deepEqual(problemsOf(document, readSchema('pair-apply.schema.json')), [])
})

test('every field says whether it can be changed live, stopped, or not at all', () => {
  assert.deepEqual(fields(faster), ['checkpoint.interval live', 'checkpoint.compareTimeout live', 'resync live'])
  const {vm, nics, disks} = specOf()
  const [net0, net1] = nics
  assert.deepEqual(fields(specOf({nics: [{...net0!, uncompared: 'pass'}, net1!]})), ['nics[net0].uncompared live'])
  assert.deepEqual(fields(specOf({vm: {...vm, memoryBytes: 2 ** 30, onReboot: 'stop'}})), [
    'vm.memory stopped',
    'vm.onReboot live',
  ])
  const crash = (before: PairSpec['vm']['onCrash'], after: PairSpec['vm']['onCrash']): string[] => {
    const [was, wanted] = [before, after].map((onCrash) => specOf({vm: {...vm, ...(onCrash && {onCrash})}}))
    return specDifferences(was!, wanted!, ['alpha', 'beta']).map(({field, how}) => `${field} ${how}`)
  }
  assert.deepEqual(crash('report', 'restart'), ['vm.onCrash live'])
  assert.deepEqual(crash(undefined, 'stop'), ['vm.onCrash stopped'], 'it gets a panic device')
  assert.deepEqual(crash(undefined, 'report'), [], 'the default of a file is no word')
  const other = specOf({
    vm: {...vm, machine: 'q35'},
    disks: [disks[0]!],
    nics: [{...net0!, mac: '52:54:00:00:00:99'}, net1!],
  })
  assert.deepEqual(
    [...new Set(specDifferences(specOf(), other, ['alpha', 'beta']).map(({how}) => how))],
    ['fixed'],
    'another disk is not a smaller one',
  )
})

test('what runs is changed before the records, which are last; all of it can be taken back', () => {
  const [net0, net1] = specOf().nics
  const plan = planApply({
    planId: 'p',
    identity: identityOf(recordOf('primary')),
    after: {...faster, nics: [{...net0!, uncompared: 'pass'}, net1!]},
    primary: 'alpha',
    secondary: 'beta',
    running: ['alpha', 'beta'],
    inLockStep: true,
  })
  assert.deepEqual(
    plan.steps.map(({id}) => id),
    ['alpha/change', 'beta/change', 'beta/note', 'alpha/note'],
  )
  const text = describePlan(plan)
  assert.match(text, /"property":"compare_timeout","value":2000/)
  assert.match(text, /"x-checkpoint-delay":500/)
  assert.match(text, /undo .*"x-checkpoint-delay":1000/s)
  assert.ok(plan.steps.every(({undo = []}) => undo.length > 0))
})

test('a change: changed, before and after; a dry run says the same and touches nothing', async (t) => {
  for (const argv of [['--dry-run'], []]) {
    const {exit, document, steps} = await apply(t, faster, healthy(), ...argv)
    assert.deepEqual([exit, document.changed, document.did], [0, true, ['change']])
    const interval = (spec: unknown) => (spec as {checkpoint: {interval: string}}).checkpoint.interval
    assert.deepEqual([interval(document.before), interval(document.after)], ['1s', '500ms'])
    assert.deepEqual(problemsOf(document, readSchema('pair-apply.schema.json')), [])
    assert.equal(steps.length > 0, argv.length === 0)
  }
})

test('what cannot be changed is refused by field, and nothing is touched', async (t) => {
  const {vm} = specOf()
  const wanted = {...faster, vm: {...vm, memoryBytes: 2 ** 30, machine: 'q35'}}
  for (const argv of [['--dry-run'], []]) {
    const {exit, document, steps} = await apply(t, wanted, healthy(), ...argv)
    assert.equal(exit, 4)
    assert.match(document.error?.hint ?? '', /vm\.memory: 128MiB -> 1GiB \(needs a stop/)
    assert.match(document.error?.hint ?? '', /vm\.machine: pc -> q35 \(cannot be changed\)/)
    assert.deepEqual(steps, [])
  }
  const memory = {...specOf(), vm: {...vm, memoryBytes: 2 ** 30}}
  assert.equal((await apply(t, memory, stopped())).document.changed, true, 'while it is stopped it can')
})

test('another placement is reported, and changed only by --move', async (t) => {
  const swapped = specOf({hosts: {primary: 'beta' as HostName, secondary: 'alpha' as HostName}})
  const {exit, document} = await apply(t, swapped, healthy())
  assert.deepEqual([exit, document.changed, document.did], [0, false, []])
  assert.deepEqual(document.placement, {
    before: {primary: 'alpha', secondary: 'beta'},
    wanted: {primary: 'beta', secondary: 'alpha'},
  })
  assert.deepEqual((await apply(t, swapped, healthy(), '--move', '--dry-run')).document.did, ['move'])
  const elsewhere = specOf({hosts: {primary: 'alpha' as HostName, secondary: 'gamma' as HostName}})
  const refused = await apply(t, elsewhere, healthy(), '--move', '--yes')
  assert.equal(refused.exit, 4)
  assert.match(refused.document.error?.hint ?? '', /colo pair replace web1 --secondary/)
})

test('a stopped pair stays stopped without --start; a change needs both hosts', async (t) => {
  assert.deepEqual((await apply(t, specOf(), stopped())).document.did, [])
  assert.deepEqual((await apply(t, specOf(), stopped(), '--start', '--dry-run')).document.did, ['start', 'resync'])
  assert.equal((await apply(t, faster, {...healthy(), beta: {}})).exit, 20)
  assert.equal((await apply(t, specOf(), {...healthy(), beta: {}})).document.changed, false)
})

test.run()

import assert from 'node:assert/strict'
import {removeRecord} from '../../../src/agent/actions/records.js'
import {object} from '../../../src/agent/actions/network.js'
import {ConflictError, RefusedError} from '../../../src/errors.js'
import {assess} from '../../../src/pair/assess.js'
import {layoutOf} from '../../../src/pair/layout.js'
import {otherRemedy} from '../../../src/pair/remedy.js'
import {memberOf, recordOf, seen, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {labelsIn, placesIn, prepared, runStruck, scenarios, type Scenario} from '../../support/world/scenarios.js'
import type {Fault} from '../../support/world/world.js'
import {world} from '../actions/context.js'

const test = suite('run again')
const create = scenarios.find(({name}) => name === 'create') as Scenario

interface Case {
  readonly what: string
  readonly scenario: string
  /** the last place of the operation that is called so */
  readonly at: string
  readonly fault: Fault
}

/** Found by the soak, live or in the model. */
const found: readonly Case[] = [
  {
    what: 'the record of a copy that is still there stays, when its agent is back in the middle of taking back',
    scenario: 'create',
    at: 'alpha firewall present: after',
    fault: {kind: 'agent-soon', host: 'alpha'},
  },
  {
    what: 'a commit that was over before it was followed is not done again over newer writes (S4)',
    scenario: 'planned failover',
    at: 'beta announce: after',
    fault: {kind: 'qemu', host: 'beta'},
  },
  {
    what: 'a test-failover is finished by the command it names',
    scenario: 'test-failover',
    at: 'beta lost-heartbeat: after',
    fault: {kind: 'command'},
  },
  {
    what: 'a start that left only its note is finished by start',
    scenario: 'start of two equal copies',
    at: 'alpha intent.clear: called',
    fault: {kind: 'agent', host: 'alpha'},
  },
  {
    what: 'an apply that left only its note is finished by apply',
    scenario: 'apply',
    at: 'beta intent.clear: called',
    fault: {kind: 'agent-late', host: 'beta'},
  },
  {
    what: 'an apply that needs a checkpoint says what brings one',
    scenario: 'apply',
    at: 'alpha checkpoint: before',
    fault: {kind: 'qemu', host: 'beta'},
  },
  {
    what: 'a stop that was cut off before it tidied up is finished by stop',
    scenario: 'stop',
    at: 'beta stop-follow: after',
    fault: {kind: 'command'},
  },
  {
    what: 'a stop that cannot go on says what can',
    scenario: 'stop, power cut',
    at: 'alpha guest stopped',
    fault: {kind: 'agent-late', host: 'alpha'},
  },
  {
    what: 'a suspend whose primary died says how to start it',
    scenario: 'suspend',
    at: 'alpha record-change: after',
    fault: {kind: 'qemu', host: 'alpha'},
  },
  {
    what: 'a replace whose primary lost its power says how to start it',
    scenario: 'replace, secondary alive',
    at: 'alpha steps.run: answered',
    fault: {kind: 'power', host: 'alpha'},
  },
  {
    what: 'a destroy leaves no note of itself on a host without a record',
    scenario: 'destroy',
    at: 'alpha record-remove: after',
    fault: {kind: 'both', host: 'alpha'},
  },
]

for (const {what, scenario: name, at, fault} of found) {
  test(`S5: ${what}`, async () => {
    const scenario = scenarios.find((each) => each.name === name)
    assert.ok(scenario)
    const place = (await labelsIn(scenario)).lastIndexOf(at)
    assert.ok(place >= 0, `no "${at}" in ${name}`)
    for (const seed of [1, 2, 3, 4]) await runStruck(scenario, {at: place, fault, seed})
  })
}

test('S5: create run again goes on with the guest that an interrupted one had started', async () => {
  const places = await placesIn(create)
  let kept = 0
  let asked = 0
  for (let at = 0; at < places; at += 7) {
    const operator = await prepared(create, at)
    await operator.run(create.line, {at, fault: {kind: 'command'}})
    const guest = operator.world.host('alpha').qemu
    const isWhole = operator.world.host('alpha').agent?.intents.current?.done.includes('alpha/domain') === true
    const {error} = await operator.run(create.line)
    if (error instanceof ConflictError) continue // it had come to its end
    assert.equal(error, undefined)
    assert.equal((await operator.status())?.state, 'protected')
    const questions = operator.questions.filter(({text}) => text.includes('was interrupted'))
    if (isWhole) {
      assert.equal(operator.world.host('alpha').qemu, guest, `at ${at}`)
      kept++
    } else if (guest !== undefined) {
      assert.equal(questions.length, 1, `at ${at}: ended without a question`)
      asked++
    }
  }
  assert.ok(kept > 2 && asked > 0, `${kept} kept, ${asked} asked`)
})

test('a create that was interrupted is not gone on with when the spec has changed since: it is asked about', async () => {
  const operator = await prepared(create, 1)
  const at = operator.world.trace.length + 90
  await operator.run(create.line, {at, fault: {kind: 'command'}})
  const guest = operator.world.host('alpha').qemu
  assert.ok(guest)
  operator.world.spec = {...operator.world.spec, vm: {...operator.world.spec.vm, vcpus: 1}}
  const {error} = await operator.run(create.line)
  assert.equal(error, undefined)
  assert.notEqual(operator.world.host('alpha').qemu, guest)
  assert.match(
    operator.questions.at(-1)?.text ?? '',
    /what it started on alpha and beta is ended, the disks on alpha are kept/,
  )
})

test('a record of another pair of that name is not removed', async () => {
  const {context, state} = world()
  state.record = recordOf('primary')
  await assert.rejects(removeRecord({kind: 'record-remove', uuid: 'another'}, context), ConflictError)
  assert.ok(state.record)
  await removeRecord({kind: 'record-remove', uuid: state.record.uuid}, context)
  assert.equal(state.record, undefined)
})

test('S2: the capture filter of a primary in lock-step goes only when its record says that it is alone', async () => {
  const {context, state, model} = world()
  const id = layoutOf(specOf()).nics[0]?.objects.capture ?? ''
  const gone = {kind: 'object', ensure: 'absent', id} as const
  model.objects.set(id, {'qom-type': 'filter-redirector'})
  model.colo = {mode: 'primary', 'last-mode': 'none', reason: 'none'}
  state.record = recordOf('primary')
  await assert.rejects(object(gone, context), RefusedError)
  assert.ok(model.objects.has(id))
  state.record = recordOf('primary', {alone: true})
  assert.equal(await object(gone, context), 'changed')
})

test('a refused command names another one than itself', () => {
  const status = assess('web1', seen(memberOf('primary', {domain: 'absent', qmp: 'absent', vm: undefined})), 0)
  assert.equal(otherRemedy(status, 'colo pair resync web1'), 'colo pair start web1')
  assert.equal(otherRemedy({pair: 'web1', state: 'failed', reasons: []}, 'x'), 'colo pair status web1')
  assert.equal(otherRemedy({pair: 'web1', state: 'stopped', reasons: []}, 'x'), 'colo pair start web1')
})

test('a peer that answers without a record is a reason', () => {
  const found = assess('web1', seen(memberOf('primary'), memberOf('secondary', {record: undefined})), 0)
  assert.equal(found.state, 'suspect')
  assert.match(found.reasons.map(({message}) => message).join(), /beta answers, but has no record of web1/)
})

test.run()

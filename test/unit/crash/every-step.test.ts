import assert from 'node:assert/strict'
import fc from 'fast-check'
import type {Action} from '../../../src/plan/action.js'
import {faultsOf, placesIn, prepared, runStruck, scenarios, type Scenario} from '../../support/world/scenarios.js'
import {Violation, type World} from '../../support/world/world.js'
import {suite} from '../../support/suite.js'

/*
 * S1, S2, S4, S5 at every step of every plan: the command, an agent, a QEMU or a host is taken away before or after any action, then a
 * person follows the remedies that `colo pair status` prints. The planners, `runPlan`, the step runner, stores and locks are the real
 * ones; the hosts are a model (test/support/world). COLO_EVERY_STEP runs are drawn by COLO_SEED; `npm run soak -- --model` runs all.
 */
const test = suite('any step may be the last')
const runs = Number(process.env['COLO_EVERY_STEP'] ?? 93)
const seed = Number(process.env['COLO_SEED'] ?? 20_261_120)

for (const scenario of scenarios) {
  test(
    scenario.name,
    async () => {
      const places = await placesIn(scenario)
      assert.ok(places > 10, `${places} places`)
      await fc.assert(
        fc.asyncProperty(
          fc.nat({max: places - 1}),
          fc.constantFrom(...faultsOf(scenario)),
          fc.nat({max: 99_999}),
          (at, fault, chance) => runStruck(scenario, {at, fault, seed: chance}),
        ),
        {seed, numRuns: Math.ceil(runs / scenarios.length), interruptAfterTimeLimit: 200_000},
      )
    },
    240_000,
  )
}

type Sabotage = (host: string, action: Action, world: World) => boolean

/** The operation runs while some actions do nothing. */
async function sabotaged(name: string, ignored: Sabotage): Promise<void> {
  const operator = await prepared(named(name), 7)
  operator.world.sabotage = (host, action) => ignored(host, action, operator.world)
  await operator.run(named(name).line)
}

function named(name: string): Scenario {
  const found = scenarios.find((each) => each.name === name)
  assert.ok(found)
  return found
}

const breaks = (rule: RegExp) => (error: unknown) => error instanceof Violation && rule.test(error.message)

test('the model notices: both copies answer', async () => {
  const {world} = await prepared(named('planned failover'), 7)
  const beta = world.host('beta')
  for (const [tap] of beta.taps) beta.taps.set(tap, 'up')
  for (const {objects} of world.layout.nics) beta.qemu?.objects.delete(objects.divert)
  assert.throws(() => world.check(), breaks(/^S1/))
})

test('the model notices: released without a record that says so', async () => {
  const {world} = await prepared(named('resync'), 7)
  const host = world.host('beta')
  for (const [path, text] of host.texts) host.texts.set(path, text.replace('"alone": true', '"alone": false'))
  assert.throws(() => world.check(), breaks(/^S2/))
})

test('the model notices: a copy without the writes says that it may take over', async () => {
  const forgetful: Sabotage = (host, action, world) => {
    if (host !== 'alpha' || action.kind !== 'record-change' || action.change.wasProtected !== true) return false
    Object.assign(world.host('alpha').files, {image: [0, 0], hidden: new Map(), active: new Map()})
    return false
  }
  await assert.rejects(sabotaged('resync', forgetful), breaks(/^S4/))
})

test('the model notices: the definition of an imported domain is nowhere any more', async () => {
  await assert.rejects(
    sabotaged('destroy, imported', (_, action) => action.kind === 'domain-define'),
    breaks(/^S5/),
  )
})

test('the model notices: the last copy is removed', async () => {
  const {world} = await prepared(named('resync'), 7)
  for (const host of world.hosts) host.files.image = undefined
  assert.throws(() => world.check(), breaks(/^S/))
})

test.run()

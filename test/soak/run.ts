import {parseArgs} from 'node:util'
import {labUp} from '../../src/lab/index.js'
import {isInSandbox, runInSandbox} from '../bench/sandbox.js'
import {faultsOf, placesIn, runStruck, scenarios} from '../support/world/scenarios.js'
import {randomOf} from '../support/world/random.js'
import {draw, placesOf} from './cases.js'
import {operations, Session, type Operation} from './session.js'

/*
 * `npm run soak [-- --seed N] [--minutes M] [--only OPERATION,...] [--model]`: kills the command and the agents at drawn steps of every
 * plan, live, in a lab of its own, until the time is over; `--model` strikes every step of every plan in the model instead. Prints a line
 * per case, and at the end `ledger: P passed, F failed, 0 skipped`. The same seed draws the same cases.
 */
const {values} = parseArgs({
  options: {
    seed: {type: 'string', default: String(Math.floor(Date.now() / 86_400_000))},
    minutes: {type: 'string', default: '10'},
    only: {type: 'string', default: operations.join(',')},
    model: {type: 'boolean', default: false},
  },
})
const only = values.only.split(',') as Operation[]
const unknown = only.filter((name) => !operations.includes(name))
const ledger = {passed: 0, failed: 0}

if (unknown.length > 0 || !(Number(values.minutes) > 0) || !Number.isInteger(Number(values.seed))) {
  console.error(`usage: npm run soak -- [--seed N] [--minutes M] [--only ${operations.join(',')}] [--model]`)
  process.exit(2)
} else if (values.model) {
  await soakModel(Number(values.seed))
  finish()
} else if (isInSandbox()) {
  await soak(Number(values.seed), Number(values.minutes) * 60_000)
  finish()
} else {
  process.exitCode = await runInSandbox(process.argv.slice(1))
}

function finish(): never {
  console.log(`ledger: ${ledger.passed} passed, ${ledger.failed} failed, 0 skipped`)
  process.exit(ledger.failed === 0 && ledger.passed > 0 ? 0 : 1)
}

async function soak(seed: number, limitMs: number): Promise<void> {
  console.log(`seed ${seed}: again with npm run soak -- --seed ${seed} --only ${only.join(',')}`)
  await labUp()
  const random = randomOf(seed)
  const session = new Session('soak', 40)
  const until = performance.now() + limitMs
  await session.begin()
  for (let round = 0; performance.now() < until; round++) {
    const operation = only[round % only.length] ?? 'failover'
    const isNear = random() < 0.5
    const startMs = performance.now()
    try {
      const {strike, reached, tried, exit} = await session.run(operation, (plan) => {
        const {near, others} = placesOf(plan)
        return draw(isNear ? near : others, random)
      })
      ledger.passed++
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
      const how = `${reached ? 'struck' : 'not reached'}, exit ${exit ?? 'by signal'}, ${seconds} s`
      console.log(`ok   ${operation} ${JSON.stringify(strike)} ${how}: ${tried.join(' | ')}`)
    } catch (error) {
      ledger.failed++
      console.log(`FAIL ${(error as Error).message}`)
      await session.restart()
    }
  }
  await session.end()
}

async function soakModel(seed: number): Promise<void> {
  for (const scenario of scenarios) {
    const places = await placesIn(scenario)
    const before = ledger.failed
    for (let at = 0; at < places; at++) {
      for (const [index, fault] of faultsOf(scenario).entries()) {
        try {
          await runStruck(scenario, {at, fault, seed: seed + at * 17 + index})
          ledger.passed++
        } catch (error) {
          if (ledger.failed++ < 5) console.log((error as Error).message)
        }
      }
    }
    console.log(`${scenario.name}: ${places} places, ${ledger.failed - before} failed`)
  }
}

import {parseArgs} from 'node:util'
import {labUp} from '../../src/lab/index.js'
import {isInSandbox, runInSandbox} from '../bench/sandbox.js'
import {faultsOf, placesIn, runStruck, scenarios} from '../support/world/scenarios.js'
import {randomOf} from '../support/world/random.js'
import {allCases, operationNamed, strikeAgain, strikeOf, type Case} from './cases.js'
import {operations, type Operation} from './operations.js'
import {CaseError, Session, type Outline} from './session.js'
import type {Strike} from './strike.js'

/*
 * `npm run soak`: kills the command and the agents live, in a lab of its own: every place around the point of no return of each plan, and
 * drawn other places, in an order drawn by the seed. Prints a line per case, how to run a failed one again, and at the end
 * `ledger: P passed, F failed, 0 skipped`.
 *
 *   --seed N              the same seed draws the same cases in the same order; of today unless told
 *   --only OPERATION,...  only these
 *   --others K            drawn other places of each plan; 1 unless told
 *   --minutes M           ends after so long, wherever it is; a whole run unless told
 *   --case JSON           only this strike, as a failed one was printed
 *   --model               every step of every plan in the model instead
 */
const usage = `usage: npm run soak -- [--seed N] [--only ${operations.join(',')}] [--others K] [--minutes M] [--case JSON] [--model]`

type Printed = Strike & {readonly operation: Operation}

interface Wanted {
  readonly seed: number
  readonly only: readonly Operation[]
  readonly others: number
  readonly minutes: number
  readonly one: Printed | undefined
  readonly model: boolean
}

const ledger = {passed: 0, failed: 0}
const wanted = read()

if (wanted === undefined) {
  console.error(usage)
  process.exit(2)
} else if (wanted.model) {
  await soakModel(wanted.seed)
  finish()
} else if (isInSandbox()) {
  await soak(wanted)
  finish()
} else {
  process.exitCode = await runInSandbox(process.argv.slice(1))
}

function read(): Wanted | undefined {
  try {
    const {values} = parseArgs({
      options: {
        seed: {type: 'string', default: String(Math.floor(Date.now() / 86_400_000))},
        only: {type: 'string', default: operations.join(',')},
        others: {type: 'string', default: '1'},
        minutes: {type: 'string', default: 'Infinity'},
        case: {type: 'string'},
        model: {type: 'boolean', default: false},
      },
    })
    const one = values.case === undefined ? undefined : (JSON.parse(values.case) as Printed)
    const [seed, others, minutes] = [values.seed, values.others, values.minutes].map(Number) as [number, number, number]
    if (!Number.isInteger(seed) || !Number.isInteger(others) || !(minutes > 0)) return undefined
    const only = values.only.split(',').map(operationNamed)
    return {
      seed,
      others,
      minutes,
      only: one === undefined ? only : [operationNamed(one.operation)],
      one,
      model: values.model,
    }
  } catch (error) {
    console.error((error as Error).message)
    return undefined
  }
}

function finish(): never {
  console.log(`ledger: ${ledger.passed} passed, ${ledger.failed} failed, 0 skipped`)
  process.exit(ledger.failed === 0 && ledger.passed > 0 ? 0 : 1)
}

async function soak({seed, only, others, minutes, one}: Wanted): Promise<void> {
  const random = randomOf(seed)
  const cases = allCases(only, {others}, random)
  const endMs = performance.now() + minutes * 60_000
  const session = new Session('soak', 40)
  console.log(one === undefined ? `${cases.length} cases by seed ${seed}` : 'one case')
  await labUp()
  if (one === undefined) {
    for (const [index, each] of cases.entries()) {
      if (performance.now() > endMs) break
      await run(session, each.operation, (plan) => strikeOf(each, plan, random), `${index + 1}/${cases.length}`)
    }
  } else await run(session, one.operation, (plan) => strikeAgain(strikePart(one), plan), '1/1')
  await session.end()
}

function strikePart({operation: _, ...printed}: Printed): Strike {
  return printed
}

async function run(
  session: Session,
  operation: Case['operation'],
  choose: (plan: Outline) => Strike,
  place: string,
): Promise<void> {
  const startMs = performance.now()
  const seconds = (): string => ((performance.now() - startMs) / 1000).toFixed(1)
  try {
    const {strike, reached, tried, exit} = await session.run(operation, choose)
    ledger.passed++
    const how = `${reached ? 'struck' : 'not reached'}, exit ${exit ?? 'by signal'}, ${seconds()} s`
    console.log(`${place} ok   ${operation} ${JSON.stringify(strike)} ${how}: ${tried.join(' | ')}`)
  } catch (error) {
    ledger.failed++
    console.log(`${place} FAIL ${seconds()} s ${(error as Error).message}`)
    const strike = error instanceof CaseError ? error.strike : undefined
    if (strike !== undefined)
      console.log(`     again: npm run soak -- --case '${JSON.stringify({operation, ...strike})}'`)
    await session.restart()
  }
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

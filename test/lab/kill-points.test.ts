import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {placesOf, draw} from '../soak/cases.js'
import {Session, type Operation, type Outcome} from '../soak/session.js'
import type {Strike} from '../soak/strike.js'
import {suite} from '../support/suite.js'
import {randomOf} from '../support/world/random.js'

/*
 * A sample of `npm run soak`: the command or an agent is killed at an exact step, the person follows what `status` prints; the numbered
 * connection loses no line, acknowledged writes are there, no second copy was heard. What is drawn rotates with the commit; COLO_SEED
 * draws the same again.
 */
const test = suite('kill points')
const minutes = 60_000
const seed = Number(process.env['COLO_SEED'] ?? Number.parseInt(commitId().slice(0, 7), 16))
const random = randomOf(seed)
const session = new Session('kp1', 41)

interface Sample {
  readonly operation: Operation
  readonly where: 'at its point of no return' | 'at another step'
  readonly victims: ReadonlyArray<Strike['victim']>
}

const samples: readonly Sample[] = [
  {operation: 'failover', where: 'at its point of no return', victims: ['command', 'alpha', 'beta']},
  {operation: 'resync', where: 'at its point of no return', victims: ['command', 'alpha', 'beta']},
  {operation: 'failover', where: 'at another step', victims: ['command', 'alpha', 'beta']},
  {operation: 'resync', where: 'at another step', victims: ['command', 'alpha', 'beta']},
  {operation: 'start', where: 'at its point of no return', victims: ['command', 'alpha', 'beta']},
]

for (const {operation, where, victims} of samples) {
  test(
    `S5, S1: ${operation} struck ${where}`,
    async () => {
      const outcome = await struck(operation, ({near, others}) =>
        draw(
          (where === 'at another step' ? others : near).filter(({victim}) => victims.includes(victim)),
          random,
        ),
      )
      console.log(`${operation} ${JSON.stringify(outcome.strike)}, COLO_SEED=${seed}: ${outcome.tried.join(' | ')}`)
    },
    3 * minutes,
  )
}

test('nothing of the pair is left', () => session.end(), minutes)

async function struck(
  operation: Operation,
  choose: (places: {readonly near: readonly Strike[]; readonly others: readonly Strike[]}) => Strike,
): Promise<Outcome> {
  const outcome = await session.run(operation, (plan) => {
    const {near, others} = placesOf(plan)
    return choose({near, others})
  })
  assert.ok(outcome.reached, `${operation} never came to ${JSON.stringify(outcome.strike)}`)
  return outcome
}

/** Of the tree under test; outside of a clone always the same. */
function commitId(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {encoding: 'utf8'}).trim()
  } catch {
    return '20261120'
  }
}

test.run()

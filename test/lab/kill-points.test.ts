import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {placesOf, draw} from '../soak/cases.js'
import {Session, type Operation, type Outcome, type Outline} from '../soak/session.js'
import {hold, type Strike} from '../soak/strike.js'
import {colo, coloOk, statusOf} from '../support/lab.js'
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

test(
  'S5: Ctrl-C before the point of no return takes everything back, after it names the command that finishes',
  async () => {
    const before = await struck('failover', ({fence}) => ({...fence, state: 'done', victim: 'interrupt'}))
    assert.equal(before.exit, 130, before.stderr)
    assert.match(before.stderr, /what was done has been taken back/)
    // the secondary may have left lock-step by then, so the old primary goes on alone, and nothing is left to finish
    assert.ok(!before.tried.some((line) => line.startsWith('failover')), before.tried.join(' | '))
    const after = await struck('failover', ({near: [point]}) => ({...point!, state: 'done', victim: 'interrupt'}))
    assert.equal(after.exit, 130, after.stderr)
    assert.match(after.stderr, /finish it: colo pair failover kp1 --to/)
  },
  4 * minutes,
)

test(
  'two operators: one wins, the other is told who holds the lock and why; a dead owner keeps nothing',
  async () => {
    const plan = (await coloOk('pair', 'failover', 'kp1', '--yes', '--no-resync', '--dry-run'))['plan'] as Outline
    const fence = plan.steps.find(({id}) => id.endsWith('/fence'))
    assert.ok(fence)
    const first = await hold(['failover', 'kp1', '--yes', '--no-resync'], {step: fence.id, state: 'started'})
    for (const line of [['resync'], ['failover']]) {
      const {exit, json} = await colo('pair', ...line, 'kp1', '--yes')
      assert.equal(exit, 4, JSON.stringify(json))
      assert.match(JSON.stringify(json), /kp1 is being changed by \S+ pid \d+: fail over kp1 to \w+, since 20\d\d-/)
    }
    assert.equal((await statusOf('kp1')).state, 'failing-over', 'a reader is not held up')
    await first.kill()
    await coloOk('pair', 'failover', 'kp1', '--yes', '--to', plan.title.split(' ').at(-1) ?? '')
    assert.equal((await statusOf('kp1')).state, 'protected')
  },
  2 * minutes,
)

test('nothing of the pair is left', () => session.end(), minutes)

async function struck(
  operation: Operation,
  choose: (places: {
    readonly near: readonly Strike[]
    readonly others: readonly Strike[]
    readonly fence: Strike
  }) => Strike,
): Promise<Outcome> {
  const outcome = await session.run(operation, (plan) => {
    const {near, others} = placesOf(plan)
    const fence = others.find(({step}) => step.endsWith('/fence')) ?? others[0]!
    return choose({near, others, fence})
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

import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {draw, strikeOf, type Case} from '../soak/cases.js'
import {operations, type Operation} from '../soak/operations.js'
import {Session, type Outcome, type Outline} from '../soak/session.js'
import {hold} from '../soak/strike.js'
import {colo, coloOk, statusOf} from '../support/lab.js'
import {suite} from '../support/suite.js'
import {randomOf} from '../support/world/random.js'

/*
 * A sample of `npm run soak`: the command, an agent, or both are killed at an exact step, or the person presses Ctrl-C; then the person
 * follows what `status` prints. The numbered connection loses no line, acknowledged writes are there, no second copy was heard, nothing is left
 * behind. What is drawn rotates with the commit; COLO_SEED draws the same again.
 */
const test = suite('kill points')
const minutes = 60_000
const seed = Number(process.env['COLO_SEED'] ?? Number.parseInt(commitId().slice(0, 7), 16))
const random = randomOf(seed)
const session = new Session('kp1', 41)

const killed = (): Case['victim'] => draw(['command', 'own', 'peer', 'both'] as const, random)
const state = (): Case['state'] => draw(['started', 'done'] as const, random)
const near = (operation: Operation): Case => ({operation, where: 'near', state: state(), victim: killed()})
const turns: readonly Operation[] = ['resync', 'replace', 'create', 'destroy', 'failover-dead', 'stop', 'start-both']
const stoppedByHand: readonly Operation[] = ['stop', 'replace', 'create']

const samples: readonly Case[] = [
  near('failover'),
  near(draw(turns, random)),
  {operation: draw(operations, random), where: 'other', state: state(), victim: killed()},
  {operation: draw(stoppedByHand, random), where: draw(['near', 'other'], random), state: state(), victim: 'interrupt'},
]

for (const each of samples) {
  const {operation, where, victim} = each
  const how = victim === 'interrupt' ? 'interrupted by Ctrl-C' : 'struck'
  test(
    `S5, S1: ${operation} ${how} at ${where === 'near' ? 'its point of no return' : 'another step'}`,
    async () => {
      const {strike, tried} = await struck(each)
      console.log(`${operation} ${JSON.stringify(strike)}, COLO_SEED=${seed}: ${tried.join(' | ')}`)
    },
    4 * minutes,
  )
}

test(
  'S5: Ctrl-C before the point of no return takes everything back, after it names the command that finishes',
  async () => {
    const fenced = (plan: Outline): string => plan.steps.find(({id}) => id.endsWith('/fence'))?.id ?? ''
    const before = await session.run('failover', (plan) => ({step: fenced(plan), state: 'done', victim: 'interrupt'}))
    assert.ok(before.reached)
    assert.equal(before.exit, 130, before.stderr)
    assert.match(before.stderr, /what was done has been taken back/)
    // the secondary may have left lock-step by then, so the old primary goes on alone, and nothing is left to finish
    assert.ok(!before.tried.some((line) => line.startsWith('failover')), before.tried.join(' | '))
    const after = await struck({operation: 'failover', where: 'near', state: 'done', victim: 'interrupt'})
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

async function struck(each: Case): Promise<Outcome> {
  const outcome = await session.run(each.operation, (plan) => strikeOf(each, plan, random))
  assert.ok(outcome.reached, `${each.operation} never came to ${JSON.stringify(outcome.strike)}`)
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

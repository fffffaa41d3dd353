import {ColoError, PreflightError, StateError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import {assess, authorityOf} from '../pair/assess.js'
import {nextGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import {planFailover} from '../plan/failover.js'
import type {OperationContext} from './context.js'
import {protectAgain} from './failover.js'
import {finalStatus} from './final-status.js'
import {Prober, type ProbeReport} from './prober.js'
import type {ProbeOnce, ProbeTarget} from './probe-target.js'
import {dryRunOf, type OperationResult, type TimelineEntry} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'

export interface TestFailoverOptions {
  readonly dryRun: boolean
  readonly timeoutMs: number
  readonly probes: readonly ProbeTarget[]
  readonly probe: ProbeOnce
  /** the ended primary becomes the new secondary afterwards */
  readonly resync: boolean
}

export interface TestFailoverResult extends OperationResult {
  readonly probes: readonly ProbeReport[]
  /** from the order to end the primary until the other copy was let go, milliseconds; by the hosts' own clocks */
  readonly takeOverMs?: number
}

/** How long a service that worked before may take to answer again, milliseconds. */
const comesBackMs = 30_000
const firstTriesMs = 5000

/**
 * Really ends the primary of a protected pair, as the death of its host would, lets the secondary take over, and says how long the service was
 * silent, seen from here. Then the pair is protected again.
 *
 * @throws {StateError} when the pair is not protected: then the test would be the disaster
 * @throws {PreflightError} when a probe fails before anything was done
 * @throws {ColoError} `probe-failed`, exit 11, when the service does not come back; the pair is left as it is then
 */
export async function testFailover(
  context: OperationContext,
  pair: string,
  options: TestFailoverOptions,
): Promise<TestFailoverResult> {
  const found = await findPair(context, pair)
  try {
    const {plan, from, to} = planFor(context, found)
    if (options.dryRun) return {...dryRunOf(plan), probes: []}
    await assertAnswers(pair, options)
    await context.confirm({
      text: `${pair}: the primary on ${from} is ENDED, as if its host had died; the copy on ${to} goes on.`,
      expected: pair,
    })
    const prober = new Prober(context.clock, options.probes, options.probe)
    let probes: readonly ProbeReport[] = []
    let timeline: readonly TimelineEntry[]
    try {
      timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
      await prober.allAnswer(comesBackMs)
    } finally {
      probes = await prober.stop()
    }
    assertCameBack(pair, to, probes)
    const status = await finalStatus(context, found)
    const done: OperationResult = {pair, changed: true, dryRun: false, plan, status, timeline}
    const takeOverMs = tookOverIn(timeline, {from, to})
    const result = options.resync ? await protectAgain(context, found, done) : done
    return {...result, probes, ...(takeOverMs === undefined ? {} : {takeOverMs})}
  } finally {
    found.close()
  }
}

function planFor(context: OperationContext, found: FoundPair) {
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const status = assess(pair, seen, context.clock.now())
  const {primary, other} = authorityOf(seen)
  if (status.state !== 'protected' || primary === undefined || other === undefined) {
    throw new StateError(
      `cannot test the failover of ${pair}: it is ${status.state}, so that nothing may be able to take over`,
      {actual: status.state, required: ['protected']},
      {hint: otherRemedy(status, `colo pair test-failover ${pair}`)},
    )
  }
  const [to, from] = [other.host, primary.host]
  const plan = planFailover({
    planId: context.newId(),
    identity: identityOf(other.record),
    to,
    from,
    role: 'secondary',
    generation: nextGeneration(other.record.generation, context.newId()),
    loserReachable: true,
    test: true,
  })
  return {plan, to, from}
}

/** A probe that fails before the test says nothing about it. */
async function assertAnswers(pair: string, options: TestFailoverOptions): Promise<void> {
  for (const target of options.probes) {
    try {
      await options.probe(target, firstTriesMs)
    } catch (error) {
      throw new PreflightError(
        'probe',
        `cannot test the failover of ${pair}: ${target.url} does not answer now: ${(error as Error).message}`,
        {
          hint: 'probes run from this machine; nothing was done',
          cause: error,
        },
      )
    }
  }
}

function assertCameBack(pair: string, host: string, probes: readonly ProbeReport[]): void {
  const silent = probes.filter(({answers}) => !answers)
  const [first] = silent
  if (first === undefined) return
  const list = silent.map(({url, problem}) => `${url} (${problem ?? 'no answer'})`).join(', ')
  throw new ColoError('probe-failed', exitCodes.degraded, `${pair} goes on on ${host}, but does not answer: ${list}`, {
    hint: `look at the guest on ${host}; when it is well: colo pair resync ${pair}`,
  })
}

function tookOverIn(timeline: readonly TimelineEntry[], {from, to}: {from: string; to: string}): number | undefined {
  const died = timeline.find(({host, step}) => step === `${from}/die` && host === from)
  const promoted = timeline.find(({host, step}) => step === `${to}/promote` && host === to)
  if (died === undefined || promoted === undefined) return undefined
  return Math.max(0, promoted.atMs - (died.atMs - died.tookMs))
}

import {RefusedError, SplitBrainError, StateError} from '../errors.js'
import {assess, knownOf, type Known} from '../pair/assess.js'
import {nextGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import {decideStart} from '../pair/start-rules.js'
import {planStart} from '../plan/start.js'
import type {OperationContext} from './context.js'
import {finalStatus} from './final-status.js'
import {memberXmlOf} from './member-xml.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'

/** The word that accepts that what was only in the overlays is lost, as with a scratch that did not survive its host. */
const lostOverlays = 'overlays-lost'

export interface StartOptions {
  /** host that may start although its peer does not answer */
  readonly alone?: string | undefined
  readonly dryRun: boolean
  readonly force: readonly string[]
  readonly timeoutMs: number
}

/**
 * Starts the copy that the start rules name, alone; `colo pair resync` then protects it. Overlays of an interrupted commit are merged
 * first, so that every acknowledged write is there.
 *
 * @throws {RefusedError} when no copy may start; {SplitBrainError} when both went on alone
 */
export async function startPair(
  context: OperationContext,
  pair: string,
  options: StartOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const chosen = await choose(context, found, options)
    const {record} = chosen.member
    const identity = identityOf(record)
    const plan = planStart({
      planId: context.newId(),
      identity,
      host: record.host,
      peer: record.peer,
      generation: nextGeneration(record.generation, context.newId()),
      unmerged: record.marks.incomplete?.disks,
      mergeOverlays: chosen.merge && !options.force.includes(lostOverlays),
      xml: await memberXmlOf(identity, undefined),
    })
    if (options.dryRun) return dryRunOf(plan)
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    return {pair, changed: true, dryRun: false, plan, status: await finalStatus(context, found), timeline}
  } finally {
    found.close()
  }
}

async function choose(
  context: OperationContext,
  found: FoundPair,
  options: StartOptions,
): Promise<{member: Known; merge: boolean}> {
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const known = knownOf(seen)
  const running = known.find(({domain}) => domain !== 'absent')
  if (running !== undefined) {
    const {state} = assess(pair, seen, context.clock.now())
    throw new StateError(
      `cannot start ${pair}: a copy runs on ${running.host}`,
      {actual: state, required: ['stopped', 'failed']},
      {hint: `colo pair status ${pair}`},
    )
  }
  if (options.alone !== undefined && !options.dryRun) {
    await context.confirm({
      text: `${pair} starts on ${options.alone} although its peer does not answer. If the peer went on alone, its writes are lost.`,
      expected: pair,
      force: 'peer-unknown',
    })
  }
  const decision = decideStart({
    pair,
    records: known.map(({record}) => record),
    silent: found.sides.flatMap((side) => ('problem' in side ? [side.host] : [])),
    alone: options.alone,
  })
  if ('refuse' in decision) {
    const message = `cannot start ${pair}: ${decision.refuse}`
    throw decision.splitBrain
      ? new SplitBrainError(message, {hint: decision.hint})
      : new RefusedError(message, {hint: decision.hint})
  }
  const member = known.find(({host}) => host === decision.start)
  if (member === undefined) throw new Error(`the start rules named ${decision.start}, which was not asked`)
  if (decision.merge && options.force.includes(lostOverlays) && !options.dryRun) {
    await context.confirm({
      text: `${pair} starts on ${member.host} without its overlays: what its guest wrote before they were merged is lost.`,
      expected: pair,
      force: lostOverlays,
    })
  }
  return {member, merge: decision.merge}
}

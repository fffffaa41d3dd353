import {RefusedError, StateError, UsageError} from '../errors.js'
import {assess, authorityOf, knownOf, type Known} from '../pair/assess.js'
import {mergedGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import {faultText} from '../pair/start-rules.js'
import {planResolve} from '../plan/resolve.js'
import type {OperationContext} from './context.js'
import {finalStatus} from './final-status.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'

export interface ResolveOptions {
  /** host whose copy is given up */
  readonly discard: string
  readonly dryRun: boolean
  readonly timeoutMs: number
}

/**
 * Ends a split-brain by the operator's word: the copy on the named host is given up, the other one goes on, or can be started. Nothing is
 * copied; that is what a resync is for.
 *
 * @throws {StateError} when the pair is not split-brain
 * @throws {RefusedError} when one record cannot be read, or the other copy is not worth keeping
 */
export async function resolvePair(
  context: OperationContext,
  pair: string,
  options: ResolveOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const {keep, discard} = choose(context, found, options.discard)
    const loss = lossText(keep, discard)
    const plan = planResolve({
      planId: context.newId(),
      identity: identityOf(keep.record),
      keep: keep.host,
      discard: discard.host,
      generation: keep.record.alone
        ? mergedGeneration(keep.record.generation, discard.record.generation, context.newId())
        : undefined,
      stale: `discarded by ${context.owner}; the copy on ${keep.host} was kept`,
    })
    if (options.dryRun) return dryRunOf(plan)
    await context.confirm({text: loss, expected: pair})
    context.progress.note(loss)
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    return {pair, changed: true, dryRun: false, plan, status: await finalStatus(context, found), timeline}
  } finally {
    found.close()
  }
}

function choose(context: OperationContext, found: FoundPair, named: string): {keep: Known; discard: Known} {
  const {pair, sides} = found
  const seen = sides.map(seenOf)
  const known = knownOf(seen)
  if (!sides.some(({host}) => host === named)) {
    const names = sides.map(({host}) => host).join(' and ')
    throw new UsageError(`${named} is no host of ${pair}; its hosts are ${names}`)
  }
  const discard = known.find(({host}) => host === named)
  const keep = known.find(({host}) => host !== named)
  if (discard === undefined || keep === undefined) {
    const missing = sides.find(({host}) => !known.some((member) => member.host === host))?.host ?? 'one host'
    throw new RefusedError(
      `cannot resolve ${pair}: ${missing} gives no record, and without it nothing can be given up`,
      {
        hint: `bring it back first: colo pair status ${pair}`,
      },
    )
  }
  if (!authorityOf(seen).splitBrain && !isBegun(discard, keep)) {
    const status = assess(pair, seen, context.clock.now())
    const {state} = status
    const hint = otherRemedy(status, `colo pair resolve ${pair} --discard ${named}`)
    throw new StateError(
      `nothing to resolve: ${pair} is ${state}, not split-brain`,
      {actual: state, required: ['split-brain']},
      {hint},
    )
  }
  refuseOnlyCopy(pair, keep, discard)
  return {keep, discard}
}

/** A resolve that was cut off after its point of no return. */
function isBegun(...members: readonly Known[]): boolean {
  return members.some(({intent, lock}) => intent?.kind === 'resolve' && intent.committed && lock === undefined)
}

/** What is kept must be worth it: otherwise the last good copy would be given up. */
function refuseOnlyCopy(pair: string, keep: Known, discard: Known): void {
  const {stale, incomplete} = keep.record.marks
  const [fault] = keep.copyFaults ?? []
  const why =
    stale ??
    (incomplete?.why === 'resync' ? incomplete.detail : undefined) ??
    (fault === undefined ? undefined : faultText(keep.host, fault))
  if (why === undefined) return
  throw new RefusedError(
    `cannot discard the copy of ${pair} on ${discard.host}: it is the only one, the copy on ${keep.host} is of no use (${why})`,
    {hint: `colo pair status ${pair}`},
  )
}

/** What nobody gets back afterwards. */
function lossText(keep: Known, discard: Known): string {
  const {host, record, checkpoints, domain, atMs} = discard
  const {lastAtMs} = checkpoints
  const since =
    lastAtMs === undefined
      ? `its last checkpoint is not known; its record was last changed ${at(record.updatedAtMs)}`
      : `its last checkpoint was ${at(lastAtMs)}, ${Math.round((atMs - lastAtMs) / 1000)} s ago`
  return (
    `The copy on ${host} (generation ${record.generation.epoch}, ${domain === 'absent' ? 'not running' : domain}) is discarded: ${since}. ` +
    `What its guest wrote and its clients were told since then is lost. ` +
    `The copy on ${keep.host} (generation ${keep.record.generation.epoch}, ${keep.domain === 'absent' ? 'not running' : keep.domain}) is kept.`
  )
}

function at(ms: number): string {
  return new Date(ms).toISOString()
}

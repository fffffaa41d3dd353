import {isDeepStrictEqual} from 'node:util'
import {pairObject} from '../config/pair-document.js'
import {specDifferences, withChanges, type Scalar, type SpecDifference} from '../config/spec-differences.js'
import {ConflictError, NotFoundError, StateError} from '../errors.js'
import {assess, authorityOf, knownOf, type Known} from '../pair/assess.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import type {PairSpec} from '../pair/spec.js'
import type {PairState, PairStatus} from '../pair/status.js'
import {planApply} from '../plan/apply.js'
import type {OperationContext} from './context.js'
import {createPair} from './create.js'
import {failoverPair} from './failover.js'
import {finalStatus} from './final-status.js'
import type {OperationResult} from './result.js'
import {isCutOff, isOnlyInterrupted} from './interruption.js'
import {resyncPair} from './resync.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, UnseenPairError, type FoundPair} from './sides.js'
import {startPair} from './start.js'

export interface ApplyOptions {
  readonly dryRun: boolean
  /** the copies are moved to where the file says */
  readonly move: boolean
  /** a pair that does not run is started, and one that is not protected is protected */
  readonly start: boolean
  readonly yes: boolean
  readonly force: readonly string[]
  readonly timeoutMs: number
}

/** Where the copies are, and where the file says. */
export interface Placement {
  readonly primary: string
  readonly secondary: string
}

export interface ApplyResult {
  readonly pair: string
  readonly changed: boolean
  readonly dryRun: boolean
  /** what was done, or would be, in order: `create`, `change`, `move`, `start`, `resync` */
  readonly did: readonly string[]
  /** the spec as a file would say it; null: there was no such pair */
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>>
  readonly differences: readonly SpecDifference[]
  /** only when the copies are not where the file says */
  readonly placement?: {readonly before: Placement; readonly wanted: Placement}
  readonly state?: PairState
}

/**
 * Makes a pair as its file says, and nothing when it is so already: creates it when there is none, changes what can be changed. Where the copies
 * are is changed only with `move`, whether they run only with `start`.
 *
 * @throws {ConflictError} with every field that cannot be changed for a pair that exists, or not while it runs
 */
export async function applyPair(
  context: OperationContext,
  spec: PairSpec,
  options: ApplyOptions,
): Promise<ApplyResult> {
  const pair = spec.name
  const found = await findOrNone(context, pair)
  if (found === undefined) return created(spec, options, await createPair(context, spec, options))
  try {
    const known = knownOf(found.sides.map(seenOf))
    if (known.some(({intent, lock}) => intent?.kind === 'create' && lock === undefined)) {
      return created(spec, options, await createPair(context, spec, options))
    }
    return await converge(context, found, {spec, known, options})
  } finally {
    found.close()
  }
}

async function findOrNone(context: OperationContext, pair: string): Promise<FoundPair | undefined> {
  try {
    return await findPair(context, pair)
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof UnseenPairError) return undefined
    throw error
  }
}

function created(spec: PairSpec, {dryRun}: ApplyOptions, {changed, status}: OperationResult): ApplyResult {
  const after = pairObject(spec)
  const state = status === undefined ? {} : {state: status.state}
  return {
    pair: spec.name,
    changed,
    dryRun,
    did: changed ? ['create'] : [],
    before: null,
    after,
    differences: [],
    ...state,
  }
}

interface Wanted {
  readonly spec: PairSpec
  readonly known: readonly Known[]
  readonly options: ApplyOptions
}

async function converge(context: OperationContext, found: FoundPair, wanted: Wanted): Promise<ApplyResult> {
  const {spec, known, options} = wanted
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const status = assess(pair, seen, context.clock.now())
  const {primary, other, splitBrain} = authorityOf(seen)
  const leader = primary ?? other
  if (leader === undefined) throw new Error('a pair was found without a record')
  const before = leader.record.spec
  const differences = differencesOf(known, spec)
  refuseBlocked(pair, differences, known)
  const after = withChanges(before, spec, differences)
  const placement = placementOf(status, spec)
  const did = [
    // one that was cut off is done again, though both records may say already what the file says: its note is left
    ...(differences.length > 0 || isCutOff(known, 'apply') ? ['change'] : []),
    ...(placement !== undefined && options.move ? ['move'] : []),
    ...(options.start && !runs(status) ? ['start'] : []),
    ...(options.start && status.state !== 'protected' ? ['resync'] : []),
  ]
  if (did.length > 0 && splitBrain) {
    throw new StateError(
      `cannot apply to ${pair}: both copies went on alone (split-brain)`,
      {actual: 'split-brain', required: ['protected', 'unprotected', 'stopped']},
      {hint: `colo pair resolve ${pair} --discard HOST`},
    )
  }
  if (did.includes('move') && placement !== undefined) refuseMove(pair, placement, status)
  if (!options.dryRun) {
    if (did.includes('change')) await change(context, found, {leader, status, after, options})
    if (did.includes('move')) await failoverPair(context, pair, {...options, to: spec.hosts.primary, resync: true})
    if (did.includes('start')) await startPair(context, pair, options)
    if (did.includes('resync')) await resyncPair(context, pair, options)
  }
  const last = options.dryRun || did.length === 0 ? status : await statusNow(context, pair)
  return {
    pair,
    changed: did.length > 0,
    dryRun: options.dryRun,
    did,
    before: pairObject(before),
    after: pairObject(after),
    differences,
    ...(placement === undefined ? {} : {placement}),
    state: last.state,
  }
}

/** Of either record: when an earlier apply died between the two they are not the same. */
function differencesOf(known: readonly Known[], spec: PairSpec): SpecDifference[] {
  const fields = new Map<string, SpecDifference>()
  for (const {record} of known) {
    const hosts = [record.host, record.peer]
    for (const each of specDifferences(record.spec, spec, hosts))
      if (!fields.has(each.field)) fields.set(each.field, each)
  }
  return [...fields.values()]
}

/** @throws {ConflictError} that names every field */
function refuseBlocked(pair: string, differences: readonly SpecDifference[], known: readonly Known[]): void {
  const isRunning = known.some(({domain}) => domain !== 'absent')
  const blocked = differences.filter(({how}) => how === 'fixed' || (how === 'stopped' && isRunning))
  const [first] = blocked
  if (first === undefined) return
  const line = ({field, before, after, how}: SpecDifference): string =>
    `${field}: ${shown(before)} -> ${shown(after)} (${how === 'fixed' ? 'cannot be changed' : `needs a stop: colo pair stop ${pair}`})`
  throw new ConflictError(
    `cannot apply to ${pair}: ${first.field} ${first.how === 'fixed' ? 'of a pair that exists cannot be changed' : 'cannot be changed while its guest runs'}`,
    {hint: [...blocked.map(line), 'nothing was changed'].join('\n')},
  )
}

function shown(value: Scalar | undefined): string {
  return value === undefined ? 'nothing' : String(value)
}

function placementOf({primary, secondary}: PairStatus, {hosts}: PairSpec): ApplyResult['placement'] {
  if (primary === undefined || secondary === undefined) return undefined
  const before = {primary, secondary}
  const wanted = {primary: String(hosts.primary), secondary: String(hosts.secondary)}
  return isDeepStrictEqual(before, wanted) ? undefined : {before, wanted}
}

/** Only the two that are there can change places; another host takes a copy of everything first. */
function refuseMove(pair: string, {before, wanted}: NonNullable<ApplyResult['placement']>, {state}: PairStatus): void {
  if (before.primary !== wanted.secondary || before.secondary !== wanted.primary) {
    throw new ConflictError(
      `cannot move ${pair}: it is on ${before.primary} and ${before.secondary}, the file says ${wanted.primary} and ${wanted.secondary}`,
      {
        hint: `apply only lets the two change places; take another host first: colo pair replace ${pair} --secondary HOST`,
      },
    )
  }
  if (state === 'protected') return
  throw new StateError(
    `cannot move ${pair} to ${wanted.primary}: it is ${state}`,
    {actual: state, required: ['protected']},
    {hint: `colo pair resync ${pair}`},
  )
}

function runs({state}: PairStatus): boolean {
  return state !== 'stopped' && state !== 'failed'
}

interface Change {
  readonly leader: Known
  readonly status: PairStatus
  readonly after: PairSpec
  readonly options: ApplyOptions
}

async function change(
  context: OperationContext,
  found: FoundPair,
  {leader, status, after, options}: Change,
): Promise<void> {
  const silent = found.sides.find((side) => 'problem' in side)
  if (silent !== undefined && 'problem' in silent) throw silent.problem // both records must say the same
  const inLockStep = leader.vm?.coloMode === 'primary'
  if (inLockStep && status.state === 'suspect' && !isOnlyInterrupted(status)) {
    throw new StateError(
      `cannot apply to ${found.pair} now: it is suspect, and a new interval begins with a checkpoint`,
      {actual: status.state, required: ['protected', 'unprotected', 'stopped']},
      {hint: otherRemedy(status, 'colo pair apply -f FILE')},
    )
  }
  const known = knownOf(found.sides.map(seenOf))
  const plan = planApply({
    planId: context.newId(),
    identity: identityOf(leader.record),
    after,
    primary: leader.host,
    secondary: leader.record.peer,
    running: known.flatMap(({host, domain}) => (domain === 'absent' ? [] : [host])),
    inLockStep,
  })
  await runPlan(context, clientsOf(found.sides), plan, {timeoutMs: options.timeoutMs, premise: found.sides})
}

async function statusNow(context: OperationContext, pair: string): Promise<PairStatus> {
  const found = await findPair(context, pair)
  try {
    return await finalStatus(context, found)
  } finally {
    found.close()
  }
}

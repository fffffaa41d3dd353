import {RefusedError, SplitBrainError, StateError, UsageError} from '../errors.js'
import {assess, knownOf, type Known} from '../pair/assess.js'
import {nextGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import type {PairStatus} from '../pair/status.js'
import {acceptWords, decideStart, faultText, type StartDecision} from '../pair/start-rules.js'
import type {Plan} from '../plan/plan.js'
import {planStart} from '../plan/start.js'
import {planStartBoth} from '../plan/start-both.js'
import type {OperationContext} from './context.js'
import {finalStatus, settle} from './final-status.js'
import {forgetInterruption, isCutOff, isOnlyInterrupted} from './interruption.js'
import {memberXmlOf} from './member-xml.js'
import {unlessPoweredOff} from './powered-off.js'
import {dryRunOf, type OperationResult} from './result.js'
import {mustBeProtected, settleMs} from './resync.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf, type FoundPair} from './sides.js'
import {xenStartPlan} from './xen/life.js'

export interface StartOptions {
  /** host that may start although its peer does not answer */
  readonly alone?: string | undefined
  /** host whose copy is wanted, where either may start */
  readonly on?: string | undefined
  readonly dryRun: boolean
  /** `image-replaced`, `overlays-lost`: what is wrong with the files of the copy is accepted; `peer-unknown` answers for `--alone` */
  readonly force: readonly string[]
  readonly timeoutMs: number
}

/** QEMU on a host takes a moment to tell what it can do. */
const factsMs = 30_000

type Granted = Extract<StartDecision, {start: string}>

/**
 * Starts the copy that the start rules name, alone; `colo pair resync` then protects it. Overlays of an interrupted commit are merged
 * first, so that every acknowledged write is there. A start that was cut off after its point of no return is finished. Nothing to do when the copy
 * that may run does.
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
    const seen = found.sides.map(seenOf)
    const known = knownOf(seen)
    refuseStrangers(found, options)
    if (isOnlyInterrupted(assess(pair, seen, context.clock.now())) && isCutOff(known, 'start')) {
      return await forgetInterruption(context, found, nothingLeft(context, pair), options)
    }
    const status = runsAlready(context, found, options)
    if (status !== undefined) {
      const plan = nothingLeft(context, pair)
      return {pair, changed: false, dryRun: options.dryRun, plan, status, timeline: []}
    }
    const stale = runningStale(context, found, {known, alone: options.alone, on: options.on})
    const decision = decide(found, known, options)
    const member = known.find(({host}) => host === decision.start)
    if (member === undefined) throw new Error(`the start rules named ${decision.start}, which was not asked`)
    if (!options.dryRun) await confirmRisks(context, {member, decision, given: options.force})
    if (decision.equal) return await startBoth(context, {found, known, member}, options)
    const {record} = member
    const identity = identityOf(record)
    const merged = toMerge(member, decision, options.force)
    const plan =
      identity.spec.engine === 'xen'
        ? await xenStartPlan(context, member)
        : planStart({
            planId: context.newId(),
            identity,
            host: record.host,
            peer: record.peer,
            generation: isBegun(member, known) ? record.generation : nextGeneration(record.generation, context.newId()),
            unmerged: merged,
            suspended: record.marks.suspended,
            mergeOverlays: merged.length > 0,
            endPeer: stale !== undefined,
            accepted: [...new Set(decision.accepted.map(({kind}) => kind))],
            xml: await memberXmlOf(identity, undefined),
          })
    if (options.dryRun) return dryRunOf(plan)
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    return {pair, changed: true, dryRun: false, plan, status: await finalStatus(context, found), timeline}
  } finally {
    found.close()
  }
}

function refuseStrangers({pair, sides}: FoundPair, {alone, on}: StartOptions): void {
  const named = alone ?? on
  if (named === undefined || sides.some(({host}) => host === named)) return
  const names = sides.map(({host}) => host).join(' and ')
  throw new UsageError(`${named} is no host of ${pair}; its hosts are ${names}`)
}

/** Its state, when the copy that was asked for, or any that may, runs already and nothing was left unfinished. */
function runsAlready(
  context: OperationContext,
  {pair, sides}: FoundPair,
  {alone, on}: StartOptions,
): PairStatus | undefined {
  const status = assess(pair, sides.map(seenOf), context.clock.now())
  const named = alone ?? on
  const runs = status.state === 'protected' || status.state === 'unprotected'
  const isWanted = named === undefined || named === status.primary
  return runs && isWanted && !status.reasons.some(({code}) => code === 'interrupted') ? status : undefined
}

/** What an earlier start was for is there. */
function nothingLeft(context: OperationContext, pair: string): Plan {
  const again = {title: `start ${pair}`, finish: `colo pair start ${pair}`}
  return {id: context.newId(), kind: 'start', pair, ...again, steps: []}
}

function decide(found: FoundPair, known: readonly Known[], {alone, on, force}: StartOptions): Granted {
  const {pair, sides} = found
  const decision = decideStart({
    pair,
    records: known.map(({record}) => record),
    silent: sides.flatMap((side) => ('problem' in side ? [side.host] : [])),
    alone,
    on,
    atRest: known.flatMap((member) => (member.atRest === true || isLeftOver(member) ? [member.host] : [])),
    faults: new Map(known.map(({host, copyFaults = []}) => [host, copyFaults])),
    force,
  })
  if ('start' in decision) return decision
  const message = `cannot start ${pair}: ${decision.refuse}`
  throw decision.splitBrain
    ? new SplitBrainError(message, {hint: decision.hint})
    : new RefusedError(message, {hint: decision.hint})
}

/**
 * Starts two equal copies, protected from the guest's first instruction on; nothing is copied.
 *
 * @throws {ColoError} `not-protected` when the verification finds a fault after all steps
 */
async function startBoth(
  context: OperationContext,
  {found, known, member}: {readonly found: FoundPair; readonly known: readonly Known[]; readonly member: Known},
  options: StartOptions,
): Promise<OperationResult> {
  const {pair, sides} = found
  const {record} = member
  const identity = identityOf(record)
  const clients = clientsOf(sides)
  const facts = await clients.get(record.peer)?.call('host.facts', {want: ['qemu']}, {timeoutMs: factsMs})
  const plan = planStartBoth({
    planId: context.newId(),
    identity,
    primary: record.host,
    secondary: record.peer,
    generation: nextGeneration(record.generation, context.newId()),
    leftOver: known.some(isLeftOver),
    xml: await memberXmlOf(identity, facts?.qemu?.version),
  })
  if (options.dryRun) return dryRunOf(plan)
  return await unlessPoweredOff(context, found, `protect ${pair}`, async () => {
    const timeline = await runPlan(context, clients, plan, {...options, premise: sides})
    const status = await settle(context, found, {states: ['protected'], timeoutMs: settleMs})
    mustBeProtected(pair, status.state, status.reasons)
    return {pair, changed: true, dryRun: false, plan, status, timeline}
  })
}

/** Its taps are down, and it never may take over: it is replaced by the next resync. */
function isBeingCopied({record}: Known): boolean {
  return record.marks.incomplete?.why === 'resync'
}

/** A start of two equal copies was cut off before its guest ran: a QEMU is there, and the record still says that it was stopped cleanly. */
function isLeftOver({record, intent, lock, domain}: Known): boolean {
  return record.clean && domain !== 'absent' && intent?.kind === 'start' && !intent.committed && lock === undefined
}

/**
 * A start was cut off after QEMU was there, or only its note was left behind on one of the hosts. The record says that the copy goes on
 * alone, so nothing new is granted; an agent that died right after that record had no time to note the step as done.
 */
function isBegun({record, domain}: Known, known: readonly Known[]): boolean {
  const {alone, marks} = record
  const isCutOff = known.some(({intent, lock}) => intent?.kind === 'start' && lock === undefined)
  return isCutOff && alone && marks.stale === undefined && marks.incomplete === undefined && domain !== 'absent'
}

/**
 * A copy that runs keeps every other from being started, but for one that is stale: its taps are down, and it is ended.
 *
 * @returns the stale copy
 */
function runningStale(
  context: OperationContext,
  {pair, sides}: FoundPair,
  {known, alone, on}: Pick<StartOptions, 'alone' | 'on'> & {readonly known: readonly Known[]},
): Known | undefined {
  const running = known.filter(({domain}) => domain !== 'absent')
  const isStale = ({record}: Known): boolean => record.marks.stale !== undefined
  const rival = running.find(
    (member) => !isStale(member) && !isBegun(member, known) && !isLeftOver(member) && !isBeingCopied(member),
  )
  if (rival === undefined) return running.find(isStale)
  const status = assess(pair, sides.map(seenOf), context.clock.now())
  const named = alone ?? on
  if (named !== undefined && status.state === 'protected') {
    throw new StateError(
      `cannot start ${pair} on ${named}: it runs, and its primary is on ${status.primary}`,
      {actual: status.state, required: ['stopped', 'failed']},
      {hint: `colo pair failover ${pair} --to ${named}`},
    )
  }
  throw new StateError(
    `cannot start ${pair}: a copy runs on ${rival.host}`,
    {actual: status.state, required: ['stopped', 'failed']},
    {hint: otherRemedy(status, `colo pair start ${pair}`)},
  )
}

/** Disks whose overlays are merged first; none when the operator gave up what is in them. */
function toMerge({record}: Known, {merge, accepted}: Granted, force: readonly string[]): readonly string[] {
  if (!merge) return []
  const unmerged = record.marks.incomplete?.disks ?? record.spec.disks.map(({name}) => name)
  if (!force.includes(acceptWords.overlays)) return unmerged
  const lost = accepted.filter(({kind}) => kind === 'overlays-lost').map(({disk}) => disk)
  return lost.length === 0 ? [] : unmerged.filter((name) => !lost.includes(name))
}

/** What only a person can answer for, each by its own word. */
async function confirmRisks(
  context: OperationContext,
  {member, decision, given}: {readonly member: Known; readonly decision: Granted; readonly given: readonly string[]},
): Promise<void> {
  const {host, record} = member
  const pair = record.spec.name
  const ask = (text: string, force: string): Promise<void> => context.confirm({text, expected: pair, force})
  if (decision.unproven) {
    const {peer, generation, clean, updatedAtMs} = record
    const last = `${clean ? 'stopped cleanly' : 'in lock-step'} in generation ${generation.epoch}, noted ${new Date(updatedAtMs).toISOString()}`
    await ask(
      `${pair} starts on ${host} although nothing is known of its copy on ${peer}. ${host} was last ${last}.\n` +
        `If ${peer} went on alone since, what its clients were told is lost.`,
      'peer-unknown',
    )
  }
  const files = decision.accepted.filter(({kind}) => kind !== 'overlays-lost').map((fault) => faultText(host, fault))
  if (files.length > 0) await ask(`${pair} starts on ${host} although ${files.join('; ')}.`, acceptWords.image)
  if (!decision.merge || !given.includes(acceptWords.overlays)) return
  await ask(
    `${pair} starts on ${host} without its overlays: what its guest wrote before they were merged is lost.`,
    acceptWords.overlays,
  )
}

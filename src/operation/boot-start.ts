import {ColoError, isConflict, TimedOutError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import type {AgentClient} from '../host/agent-client.js'
import {decideBoot, type BootDecision} from '../pair/boot-rules.js'
import {nextGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import type {HostEntry} from '../pair/inventory.js'
import type {MemberObservation} from '../pair/observation.js'
import type {PairRecord} from '../pair/record.js'
import {planStart} from '../plan/start.js'
import type {OperationContext} from './context.js'
import {memberXmlOf} from './member-xml.js'
import type {RejoinOutcome} from './rejoin.js'
import {runPlan} from './run-plan.js'

export interface BootOptions {
  /** the host itself; its agent is the only one that is asked */
  readonly host: HostEntry
  readonly signal: AbortSignal
  /** one line for the agent's own log */
  readonly tell: (text: string) => void
  /** makes this host's outdated copy the secondary of the one that runs on the other host; see `rejoin.ts` */
  readonly rejoin: (pair: string) => Promise<RejoinOutcome>
}

const lookEveryMs = 1000
const startLimitMs = 300_000
/** Right after a boot libvirt may not be there yet, or ssh to the other host: tried so often, with this pause. */
const attempts = 6
const rejoinAttempts = 24
const pauseMs = 5000

/**
 * Starts the copies of this host that the start rules allow, after a boot, with nobody at the keyboard: by the same plan as `colo pair
 * start`, over this host's agent alone. What the peer says comes from its agent over the replication link; no other host is connected to.
 *
 * A copy that is outdated is made the secondary again, by the plan of `colo pair resync`, one pair at a time; no start waits for that.
 *
 * Settles when every pair is started, protected or left, or the signal aborts; a pair whose peer is silent is asked about once a second.
 */
export async function startAfterBoot(context: OperationContext, options: BootOptions): Promise<void> {
  const {signal, host} = options
  const client = await context.connect(host, signal)
  const failures = new Map<string, number>()
  const rejoining: Rejoining = {work: undefined}
  try {
    for (;;) {
      const {waiting} = await client.call('boot.read', {}, {timeoutMs: 60_000, signal})
      if (waiting.length === 0) return
      for (const pair of waiting) await lookInTime(context, client, {pair, failures, rejoining, ...options})
      await context.clock.sleep(lookEveryMs, signal)
    }
  } finally {
    await rejoining.work
    client.close()
  }
}

/** The one resync that runs; it never rejects. */
interface Rejoining {
  work: Promise<void> | undefined
}

interface Look extends BootOptions {
  readonly pair: string
  /** attempts that failed, by pair */
  readonly failures: Map<string, number>
  readonly rejoining: Rejoining
}

/** Right after a boot an agent may be slow to answer about one pair; that keeps no other from being started. */
async function lookInTime(context: OperationContext, client: AgentClient, at: Look): Promise<void> {
  try {
    await look(context, client, at)
  } catch (error) {
    if (!(error instanceof TimedOutError) || at.signal.aborted) throw error
    at.tell(`${at.pair}: not looked at yet: ${error.message}`)
  }
}

async function look(context: OperationContext, client: AgentClient, at: Look): Promise<void> {
  const {pair, signal} = at
  const {members} = await client.call('pairs.observe', {pair}, {signal})
  const [member] = members
  const record = member?.record
  const note = async (boot: MemberObservation['boot']): Promise<void> => {
    await client.call('boot.note', boot === undefined ? {pair} : {pair, boot}, {signal})
  }
  if (member === undefined || record === undefined || member.domain !== 'absent') return note(undefined)
  if (member.lock !== undefined) return
  const decision = decide(member, record)
  if (decision.kind === 'rejoin') {
    if (at.rejoining.work !== undefined) return
    at.rejoining.work = rejoin(context, at, note).finally(() => {
      at.rejoining.work = undefined
    })
    return
  }
  if (decision.kind !== 'start') return note({kind: decision.kind, why: decision.why})
  try {
    await start(context, client, {member, record, decision})
    at.tell(`${pair}: started after the boot: ${decision.why}`)
    await note(undefined)
  } catch (error) {
    if (!(error instanceof ColoError) || signal.aborted) throw error
    if (isConflict(error)) return // somebody else is at it
    const failed = (at.failures.get(pair) ?? 0) + 1
    at.failures.set(pair, failed)
    const isFinal = error.exit === exitCodes.refused || failed === attempts
    at.tell(`${pair}: not started after the boot: ${error.message}`)
    await note({kind: isFinal ? 'leave' : 'wait', why: error.message})
    if (!isFinal) await context.clock.sleep(pauseMs, signal)
  }
}

/** In the background; what comes of it is noted. */
async function rejoin(
  context: OperationContext,
  {pair, signal, failures, tell, rejoin: run}: Look,
  note: (boot: MemberObservation['boot']) => Promise<void>,
): Promise<void> {
  try {
    const outcome = await run(pair)
    if (outcome.kind === 'protected') {
      tell(`${pair}: protected again after the boot`)
      return await note(undefined)
    }
    const failed = (failures.get(pair) ?? 0) + (outcome.kind === 'failed' ? 1 : 0)
    failures.set(pair, failed)
    const isFinal = outcome.kind === 'refused' || failed === rejoinAttempts
    if (outcome.kind !== 'busy') tell(`${pair}: not protected again after the boot: ${outcome.why}`)
    await note({kind: isFinal ? 'leave' : 'wait', why: outcome.why})
    if (!isFinal) await context.clock.sleep(pauseMs, signal)
  } catch (error) {
    if (signal.aborted) return
    const why = (error as Error).message
    tell(`${pair}: not protected again after the boot: ${why}`)
    // a bug would come again every second; when even the note fails, the loop ends with the agent's answers
    await note({kind: 'leave', why}).catch(() => undefined)
  }
}

/**
 * An agent's word to its peer says nothing of Xen's domains: the other side may hold a copy with the guest's memory that waits for its grant,
 * which is worth more than a guest that boots anew.
 */
function whyXenIsLeft({spec, peer}: PairRecord): string {
  const {name} = spec
  return `a Xen pair is not started after a boot: ${peer} may hold a copy that can take over; see \`colo pair status ${name}\`, then \`colo pair failover ${name}\` or \`colo pair start ${name}\``
}

/** An interrupted plan that was to end or make the pair is for a person to finish; every other is overtaken by the start rules. */
function decide({intent, peer, atMs, copyFaults = []}: MemberObservation, record: PairRecord): BootDecision {
  if (record.spec.engine === 'xen') return {kind: 'leave', why: whyXenIsLeft(record)}
  const unfinished = intent !== undefined && ['destroy', 'stop', 'disk'].includes(intent.kind)
  const decision = decideBoot({record, peer, nowMs: atMs, faults: copyFaults})
  // a new secondary is made over whatever a resync has left, and over nothing else
  const isLeft = decision.kind === 'rejoin' && intent !== undefined && intent.kind !== 'resync'
  if (unfinished || isLeft || (intent?.kind === 'create' && !intent.committed)) {
    return {kind: 'leave', why: `it was interrupted: ${intent.title}; finish it: ${intent.finish}`}
  }
  return decision
}

async function start(
  context: OperationContext,
  client: AgentClient,
  {member, record, decision}: {member: MemberObservation; record: PairRecord; decision: BootDecision & {kind: 'start'}},
): Promise<void> {
  const identity = identityOf(record)
  const plan = planStart({
    planId: context.newId(),
    identity,
    host: record.host,
    peer: record.peer,
    generation: nextGeneration(record.generation, context.newId()),
    unmerged: record.marks.incomplete?.disks,
    mergeOverlays: decision.merge,
    accepted: [],
    xml: await memberXmlOf(identity, undefined),
  })
  await runPlan(context, new Map([[record.host, client]]), plan, {
    timeoutMs: startLimitMs,
    premise: [{host: record.host, client, member}],
  })
}

import {ColoError, NotFoundError} from '../errors.js'
import {assess, authorityOf, knownOf, type Known} from '../pair/assess.js'
import type {Role} from '../pair/record.js'
import {step} from '../plan/parts/steps.js'
import type {Plan} from '../plan/plan.js'
import type {OperationContext} from './context.js'
import {failoverPair} from './failover.js'
import {settle} from './final-status.js'
import {runPlan} from './run-plan.js'
import {clientsOf, entryOf, findPair, seenOf, type FoundPair} from './sides.js'
import {stopPair} from './stop.js'

export interface DrainOptions {
  readonly dryRun: boolean
  /** a guest whose copy is the only one is stopped cleanly, to be started again when the host is back */
  readonly stop: boolean
  /** limit for each pair, milliseconds */
  readonly timeoutMs: number
}

/** What became of one pair's copy on the drained host. */
export interface DrainedPair {
  readonly pair: string
  readonly role: Role
  /** `left`: its copy still runs there, `why` says what kept it */
  readonly outcome: 'failed-over' | 'secondary-ended' | 'stopped' | 'not-running' | 'left'
  /** host that goes on */
  readonly to?: string
  readonly why?: string
}

export interface DrainResult {
  readonly host: string
  readonly changed: boolean
  readonly dryRun: boolean
  readonly pairs: readonly DrainedPair[]
}

const listLimitMs = 10_000

/**
 * Moves everything off a host that is about to be shut down: of each pair in lock-step there the other host goes on alone, by a planned
 * failover where the primary is here, so that no guest stops and no primary is left waiting for a secondary that is gone. A copy that is
 * the only one cannot be moved; it is left and named, or with `stop` stopped cleanly.
 *
 * @throws {UnreachableError} when the host's agent does not answer
 */
export async function drainHost(context: OperationContext, host: string, options: DrainOptions): Promise<DrainResult> {
  const names = await pairsOn(context, host)
  if (names.length > 0 && !options.dryRun) {
    await context.confirm({
      text: `Every copy on ${host} (${names.join(', ')}) that has a secondary or is one is ended; the other host goes on alone, unprotected.`,
      expected: host,
    })
  }
  const pairs: DrainedPair[] = []
  for (const pair of names) {
    const drained = await drainPair(confirmed(context), {pair, host}, options)
    if (drained.why !== undefined) context.progress.note(`${pair}: ${drained.why}`)
    pairs.push(drained)
  }
  const changed = pairs.some(({outcome}) => outcome !== 'not-running' && outcome !== 'left')
  return {host, changed, dryRun: options.dryRun, pairs}
}

/** The host that the inventory reaches as `local`; for a command that runs at the host's own shutdown. */
export function ownHost(context: OperationContext): string {
  const own = context.inventory.hosts.find(({connection}) => connection.kind === 'local')
  if (own !== undefined) return own.name
  throw new NotFoundError(`no host of ${context.inventory.file} is this one (connection: local)`, {
    hint: 'name the host: colo host drain HOST',
  })
}

/** Names of the pairs whose copies run there, sorted. */
async function pairsOn(context: OperationContext, host: string): Promise<string[]> {
  const client = await context.connect(entryOf(context, host), context.signal)
  try {
    const {members} = await client.call('pairs.observe', {}, {timeoutMs: listLimitMs, signal: context.signal})
    return members.flatMap(({record, domain}) =>
      record === undefined || domain === 'absent' ? [] : [record.spec.name],
    )
  } finally {
    client.close()
  }
}

async function drainPair(
  context: OperationContext,
  at: {readonly pair: string; readonly host: string},
  options: DrainOptions,
): Promise<DrainedPair> {
  let role: Role = 'primary'
  let found: FoundPair | undefined
  try {
    await afterCommit(context, at.pair, options)
    found = await findPair(context, at.pair)
    const own = knownOf(found.sides.map(seenOf)).find(({host}) => host === at.host)
    if (own === undefined || own.domain === 'absent') return {pair: at.pair, role, outcome: 'not-running'}
    role = own.record.role
    const left = whyLeft(context, found, at.host)
    if (left !== undefined && options.stop && isOnlyCopy(context, found, at.host)) {
      if (!options.dryRun) await stopForBoot(context, own, options)
      return {pair: at.pair, role, outcome: 'stopped'}
    }
    if (left !== undefined) return {pair: at.pair, role, outcome: 'left', why: left}
    const to = own.record.peer
    await failoverPair(context, at.pair, {
      to,
      dryRun: options.dryRun,
      force: [],
      timeoutMs: options.timeoutMs,
      resync: false,
    })
    return {pair: at.pair, role, outcome: role === 'primary' ? 'failed-over' : 'secondary-ended', to}
  } catch (error) {
    if (!(error instanceof ColoError) || context.signal.aborted) throw error
    return {pair: at.pair, role, outcome: 'left', why: error.message}
  } finally {
    found?.close()
  }
}

/** A promoted copy merges its overlays for a while; ended before that, what its guest wrote may be lost with the scratch. */
async function afterCommit(context: OperationContext, pair: string, options: DrainOptions): Promise<void> {
  const found = await findPair(context, pair)
  try {
    const {state} = assess(pair, found.sides.map(seenOf), context.clock.now())
    if (state !== 'committing' || options.dryRun) return
    context.progress.note(`${pair}: waiting until its overlays are merged into the disk`)
    await settle(context, found, {states: ['unprotected', 'protected'], timeoutMs: options.timeoutMs})
  } finally {
    found.close()
  }
}

function isOnlyCopy(context: OperationContext, found: FoundPair, host: string): boolean {
  const seen = found.sides.map(seenOf)
  const {state, primary} = assess(found.pair, seen, context.clock.now())
  return state === 'unprotected' && primary === host
}

/** A clean stop, and a note that it was only for the host's sake: its agent starts the copy after the boot. */
async function stopForBoot(context: OperationContext, own: Known, options: DrainOptions): Promise<void> {
  const {name} = own.record.spec
  await stopPair(context, name, {dryRun: false, force: [], timeoutMs: options.timeoutMs})
  const found = await findPair(context, name)
  try {
    const clients = new Map([...clientsOf(found.sides)].filter(([host]) => host === own.host))
    const plan: Plan = {
      id: context.newId(),
      kind: 'stop',
      pair: name,
      title: `note that ${name} starts again after the boot of ${own.host}`,
      finish: `colo pair start ${name}`,
      steps: [
        step(own.host, 'again', 'note that it starts again after the boot', [
          {kind: 'record-change', change: {startAtBoot: true}},
        ]),
      ],
    }
    await runPlan(context, clients, plan, {timeoutMs: options.timeoutMs})
  } finally {
    found.close()
  }
}

/** Why no copy elsewhere can go on instead of the one on this host; undefined when one can. */
function whyLeft(context: OperationContext, found: FoundPair, host: string): string | undefined {
  const seen = found.sides.map(seenOf)
  const {state, reasons} = assess(found.pair, seen, context.clock.now())
  const {primary, splitBrain} = authorityOf(seen)
  if (splitBrain) return 'both copies went on alone (split-brain)'
  if (state === 'protected') return undefined
  // a primary that waits for this secondary would wait for ever
  if (primary !== undefined && primary.host !== host && !primary.record.alone) return undefined
  const why = reasons[0]?.message
  return `its copy on ${host} cannot be moved: the pair is ${state}${why === undefined ? '' : `, ${why}`}`
}

/** One question was asked for all of them. */
function confirmed(context: OperationContext): OperationContext {
  return {
    ...context,
    confirm: async (question) => {
      if (question.force !== undefined) await context.confirm(question)
    },
  }
}

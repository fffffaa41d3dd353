import {StateError, UsageError} from '../errors.js'
import {authorityOf, type Known} from '../pair/assess.js'
import {identityOf} from '../pair/identity.js'
import type {ForwardHop} from '../pair/observation.js'
import {
  planNetAnnounce,
  planNetDown,
  planNetProve,
  planNetProven,
  planNetSend,
  planNetUp,
  type NetInput,
} from '../plan/net.js'
import type {OperationContext} from './context.js'
import {finalStatus} from './final-status.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, openSide, seenOf, type FoundPair} from './sides.js'

export interface NetOptions {
  readonly dryRun: boolean
  readonly timeoutMs: number
}

/** The path of one NIC's packets, hop by hop. */
export interface NetPath {
  readonly nic: string
  readonly tap: string
  readonly hops: readonly NetHop[]
}

export interface NetHop extends ForwardHop {
  readonly host: string
}

/** What one hop counted while real frames were sent. */
export interface ProvenHop extends NetHop {
  readonly nic: string
  /** frames it must have seen at least */
  readonly expected: number
  readonly counted: number
  readonly ok: boolean
}

export interface NetVerification {
  /** in lock-step every hop is proven; else only the links */
  readonly inLockStep: boolean
  readonly ok: boolean
  readonly hops: readonly ProvenHop[]
  /** where frames stop, in words */
  readonly problems: readonly string[]
}

const framesSent = 5
const countLimitMs = 6000
const pollMs = 300

/** Makes the forwarding of a pair in lock-step whole. @throws {StateError} when it is not in lock-step: then a resync sets it up */
export async function netUp(context: OperationContext, pair: string, options: NetOptions): Promise<OperationResult> {
  return withPair(context, pair, async (found, members) => {
    const plan = planNetUp(inputOf(context, members))
    if (options.dryRun) return dryRunOf(plan)
    requireLockStep(pair, members)
    return finish(context, found, {plan, options})
  })
}

/** Takes it away on the hosts that answer. @param force with the word `protected` also while packets are compared over it */
export async function netDown(
  context: OperationContext,
  pair: string,
  options: NetOptions & {readonly force: readonly string[]},
): Promise<OperationResult> {
  return withPair(context, pair, async (found, members) => {
    const {identity, planId} = inputOf(context, members)
    const hosts = found.sides.filter((side) => 'client' in side).map(({host}) => host)
    const plan = planNetDown({planId, identity, hosts})
    if (options.dryRun) return dryRunOf(plan)
    if (members.primary.vm?.coloMode === 'primary' && !options.force.includes('protected')) {
      throw new StateError(
        `${pair} is in lock-step: without its forwarding the secondary sees no packets`,
        {actual: 'in lock-step', required: ['unprotected', 'stopped']},
        {hint: `colo pair failover ${pair} or destroy ends it; --force protected takes it away all the same`},
      )
    }
    return finish(context, found, {plan, options})
  })
}

/** The way of a packet through both hosts, with the counters of each hop. */
export async function netShow(
  context: OperationContext,
  pair: string,
): Promise<{paths: NetPath[]; inLockStep: boolean}> {
  return withPair(context, pair, (found, members) => {
    return Promise.resolve({paths: pathsOf(found), inLockStep: members.primary.vm?.coloMode === 'primary'})
  })
}

/** Proves the path with real frames, in both directions; of a pair that is not in lock-step only the links. */
export async function netVerify(
  context: OperationContext,
  pair: string,
  options: NetOptions,
): Promise<NetVerification> {
  return withPair(context, pair, async (found, members) => {
    const input = inputOf(context, members)
    const run = (plan: Parameters<typeof runPlan>[2]): Promise<unknown> =>
      runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    if (members.primary.vm?.coloMode !== 'primary') {
      await run(planNetProve(input))
      return {inLockStep: false, ok: true, hops: [], problems: []}
    }
    const before = pathsOf(found)
    await run(planNetSend(input, framesSent))
    await run(planNetAnnounce({...input, planId: context.newId()}))
    const hops = await untilCounted(context, found, before)
    const problems = problemsOf(hops)
    if (problems.length === 0) await run(planNetProven({...input, planId: context.newId()}))
    return {inLockStep: true, ok: problems.length === 0, hops, problems}
  })
}

interface Members {
  readonly primary: Known
  readonly secondary: string
}

async function withPair<R>(
  context: OperationContext,
  pair: string,
  body: (found: FoundPair, members: Members) => Promise<R>,
): Promise<R> {
  const found = await findPair(context, pair)
  try {
    const {primary} = authorityOf(found.sides.map(seenOf))
    if (primary === undefined)
      throw new StateError(`no primary of ${pair} answers`, {actual: 'unreachable', required: []})
    if (!primary.record.spec.nics.some(({forward}) => forward.via === 'tc')) {
      throw new UsageError(`${pair} has no NIC with \`forward: {via: tc}\`: its packets go through QEMU's sockets`)
    }
    return await body(found, {primary, secondary: primary.record.peer})
  } finally {
    found.close()
  }
}

function inputOf(context: OperationContext, {primary, secondary}: Members): NetInput {
  return {planId: context.newId(), identity: identityOf(primary.record), primary: primary.host, secondary}
}

function requireLockStep(pair: string, {primary}: Members): void {
  if (primary.vm?.coloMode === 'primary') return
  throw new StateError(
    `${pair} is not in lock-step: there is nothing to forward to`,
    {actual: primary.vm === undefined ? 'stopped' : 'unprotected', required: ['protected']},
    {hint: `colo pair resync ${pair} brings up a secondary, with its forwarding`},
  )
}

async function finish(
  context: OperationContext,
  found: FoundPair,
  {plan, options}: {readonly plan: OperationResult['plan']; readonly options: NetOptions},
): Promise<OperationResult> {
  const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
  const changed = timeline.some(({state}) => state === 'done')
  return {pair: found.pair, changed, dryRun: false, plan, status: await finalStatus(context, found), timeline}
}

/** Per NIC: to the secondary, then back to the comparer, in the order in which frames meet them. */
function pathsOf(found: FoundPair): NetPath[] {
  const sides = found.sides.flatMap((side) => ('member' in side ? [side.member] : []))
  const [first] = sides
  const spec = sides.find(({record}) => record !== undefined)?.record?.spec
  if (first === undefined || spec === undefined) return []
  return spec.nics.flatMap(({name, forward}, index): NetPath[] => {
    if (forward.via !== 'tc') return []
    const hops = sides.flatMap(({host, nics}) =>
      (nics[index]?.forward?.hops ?? []).map((hop): NetHop => ({host, ...hop})),
    )
    return [{nic: name, tap: first.nics[index]?.tap ?? '', hops: [...hops].sort((a, b) => rank(a) - rank(b))}]
  })
}

function rank({direction, verb, hook, to}: NetHop): number {
  if (direction === 'to-secondary') return verb === 'mirror' ? 0 : 1
  if (hook === 'egress') return 4
  return to.startsWith('ci') ? 3 : 2
}

/** Reads the counters until every hop saw what it must, or for some seconds. */
async function untilCounted(
  context: OperationContext,
  found: FoundPair,
  before: readonly NetPath[],
): Promise<readonly ProvenHop[]> {
  const endMs = context.clock.monotonic() + countLimitMs
  for (;;) {
    await context.clock.sleep(pollMs)
    const [a, b] = await Promise.all(found.sides.map(({host}) => openSide(context, host, found.pair)))
    if (a === undefined || b === undefined) return []
    const now: FoundPair = {pair: found.pair, sides: [a, b], close: () => undefined}
    for (const side of now.sides) if ('client' in side) side.client.close()
    const hops = provenHops(before, pathsOf(now))
    if (hops.every(({ok}) => ok) || context.clock.monotonic() >= endMs) return hops
  }
}

function provenHops(before: readonly NetPath[], after: readonly NetPath[]): ProvenHop[] {
  return after.flatMap(({nic, hops}) =>
    hops.map((hop): ProvenHop => {
      const was = before
        .find((path) => path.nic === nic)
        ?.hops.find(({host, device, hook}) => host === hop.host && device === hop.device && hook === hop.hook)
      const counted = (hop.packets ?? 0) - (was?.packets ?? 0)
      const expected = hop.direction === 'to-secondary' ? framesSent : 1
      return {...hop, nic, counted, expected, ok: counted >= expected}
    }),
  )
}

/** Per NIC and direction the first hop that saw too few frames: they stop before it. */
function problemsOf(hops: readonly ProvenHop[]): string[] {
  const keys = new Map(hops.map((hop) => [`${hop.nic} ${hop.direction}`, hop]))
  const none = hops.length === 0 ? ['nothing of the forwarding could be read'] : []
  return [
    ...none,
    ...[...keys.values()].flatMap(({nic, direction}) => {
      const first = hops.find((hop) => hop.nic === nic && hop.direction === direction && !hop.ok)
      if (first === undefined) return []
      const way = direction === 'to-secondary' ? 'to the secondary' : 'back to the comparer'
      const place = `${first.device} ${first.hook} on ${first.host}`
      const rule =
        first.packets === undefined ? 'its rule is missing' : `it counted ${first.counted} of ${first.expected}`
      return [`NIC ${nic}, ${way}: frames stop before ${place}: ${rule}`]
    }),
  ]
}

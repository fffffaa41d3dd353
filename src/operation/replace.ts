import {ConflictError, PreflightError, RefusedError, StateError} from '../errors.js'
import type {AgentClient} from '../host/agent-client.js'
import {allotPorts} from '../host/allot-ports.js'
import {blocking, checkPair} from '../host/preflight.js'
import {assess, authorityOf, type Known} from '../pair/assess.js'
import {nextGeneration} from '../pair/generation.js'
import {allPorts, identityOf, type PairIdentity} from '../pair/identity.js'
import type {HostName, PairSpec} from '../pair/spec.js'
import {otherRemedy} from '../pair/remedy.js'
import {planLeave, planReplace, type FormerMember} from '../plan/replace.js'
import type {Plan} from '../plan/plan.js'
import {openCandidates, type Candidates} from './candidates.js'
import type {OperationContext} from './context.js'
import {settle} from './final-status.js'
import {memberXmlOf} from './member-xml.js'
import {preflightError} from './preflight-error.js'
import {withScratch} from './prepare-create.js'
import {dryRunOf, type OperationResult} from './result.js'
import {mustBeProtected, resyncPair, settleMs} from './resync.js'
import {runPlan} from './run-plan.js'
import {clientsOf, closeSide, entryOf, findPair, openSide, seenOf, type FoundPair, type Side} from './sides.js'

export interface ReplaceOptions {
  /** host that becomes the secondary */
  readonly secondary: string
  /** images on the former secondary's host go, too */
  readonly deleteCopies: boolean
  readonly dryRun: boolean
  /** `peer-unknown`: the former secondary does not answer; names of failed checks */
  readonly force: readonly string[]
  readonly timeoutMs: number
}

/**
 * Another host takes the place of the secondary: the disks and the memory of the running copy are brought there, and the pair ends protected.
 * Run again it removes what a former member, away until now, still has.
 *
 * @throws {StateError} when no copy runs as primary, or the host is the primary's
 * @throws {PreflightError} with the failed checks of the new host
 */
export async function replacePair(
  context: OperationContext,
  pair: string,
  options: ReplaceOptions,
): Promise<OperationResult> {
  const target = entryOf(context, options.secondary)
  const found = await findPair(context, pair)
  const extra: Side[] = []
  let candidates: Candidates | undefined
  try {
    const primary = runningPrimary(context, found, options)
    if (target.name === primary.host) {
      throw new StateError(
        `${target.name} is the primary of ${pair}: it cannot be its own secondary`,
        {actual: 'primary', required: []},
        {hint: `name a third host; to swap the two: colo pair failover ${pair}`},
      )
    }
    if (target.name === primary.record.peer) return await removeFormer(context, {found, primary, options, extra})

    const former = found.sides.find(({host}) => host === primary.record.peer)
    const spec = movedSpec(primary.record.spec, primary.host, options.secondary)
    candidates = await openCandidates(context, spec)
    refuseStranger(pair, primary, candidates)
    refuseFailed(pair, primary, {spec, candidates, force: options.force})
    const plan = await planFor(context, {primary, former, candidates, spec, options})
    if (options.dryRun) return dryRunOf(plan)
    await confirm(context, {pair, primary, former, options})
    const clients = new Map<string, AgentClient>([
      ...clientsOf(found.sides),
      [options.secondary, candidates.secondary.client],
    ])
    if (former !== undefined && !plan.steps.some(({host}) => host === former.host)) clients.delete(former.host)
    const timeline = await runPlan(context, clients, plan, {...options, premise: found.sides})
    const now = nowFound(found, primary, candidates)
    const status = await settle(context, now, {states: ['protected'], timeoutMs: settleMs})
    mustBeProtected(pair, status.state, status.reasons)
    return {pair, changed: true, dryRun: false, plan, status, timeline}
  } finally {
    candidates?.close()
    extra.forEach(closeSide)
    found.close()
  }
}

function runningPrimary(context: OperationContext, found: FoundPair, {secondary}: ReplaceOptions): Known {
  const {pair} = found
  const seen = found.sides.map(seenOf)
  const {primary, splitBrain} = authorityOf(seen)
  if (splitBrain) throw new RefusedError(`cannot replace a host of ${pair}: both copies went on alone (split-brain)`)
  const status = assess(pair, seen, context.clock.now())
  if (primary?.qmp !== 'connected' || primary.record.marks.incomplete !== undefined) {
    throw new StateError(
      `cannot replace a host of ${pair}: it needs a running primary that has merged its overlays`,
      {actual: status.state, required: ['protected', 'unprotected']},
      {hint: otherRemedy(status, `colo pair replace ${pair} --secondary ${secondary}`)},
    )
  }
  if (primary.record.spec.engine === 'xen') {
    throw new StateError(
      `replace is not offered for Xen pairs`,
      {actual: 'xen', required: ['qemu']},
      {hint: 'destroy and create the pair'},
    )
  }
  return primary
}

/** The hosts of now; a spare that takes its place is no spare any more. */
function movedSpec(spec: PairSpec, primary: string, secondary: string): PairSpec {
  const {spare, ...hosts} = spec.hosts
  const kept = spare === undefined || spare === secondary || spare === primary ? {} : {spare}
  return {...spec, hosts: {...hosts, ...kept, primary: primary as HostName, secondary: secondary as HostName}}
}

/** A record of this very pair there is what an interrupted replace left. */
function refuseStranger(pair: string, primary: Known, {secondary}: Candidates): void {
  const {record} = secondary.member
  if (record === undefined || record.uuid === primary.record.uuid) return
  throw new ConflictError(`${secondary.entry.name} has a record of another pair named ${pair}`, {
    hint: `end it there first: colo pair destroy ${pair} with an inventory that names only that host`,
  })
}

/** The checks of `create`, as far as they are about the new host or both together. The primary runs already. */
function refuseFailed(
  pair: string,
  primary: Known,
  {
    spec,
    candidates,
    force,
  }: {readonly spec: PairSpec; readonly candidates: Candidates; readonly force: readonly string[]},
): void {
  const {secondary} = candidates
  const isAgain = secondary.member.record !== undefined
  const others = [...candidates.primary.records, ...secondary.records].filter(({uuid}) => uuid !== primary.record.uuid)
  const checks = checkPair({
    spec,
    entries: {primary: candidates.primary.entry, secondary: secondary.entry},
    facts: {primary: candidates.primary.facts, secondary: secondary.facts},
    records: others,
    reuseSecondaryImages: isAgain || force.includes('image-secondary'),
  })
  const leftByUs = (id: string): boolean => isAgain && ['domain-name', 'image-secondary', 'ports'].includes(id)
  const failed = blocking(checks, force).filter(
    ({id, host}) => (host === undefined || host === secondary.entry.name) && !leftByUs(id),
  )
  const [first, ...more] = failed
  const what = `cannot move the secondary of ${pair} to ${secondary.entry.name}`
  if (first !== undefined) throw preflightError(what, first, more)
}

async function planFor(
  context: OperationContext,
  {
    primary,
    former,
    candidates,
    spec,
    options,
  }: {
    readonly primary: Known
    readonly former: Side | undefined
    readonly candidates: Candidates
    readonly spec: PairSpec
    readonly options: ReplaceOptions
  },
): Promise<Plan> {
  const {record} = primary
  const identity = movedIdentity(identityOf(record), {
    candidates,
    spec,
    isFormerThere: formerOf(former, options) !== undefined,
  })
  const detachFirst = !record.alone || primary.vm?.coloMode !== 'none'
  return planReplace({
    planId: context.newId(),
    identity,
    primary: primary.host,
    secondary: options.secondary,
    primaryWasSecondary: primary.nics.some(({objects}) => objects.some(({type}) => type === 'filter-rewriter')),
    generation: detachFirst ? nextGeneration(record.generation, context.newId()) : record.generation,
    detachFirst,
    secondaryKnown: candidates.secondary.member.record !== undefined,
    xml: await memberXmlOf(identity, primary.vm?.qemuVersion),
    nowMs: context.clock.now(),
    former: formerOf(former, options),
    before: {
      peer: record.peer,
      spec: record.spec,
      ports: record.ports,
      addresses: record.addresses,
      beaconPorts: record.beaconPorts,
    },
  })
}

function formerOf(former: Side | undefined, {deleteCopies}: ReplaceOptions): FormerMember | undefined {
  const record = former !== undefined && 'member' in former ? former.member.record : undefined
  return record === undefined ? undefined : {host: record.host, identity: identityOf(record), deleteCopies}
}

/** A former host that cannot be told now keeps its address in the records, so that its agent can be told when it is back. */
function movedIdentity(
  identity: PairIdentity,
  {
    candidates,
    spec,
    isFormerThere,
  }: {readonly candidates: Candidates; readonly spec: PairSpec; readonly isFormerThere: boolean},
): PairIdentity {
  const {primary, secondary} = candidates
  const known = new Set<string>([primary.entry.name, secondary.entry.name])
  const kept = <V>(values: Readonly<Record<string, V>>): Record<string, V> =>
    Object.fromEntries(Object.entries(values).filter(([host]) => known.has(host) || !isFormerThere))
  const {name} = secondary.entry
  return {
    ...identity,
    spec: withScratch(spec, [primary.entry, secondary.entry]),
    ports: portsFor(identity, candidates, spec),
    addresses: {...kept(identity.addresses), [name]: secondary.entry.replication},
    beaconPorts: {...kept(identity.beaconPorts), [name]: secondary.entry.ports.from},
  }
}

/** The pair's ports where they are free on the new host, too; else a new block. */
function portsFor(identity: PairIdentity, {primary, secondary}: Candidates, spec: PairSpec): PairIdentity['ports'] {
  const {facts, entry} = secondary
  const others = facts.allotted.filter(({pair}) => pair !== spec.name).flatMap(({ports}) => ports)
  const isOurs = secondary.member.record !== undefined
  const taken = new Set([...(isOurs ? [] : facts.listening), ...others])
  const fits = allPorts(identity).every((port) => port > entry.ports.from && port <= entry.ports.to && !taken.has(port))
  if (fits) return identity.ports
  const choice = allotPorts([primary, secondary], spec)
  if ('ports' in choice) return choice.ports
  throw new PreflightError('ports', `cannot replace the secondary of ${spec.name}: ${choice.problem}`)
}

/** S2: a former secondary that cannot be seen may have gone on alone. */
async function confirm(
  context: OperationContext,
  {
    pair,
    primary,
    former,
    options,
  }: {
    readonly pair: string
    readonly primary: Known
    readonly former: Side | undefined
    readonly options: ReplaceOptions
  },
): Promise<void> {
  const isSilent = former !== undefined && 'problem' in former
  const name = former?.host ?? 'the former secondary'
  await context.confirm({
    text: isSilent
      ? `${name} does not answer. It may be dead, or cut off and have gone on alone; what it wrote then is given up.\n` +
        `${pair} stays on ${primary.host} and is protected by ${options.secondary}.`
      : `${pair} is protected by ${options.secondary} from now on; the copy on ${name} is ended` +
        (options.deleteCopies ? ' and its images are removed.' : ', its images stay there.'),
    expected: pair,
    ...(isSilent && !primary.record.alone ? {force: 'peer-unknown'} : {}),
  })
}

/** The pair is where it should be already; a former member that is back has its record taken away. */
async function removeFormer(
  context: OperationContext,
  {
    found,
    primary,
    options,
    extra,
  }: {
    readonly found: FoundPair
    readonly primary: Known
    readonly options: ReplaceOptions
    readonly extra: Side[]
  },
): Promise<OperationResult> {
  const {pair} = found
  const names = context.inventory.hosts.map(({name}) => name as string)
  const strangers = names.filter((name) => !found.sides.some(({host}) => host === name))
  const sides = await Promise.all(strangers.map((host) => openSide(context, host, pair)))
  extra.push(...sides)
  const former = sides.find((side) => 'member' in side && side.member.record?.uuid === primary.record.uuid)
  const member = formerOf(former, options)
  const status = assess(pair, found.sides.map(seenOf), context.clock.now())
  // one that was cut off after the new placement was noted: protected first, then what is left is removed
  if (status.state !== 'protected') {
    found.close()
    return await resyncPair(context, pair, {dryRun: options.dryRun, force: [], timeoutMs: options.timeoutMs})
  }
  if (former === undefined || member === undefined) {
    const plan: Plan = {
      id: context.newId(),
      kind: 'replace',
      pair,
      title: `replace the secondary of ${pair} by ${options.secondary}`,
      finish: `colo pair replace ${pair} --secondary ${options.secondary}`,
      steps: [],
    }
    return {pair, changed: false, dryRun: options.dryRun, plan, status, timeline: []}
  }
  const plan = planLeave(context.newId(), member, options.secondary)
  if (options.dryRun) return dryRunOf(plan)
  await context.confirm({
    text:
      `What ${former.host} still has of ${pair} is ended and removed` +
      (options.deleteCopies ? ', its images, too.' : '; its images stay.'),
    expected: pair,
  })
  const timeline = await runPlan(context, clientsOf([former]), plan, {timeoutMs: options.timeoutMs, premise: [former]})
  return {pair, changed: true, dryRun: false, plan, status, timeline}
}

function nowFound(found: FoundPair, primary: Known, {secondary}: Candidates): FoundPair {
  const own = found.sides.find(({host}) => host === primary.host) ?? found.sides[0]
  return {...found, sides: [own, {host: secondary.entry.name, client: secondary.client, member: secondary.member}]}
}

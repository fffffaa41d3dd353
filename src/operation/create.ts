import {isDeepStrictEqual} from 'node:util'
import {ConflictError} from '../errors.js'
import type {AgentClient} from '../host/agent-client.js'
import {blocking, checkPair, type Check} from '../host/preflight.js'
import {firstGeneration} from '../pair/generation.js'
import {identityOf} from '../pair/identity.js'
import type {Origin} from '../pair/record.js'
import {onHost, type PairSpec} from '../pair/spec.js'
import {planCreate} from '../plan/create.js'
import {planDestroy} from '../plan/destroy.js'
import type {Plan} from '../plan/plan.js'
import type {OperationContext} from './context.js'
import {openCandidates, type Candidate, type Candidates} from './candidates.js'
import {refuseElsewhere} from './elsewhere.js'
import {settle} from './final-status.js'
import {memberXmlOf} from './member-xml.js'
import {plainDefinition} from './plain-definition.js'
import {preflightError} from './preflight-error.js'
import {identityFor, withScratch} from './prepare-create.js'
import {dryRunOf, type OperationResult} from './result.js'
import {mustBeProtected, resyncPair, settleMs} from './resync.js'
import {runPlan} from './run-plan.js'
import {planXenDestroy} from '../plan/xen/life.js'
import {xenCreatePlan} from './xen/life.js'
import type {FoundPair} from './sides.js'

export interface CreateOptions {
  readonly dryRun: boolean
  /** failed checks to override by name */
  readonly force: readonly string[]
  readonly yes: boolean
  readonly timeoutMs: number
}

/** The plain domain a new pair takes the place of. */
export interface Adoption {
  readonly origin: Origin
  readonly running: boolean
}

/**
 * Makes a protected pair from a spec. Everything is checked before anything is touched; what was made is taken back when a step fails.
 * A create that was interrupted is finished when it is run again: its guest goes on where it runs already; what else it left is removed
 * first, and a guest among it is ended only after a question.
 *
 * @throws {PreflightError} with every failed check
 * @throws {ConflictError} when a pair of this name exists, on any host of the inventory that answers
 */
export async function createPair(
  context: OperationContext,
  spec: PairSpec,
  options: CreateOptions,
  adoption?: Adoption,
): Promise<OperationResult> {
  const elsewhere = refuseElsewhere(context, spec.name, [spec.hosts.primary, spec.hosts.secondary])
  elsewhere.catch(() => undefined) // awaited below
  let candidates = await openCandidates(context, spec)
  try {
    const ended = await endInterrupted(context, candidates, {spec, options})
    if (typeof ended === 'object') return ended
    const silent = await elsewhere
    if (silent.length > 0) {
      const others = silent.join(', ')
      context.progress.note(
        `warning: whether ${spec.name} exists on a host that does not answer is not known: ${others}`,
      )
    }
    if (ended === 'cleaned') {
      candidates.close()
      candidates = await openCandidates(context, spec)
    }
    return await create(context, candidates, {spec: withImageSizes(spec, candidates.primary), options, adoption})
  } finally {
    candidates.close()
  }
}

/**
 * Takes up an interrupted create of an imported pair, whose domain libvirt may not know at the moment.
 *
 * @returns what it did when nothing is left to do; undefined when the way is free
 */
export async function resumeCreate(
  context: OperationContext,
  spec: PairSpec,
  options: CreateOptions,
): Promise<OperationResult | undefined> {
  const candidates = await openCandidates(context, spec)
  try {
    const ended = await endInterrupted(context, candidates, {spec, options})
    return ended === 'cleaned' ? undefined : ended
  } finally {
    candidates.close()
  }
}

/** Finishes a create that was interrupted when it was nearly done, or removes what it left. */
async function endInterrupted(
  context: OperationContext,
  candidates: Candidates,
  {spec, options}: {readonly spec: PairSpec; readonly options: CreateOptions},
): Promise<OperationResult | 'cleaned' | undefined> {
  if (isAlmostDone(candidates) || isHalfDone(candidates, spec)) return resyncPair(context, spec.name, options)
  if (!isLeftover(candidates)) return undefined
  const cleaning = await planCleaning(context, candidates, spec)
  if (cleaning === undefined) return 'cleaned'
  context.progress.note(`an earlier create of ${spec.name} was interrupted; what it left is removed first`)
  if (options.dryRun) return dryRunOf(cleaning.plan)
  await confirmEnding(context, candidates, spec)
  await runPlan(context, cleaning.clients, cleaning.plan, cleaning)
  return 'cleaned'
}

/** An imported definition does not say how large its disks are: as large as they are. */
function withImageSizes(spec: PairSpec, {facts}: Candidate): PairSpec {
  const sizeOf = (disk: PairSpec['disks'][number]): number =>
    facts.images.find(({path}) => path === onHost(disk.image, spec.hosts.primary))?.virtualSizeBytes ?? 0
  return {
    ...spec,
    disks: spec.disks.map((disk) => (disk.sizeBytes === 0 ? {...disk, sizeBytes: sizeOf(disk)} : disk)),
  }
}

async function create(
  context: OperationContext,
  candidates: Candidates,
  {spec, options, adoption}: {spec: PairSpec; options: CreateOptions; adoption: Adoption | undefined},
): Promise<OperationResult> {
  const {primary, secondary} = candidates
  refuseExisting(candidates, spec)
  const checks = checkPair({
    spec,
    entries: {primary: primary.entry, secondary: secondary.entry},
    facts: {primary: primary.facts, secondary: secondary.facts},
    records: [...primary.records, ...secondary.records],
    reuseSecondaryImages: options.force.includes('image-secondary'),
    ...(adoption === undefined ? {} : {adopts: {domain: adoption.origin.domain, running: adoption.running}}),
  })
  refuseFailed(spec.name, blocking(checks, options.force))
  for (const {verdict, message, host} of checks) {
    if (verdict === 'warn') context.progress.note(`warning: ${host === undefined ? '' : `${host}: `}${message}`)
  }
  const fresh = identityFor(spec, candidates, {uuid: context.newId(), beaconKey: context.newKey()})
  const identity = adoption === undefined ? fresh : {...fresh, origin: adoption.origin}
  const generation = firstGeneration(context.newId())
  const plan =
    spec.engine === 'xen'
      ? await xenCreatePlan(context, spec, {identity, generation})
      : planCreate({
          planId: context.newId(),
          identity,
          generation,
          xml: await memberXmlOf(identity, primary.facts.qemu?.version),
          freshSecondaryImages: !options.force.includes('image-secondary'),
          nowMs: context.clock.now(),
          ...(adoption === undefined ? {} : {adopt: adoption}),
        })
  if (options.dryRun) return dryRunOf(plan)
  const clients = new Map([primary, secondary].map((side) => [side.entry.name as string, side.client]))
  const timeline = await runPlan(context, clients, plan, {
    ...options,
    premise: asFound(candidates, spec).sides,
  })
  const status = await settle(context, asFound(candidates, spec), {states: ['protected'], timeoutMs: settleMs})
  mustBeProtected(spec.name, status.state, status.reasons)
  return {pair: spec.name, changed: true, dryRun: false, plan, status, timeline}
}

function refuseExisting({primary, secondary}: Candidates, spec: PairSpec): void {
  for (const {member} of [primary, secondary]) {
    if (member.record === undefined) continue
    throw new ConflictError(`pair ${spec.name} exists already on ${member.host}`, {
      hint: `see it: colo pair status ${spec.name}; end it: colo pair destroy ${spec.name}`,
    })
  }
}

function refuseFailed(pair: string, [first, ...others]: readonly Check[]): void {
  if (first !== undefined) throw preflightError(`cannot create ${pair}`, first, others)
}

/** A create of this pair died in the middle: its intent is there and nobody holds the lock. */
function isInterrupted({primary, secondary}: Candidates): boolean {
  const members = [primary.member, secondary.member]
  return members.some(({intent, lock}) => intent?.kind === 'create' && lock === undefined)
}

/** It died before any side could say that it was protected: nothing of it is of use. */
function isLeftover(candidates: Candidates): boolean {
  const {primary, secondary} = candidates
  return isInterrupted(candidates) && [primary, secondary].every(({member}) => member.record?.wasProtected !== true)
}

/** It died after that: a resync finishes it, and ends nothing that serves. */
function isAlmostDone(candidates: Candidates): boolean {
  return isInterrupted(candidates) && !isLeftover(candidates)
}

/** Its guest runs on the primary, alone, as this spec wants it: a resync finishes it, and the guest goes on. */
function isHalfDone(candidates: Candidates, spec: PairSpec): boolean {
  const {primary, secondary} = candidates
  const {record, intent, qmp} = primary.member
  return (
    isInterrupted(candidates) &&
    record?.alone === true &&
    qmp === 'connected' &&
    intent?.kind === 'create' &&
    intent.done.includes(`${primary.entry.name}/domain`) &&
    isDeepStrictEqual(record.spec, asRead(withScratch(withImageSizes(spec, primary), [primary.entry, secondary.entry])))
  )
}

/** As a record gives it back: absent and undefined are one. */
function asRead(spec: PairSpec): unknown {
  return JSON.parse(JSON.stringify(spec))
}

/** A guest may have worked since: it is not ended without a word. @throws {RefusedError} */
async function confirmEnding(
  context: OperationContext,
  {primary, secondary}: Candidates,
  spec: PairSpec,
): Promise<void> {
  const running = [primary, secondary].filter(({member}) => member.record !== undefined && member.domain !== 'absent')
  if (running.length === 0) return
  const places = running.map(({entry}) => entry.name).join(' and ')
  await context.confirm({
    text: `an earlier create of ${spec.name} was interrupted; what it started on ${places} is ended, the disks on ${spec.hosts.primary} are kept.`,
    expected: spec.name,
  })
}

interface Cleaning {
  readonly plan: Plan
  readonly clients: ReadonlyMap<string, AgentClient>
  readonly premise: FoundPair['sides']
  readonly timeoutMs: number
}

/** How what an interrupted create left on both hosts is ended; images that it did not make stay. */
async function planCleaning(
  context: OperationContext,
  candidates: Candidates,
  spec: PairSpec,
): Promise<Cleaning | undefined> {
  const {primary, secondary} = candidates
  const known = [primary, secondary].filter(({member}) => member.record !== undefined)
  const [first] = known
  const record = first?.member.record
  if (record === undefined) return undefined
  const ended = {
    planId: context.newId(),
    identity: identityOf(record),
    keep: record.spec.hosts.primary,
    hosts: known.map(({entry}) => entry.name as string),
  }
  const plan =
    spec.engine === 'xen'
      ? planXenDestroy(ended)
      : planDestroy({
          ...ended,
          deleteCopies: await madeSecondaryImages(spec.name, known),
          plain: await plainDefinition(record, record.spec.hosts.primary),
        })
  const clients = new Map(known.map((side) => [side.entry.name as string, side.client]))
  return {plan, clients, premise: asFound(candidates, spec).sides, timeoutMs: 120_000}
}

/** The interrupted create had made the secondary's images itself: its own undo says so. */
async function madeSecondaryImages(pair: string, known: readonly Candidate[]): Promise<boolean> {
  const intents = await Promise.all(known.map(({client}) => client.call('intent.read', {pair})))
  return intents.some(
    ({plan}) => plan?.steps.some(({id, undo}) => id.endsWith('/images') && undo !== undefined) === true,
  )
}

function asFound(candidates: Candidates, spec: PairSpec): FoundPair {
  const {primary, secondary} = candidates
  return {
    pair: spec.name,
    sides: [
      {host: primary.entry.name, client: primary.client, member: primary.member},
      {host: secondary.entry.name, client: secondary.client, member: secondary.member},
    ],
    close: () => {
      candidates.close()
    },
  }
}

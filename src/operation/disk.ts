import {NotFoundError, StateError, UsageError} from '../errors.js'
import type {ImageFacts} from '../host/facts.js'
import {knownOf} from '../pair/assess.js'
import {identityOf} from '../pair/identity.js'
import {layoutOf} from '../pair/layout.js'
import {onHost, type PairSpec} from '../pair/spec.js'
import type {Plan} from '../plan/plan.js'
import * as storage from '../plan/parts/storage.js'
import {step} from '../plan/parts/steps.js'
import type {OperationContext} from './context.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, closeSide, entryOf, findPair, openSide, seenOf} from './sides.js'

const diskLimitMs = 300_000

/**
 * Makes the images that are missing on the primary's host, blank and of the spec's size; existing ones are left as they are. Those of the
 * secondary are made by `create`, which copies the disks.
 */
export async function prepareDisks(
  context: OperationContext,
  spec: PairSpec,
  options: {readonly dryRun: boolean},
): Promise<OperationResult> {
  const host = spec.hosts.primary
  const layout = layoutOf(spec)
  const unknown = spec.disks.find(({sizeBytes}) => sizeBytes === 0)
  if (unknown !== undefined) {
    throw new UsageError(`disk ${unknown.name} comes from a libvirt definition, which does not say how large it is`, {
      hint: `name ${unknown.name} with its size under disks, or copy the image to ${host}`,
    })
  }
  const plan: Plan = {
    id: context.newId(),
    kind: 'disk',
    pair: spec.name,
    title: `prepare the disks of ${spec.name}`,
    finish: 'colo disk prepare -f FILE',
    steps: [step(host, 'images', 'make the images that are missing', storage.images(layout, host))],
  }
  if (options.dryRun) return dryRunOf(plan)
  const side = await openSide(context, host, spec.name)
  try {
    if ('problem' in side) throw side.problem
    const timeline = await runPlan(context, clientsOf([side]), plan, {timeoutMs: diskLimitMs})
    return {pair: spec.name, changed: timeline.some(({state}) => state === 'done'), dryRun: false, plan, timeline}
  } finally {
    closeSide(side)
  }
}

/** One image as found on one host. */
export interface DiskCheck {
  readonly host: string
  readonly disk: string
  readonly image: ImageFacts
  /** format and virtual size are those of the spec */
  readonly ok: boolean
  readonly problem?: string
}

/** Looks at every image of a spec on both hosts. */
export async function checkDisks(context: OperationContext, spec: PairSpec): Promise<readonly DiskCheck[]> {
  const hosts = [spec.hosts.primary, spec.hosts.secondary]
  const checks = await Promise.all(
    hosts.map(async (host) => {
      const paths = spec.disks.flatMap((disk) => onHost(disk.image, host) ?? [])
      const client = await context.connect(entryOf(context, host), context.signal)
      try {
        const [facts, {members}] = await Promise.all([
          client.call('host.facts', {want: ['images'], images: paths}, {timeoutMs: 20_000}),
          client.call('pairs.observe', {pair: spec.name}, {timeoutMs: 20_000}),
        ])
        const isToCome = host === spec.hosts.secondary && members[0]?.record === undefined
        return spec.disks.flatMap((disk) => {
          const image = facts.images.find(({path}) => path === onHost(disk.image, host))
          return image === undefined ? [] : [checked(host, disk, image, isToCome)]
        })
      } finally {
        client.close()
      }
    }),
  )
  return checks.flat()
}

/** @param isToCome  there is no pair yet, and this is the host of its secondary: `create` makes the image */
function checked(host: string, disk: PairSpec['disks'][number], image: ImageFacts, isToCome: boolean): DiskCheck {
  if (!image.exists && isToCome) return {host, disk: disk.name, image, ok: true}
  const problem = problemOf(disk, image)
  return {host, disk: disk.name, image, ok: problem === undefined, ...(problem === undefined ? {} : {problem})}
}

function problemOf(disk: PairSpec['disks'][number], image: ImageFacts): string | undefined {
  if (!image.exists) return 'missing'
  if (image.problem !== undefined) return image.problem
  if (image.format !== disk.format) return `format is ${image.format ?? 'unknown'}, not ${disk.format}`
  if (disk.sizeBytes !== 0 && image.virtualSizeBytes !== disk.sizeBytes) {
    return `virtual size is ${image.virtualSizeBytes ?? 'unknown'} bytes, not ${disk.sizeBytes}`
  }
  return undefined
}

/**
 * Removes overlays that nothing uses any more.
 *
 * @throws {StateError} when a copy runs, or the overlays still hold acknowledged writes
 */
export async function cleanDisks(
  context: OperationContext,
  pair: string,
  options: {readonly dryRun: boolean},
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const known = knownOf(found.sides.map(seenOf))
    const [first] = known
    if (first === undefined) throw new NotFoundError(`no host knows a pair named ${pair}`)
    for (const {host, record, domain, qmp, disks} of known) {
      if (record.marks.incomplete?.why === 'commit') {
        throw new StateError(
          `cannot clean ${pair}: the overlays on ${host} still hold acknowledged writes`,
          {actual: 'committing', required: ['unprotected', 'stopped']},
          {hint: `colo pair start ${pair} merges them`},
        )
      }
      const uses = qmp === 'connected' ? disks.some(({overlays}) => overlays) : domain !== 'absent'
      if (uses) {
        const why = qmp === 'connected' ? 'uses its overlays' : 'does not say whether it uses its overlays'
        throw new StateError(
          `cannot clean ${pair}: the copy on ${host} ${why}`,
          {actual: domain, required: ['stopped', 'unprotected']},
          {hint: `overlays go when their copy ends: colo pair suspend ${pair}, or colo pair stop ${pair}`},
        )
      }
    }
    const identity = identityOf(first.record)
    const layout = layoutOf(identity.spec)
    const plan: Plan = {
      id: context.newId(),
      kind: 'disk',
      pair,
      title: `remove unused overlays of ${pair}`,
      finish: `colo disk clean ${pair}`,
      steps: known.map(({host}) =>
        step(host, 'overlays', 'remove unused overlays', storage.noOverlays(identity, layout, host)),
      ),
    }
    if (options.dryRun) return dryRunOf(plan)
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {
      timeoutMs: diskLimitMs,
      premise: found.sides,
    })
    return {pair, changed: timeline.some(({state}) => state === 'done'), dryRun: false, plan, timeline}
  } finally {
    found.close()
  }
}

import {jobDismiss, mirrorCancel, mirrorStart, quorumAdd} from '../../block/commands.js'
import {isChild} from '../../block/graph.js'
import {ColoError, StateError} from '../../errors.js'
import {exitCodes} from '../../exit-codes.js'
import type {MirrorSpec} from '../../plan/action.js'
import {queryBlockGraph} from '../../qmp/commands/block-nodes.js'
import {queryJobs, type Job} from '../../qmp/commands/jobs.js'
import {queryStatus} from '../../qmp/commands/status.js'
import type {QmpSession} from '../../qmp/session.js'
import {send, settle, type ActionOf, type Perform} from './common.js'
import {unlessHung} from './hung.js'
import {whileStopped} from './stopped.js'

const jobEvents = ['JOB_STATUS_CHANGE', 'BLOCK_JOB_READY', 'BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED']
/** a mirror that is ready has at most some requests in flight; the guest stands still meanwhile */
const CONCLUDE_MS = 5000
const ABORT_MS = 10_000

/**
 * What is known of one mirror.
 *
 * `attached`: its target is a child of the quorum. `ended`: it concluded well, or is about to, and the guest has stood still since.
 * `stale`: the same, but the guest runs, so that writes may be missing.
 */
interface Mirror {
  readonly spec: MirrorSpec
  readonly phase: 'attached' | 'absent' | 'copying' | 'ready' | 'ended' | 'stale' | 'failed'
  readonly job: Job | undefined
}

/** See the action `mirrors`. */
export const startMirrors: Perform<ActionOf<'mirrors'>> = async ({disks, timeoutMs}, context) => {
  const qmp = await context.vm.qmp()
  let outcome: 'changed' | 'unchanged' = 'unchanged'
  for (const {spec, phase, job} of await look(qmp, disks)) {
    if (phase !== 'absent' && phase !== 'failed' && phase !== 'stale') continue
    if (job?.status === 'concluded') await send(qmp, jobDismiss(spec.job))
    await send(qmp, mirrorStart(spec))
    outcome = 'changed'
  }
  const wait = {what: `${names(disks)} to be copied`, events: jobEvents, timeoutMs, signal: context.signal}
  let reported = -1
  await settle(context, qmp, wait, async () => {
    const mirrors = await look(qmp, disks)
    for (const mirror of mirrors) failIfEnded(mirror)
    const {done, total} = progressOf(mirrors)
    if (done !== reported) context.report(disks.length === 1 ? 'one disk' : `${disks.length} disks`, {done, total})
    reported = done
    return mirrors.every(({phase}) => phase !== 'copying') ? true : undefined
  })
  return outcome
}

/**
 * See the action `mirrors-finish`. A target joins its quorum before its job is dismissed, so that after a crash every state can be told
 * from every other: job ready, job concluded, target joined, job gone.
 */
export const finishMirrors: Perform<ActionOf<'mirrors-finish'>> = async ({disks}, context) => {
  const qmp = await context.vm.qmp()
  const mirrors = await look(qmp, disks)
  const open = mirrors.filter(({phase}) => phase !== 'attached')
  const jobs = mirrors.filter(({job}) => job !== undefined)
  if (open.length === 0 && jobs.length === 0 && (await queryStatus(qmp)).status !== 'paused') return 'unchanged'
  for (const mirror of open) assertFinishable(mirror)
  await whileStopped(context, qmp, targets(disks), async () => {
    for (const {spec, phase} of open) if (phase === 'ready') await send(qmp, mirrorCancel(spec.job, false))
    const specs = open.map(({spec}) => spec)
    const wait = {what: `the mirrors of ${names(specs)} to conclude`, events: jobEvents, timeoutMs: CONCLUDE_MS}
    await settle(context, qmp, wait, async () => {
      const now = await look(qmp, specs)
      for (const mirror of now) failIfEnded(mirror)
      return now.every(({job}) => job?.status === 'concluded') ? true : undefined
    })
    for (const {spec} of open) await send(qmp, quorumAdd(spec.quorum, spec.target))
    for (const {spec} of jobs) await send(qmp, jobDismiss(spec.job))
  })
  return 'changed'
}

/** See the action `mirrors-abort`. */
export const abortMirrors: Perform<ActionOf<'mirrors-abort'>> = async ({disks}, context) => {
  const qmp = await context.vm.qmp()
  const left = (await look(qmp, disks)).filter(({job}) => job !== undefined)
  if (left.length === 0) return 'unchanged'
  const specs = left.map(({spec}) => spec)
  await unlessHung(context, targets(specs), async () => {
    for (const {spec, job} of left) if (job?.status !== 'concluded') await send(qmp, mirrorCancel(spec.job, true))
    const wait = {what: `the mirrors of ${names(specs)} to end`, events: jobEvents, timeoutMs: ABORT_MS}
    await settle(context, qmp, wait, async () => {
      for (const {spec, job} of await look(qmp, specs)) {
        if (job?.status === 'concluded') await send(qmp, jobDismiss(spec.job))
        else if (job !== undefined) return undefined
      }
      return true
    })
  })
  return 'changed'
}

async function look(qmp: QmpSession, disks: readonly MirrorSpec[]): Promise<readonly Mirror[]> {
  const {running} = await queryStatus(qmp)
  const graph = await queryBlockGraph(qmp)
  const jobs = await queryJobs(qmp)
  return disks.map((spec) => {
    const job = jobs.find(({id}) => id === spec.job)
    return {spec, job, phase: isChild(graph, spec.quorum, spec.target) ? 'attached' : phaseOf(job, running)}
  })
}

/** `standby` is a paused `ready`: the job flips to it and back while it drains. */
function phaseOf(job: Job | undefined, running: boolean): Mirror['phase'] {
  if (job === undefined) return 'absent'
  if (job.error !== undefined) return 'failed'
  switch (job.status) {
    case 'ready':
    case 'standby':
      return 'ready'
    case 'waiting':
    case 'pending':
    case 'concluded':
      return running ? 'stale' : 'ended'
    default:
      return 'copying'
  }
}

/** While the mirrors of a running guest are waited for, none of them may end. */
function failIfEnded({spec, phase, job}: Mirror): void {
  const reasons: Partial<Record<Mirror['phase'], string>> = {
    absent: 'its job is gone',
    failed: job?.error ?? 'no reason given',
    stale: 'its job ended while the guest ran on',
  }
  const why = reasons[phase]
  if (why === undefined) return
  throw new ColoError(
    'mirror-failed',
    exitCodes.internal,
    `mirror ${spec.job} of ${spec.quorum} to ${spec.target} failed: ${why}`,
  )
}

function assertFinishable(mirror: Mirror): void {
  failIfEnded(mirror)
  if (mirror.phase !== 'copying') return
  const {spec, job} = mirror
  throw new StateError(
    `mirror ${spec.job} of ${spec.quorum} is ${job?.status ?? 'gone'}: ${spec.target} is not equal to it`,
    {actual: job?.status ?? 'gone', required: ['ready']},
    {hint: 'copy the disks again'},
  )
}

function progressOf(mirrors: readonly Mirror[]): {readonly done: number; readonly total: number} {
  const jobs = mirrors.map(({job}) => job).filter((job) => job !== undefined)
  return {
    done: jobs.reduce((sum, job) => sum + job.currentProgress, 0),
    total: jobs.reduce((sum, job) => sum + job.totalProgress, 0),
  }
}

function targets(disks: readonly MirrorSpec[]): string[] {
  return disks.map(({target}) => target)
}

function names(disks: readonly MirrorSpec[]): string {
  return disks.map(({quorum}) => quorum).join(', ')
}

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
import {whileStopped} from './stopped.js'

const jobEvents = ['JOB_STATUS_CHANGE', 'BLOCK_JOB_READY', 'BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED']
/** a mirror that is ready has at most some requests in flight; the guest stands still meanwhile */
const CONCLUDE_MS = 10_000
const ABORT_MS = 30_000

/** What is known of one mirror: whether its target is replicated to already, and its job. */
interface Mirror {
  readonly spec: MirrorSpec
  readonly attached: boolean
  readonly job: Job | undefined
}

/**
 * See the action `mirrors`. A job that concluded well counts as ready while the guest has stood still since, as after a crash in
 * the middle of {@link finishMirrors}.
 */
export const startMirrors: Perform<ActionOf<'mirrors'>> = async ({disks, timeoutMs}, context) => {
  const qmp = await context.vm.qmp()
  const running = (await queryStatus(qmp)).running
  let outcome: 'changed' | 'unchanged' = 'unchanged'
  for (const {spec, attached, job} of await look(qmp, disks)) {
    if (attached || isUsable(job, running)) continue
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
    if (done !== reported) context.report(`${done} of ${total} bytes of ${disks.length} disks copied`, {done, total})
    reported = done
    return mirrors.every(({attached, job}) => attached || isReady(job)) ? true : undefined
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
  const {status, running} = await queryStatus(qmp)
  const open = mirrors.filter(({attached}) => !attached)
  const jobs = mirrors.filter(({job}) => job !== undefined)
  if (open.length === 0 && jobs.length === 0 && status !== 'paused') return 'unchanged'
  for (const mirror of open) assertFinishable(mirror, running)
  await whileStopped(context, qmp, disks, async () => {
    for (const {spec, job} of open) if (job?.status !== 'concluded') await send(qmp, mirrorCancel(spec.job, false))
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
  for (const {spec, job} of left) if (job?.status !== 'concluded') await send(qmp, mirrorCancel(spec.job, true))
  const specs = left.map(({spec}) => spec)
  const wait = {what: `the mirrors of ${names(specs)} to end`, events: jobEvents, timeoutMs: ABORT_MS}
  await settle(context, qmp, wait, async () => {
    for (const {spec, job} of await look(qmp, specs)) {
      if (job?.status === 'concluded') await send(qmp, jobDismiss(spec.job))
      else if (job !== undefined) return undefined
    }
    return true
  })
  return 'changed'
}

async function look(qmp: QmpSession, disks: readonly MirrorSpec[]): Promise<readonly Mirror[]> {
  const graph = await queryBlockGraph(qmp)
  const jobs = await queryJobs(qmp)
  return disks.map((spec) => ({
    spec,
    attached: isChild(graph, spec.quorum, spec.target),
    job: jobs.find(({id}) => id === spec.job),
  }))
}

/** `standby` is a paused `ready`: the job flips to it and back while it drains. */
function isReady(job: Job | undefined): boolean {
  if (job === undefined || job.error !== undefined) return false
  return job.status === 'ready' || job.status === 'standby' || job.status === 'concluded'
}

/** Whether a job that exists can be waited for; one that concluded while the guest ran on has missed writes. */
function isUsable(job: Job | undefined, running: boolean): boolean {
  if (job === undefined || job.error !== undefined) return false
  return job.status !== 'concluded' || !running
}

function failIfEnded({spec, attached, job}: Mirror): void {
  if (attached || (job !== undefined && job.error === undefined)) return
  const why = job?.error ?? 'its job is gone'
  throw new ColoError(
    'mirror-failed',
    exitCodes.internal,
    `mirror ${spec.job} of ${spec.quorum} to ${spec.target} failed: ${why}`,
  )
}

function assertFinishable(mirror: Mirror, running: boolean): void {
  failIfEnded(mirror)
  const {spec, job} = mirror
  if (isReady(job) && (job?.status !== 'concluded' || !running)) return
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

function names(disks: readonly MirrorSpec[]): string {
  return disks.map(({quorum}) => quorum).join(', ')
}

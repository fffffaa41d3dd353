import {field, integer, listOf, maybe, nothing, record, text} from '../decode.js'
import {call, present, type CallOptions, type QmpExecutor} from './call.js'

export interface MirrorOptions {
  readonly jobId: string
  /** node or device that is copied */
  readonly device: string
  /** node that is written */
  readonly target: string
  readonly sync: 'full' | 'top' | 'none'
  /** false keeps the concluded job until `job-dismiss`, so that its outcome can be read */
  readonly autoDismiss?: boolean | undefined
}

/** Starts a mirror job and returns at once; it is `ready` when both are equal. */
export function blockdevMirror(qmp: QmpExecutor, mirror: MirrorOptions, options?: CallOptions): Promise<void> {
  const args = present({
    'job-id': mirror.jobId,
    device: mirror.device,
    target: mirror.target,
    sync: mirror.sync,
    'auto-dismiss': mirror.autoDismiss,
  })
  return call(qmp, {name: 'blockdev-mirror', args, returns: nothing}, options)
}

/**
 * Ends a job and returns at once. A mirror that is ready concludes with an equal target unless `force` is set.
 *
 * @param jobId QEMU calls it `device`
 */
export function blockJobCancel(
  qmp: QmpExecutor,
  jobId: string,
  {force, ...options}: CallOptions & {readonly force?: boolean | undefined} = {},
): Promise<void> {
  return call(qmp, {name: 'block-job-cancel', args: present({device: jobId, force}), returns: nothing}, options)
}

/** Known up to QEMU 11.1; `ready` flips to `standby` and back while a mirror drains: treat it as a level. */
export type JobStatus =
  | 'undefined'
  | 'created'
  | 'running'
  | 'paused'
  | 'ready'
  | 'standby'
  | 'waiting'
  | 'pending'
  | 'aborting'
  | 'concluded'
  | 'null'
  | (string & Record<never, never>)

export interface Job {
  readonly id: string
  readonly type: string
  readonly status: JobStatus
  /** bytes for block jobs; may shrink and grow */
  readonly currentProgress: number
  readonly totalProgress: number
  /** set when it failed; a cancelled mirror that was ready has none */
  readonly error: string | undefined
}

const job = record<Job>({
  id: field('id', text),
  type: field('type', text),
  status: field('status', text),
  currentProgress: field('current-progress', integer),
  totalProgress: field('total-progress', integer),
  error: maybe('error', text),
})

/** All jobs that have not been dismissed. The commit after a failover is not among them. */
export function queryJobs(qmp: QmpExecutor, options?: CallOptions): Promise<readonly Job[]> {
  return call(qmp, {name: 'query-jobs', returns: listOf(job)}, options)
}

/** Removes a concluded job. */
export function jobDismiss(qmp: QmpExecutor, id: string, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'job-dismiss', args: {id}, returns: nothing}, options)
}

import {field, flag, nothing, record, text} from '../decode.js'
import {call, type CallOptions, type QmpExecutor} from './call.js'

/** Run states known up to QEMU 11.1; a newer QEMU may have more. @see qemu/qemu qapi/run-state.json, RunState */
export type RunState =
  | 'debug'
  | 'inmigrate'
  | 'internal-error'
  | 'io-error'
  | 'paused'
  | 'postmigrate'
  | 'prelaunch'
  | 'finish-migrate'
  | 'restore-vm'
  | 'running'
  | 'save-vm'
  | 'shutdown'
  | 'suspended'
  | 'watchdog'
  | 'guest-panicked'
  | 'colo'
  | (string & Record<never, never>)

/** `running` is false inside a checkpoint, where `status` is `colo`. */
export interface VmStatus {
  readonly status: RunState
  readonly running: boolean
}

const vmStatus = record<VmStatus>({status: field('status', text), running: field('running', flag)})

/** The run state. After the peer died it still says `running`: use it together with the events. */
export function queryStatus(qmp: QmpExecutor, options?: CallOptions): Promise<VmStatus> {
  return call(qmp, {name: 'query-status', returns: vmStatus}, options)
}

/** Pauses the guest. While COLO runs the next checkpoint undoes it silently. */
export function stop(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'stop', returns: nothing}, options)
}

/** Lets the guest run. Inside a checkpoint it may corrupt the guest; refused there from QEMU 11.0. */
export function cont(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'cont', returns: nothing}, options)
}

/** Resets the machine, as its reset button does. Between two checkpoints only: inside one the copies would get halves of it. */
export function reset(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'system_reset', returns: nothing}, options)
}

/** Ends QEMU. The reply comes first; the connection ends soon after, see `closed`. */
export function quit(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'quit', returns: nothing}, options)
}

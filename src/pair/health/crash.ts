import type {MemberObservation} from '../observation.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** A guest whose kernel has panicked is as well protected as before, and of no use to anybody. */
export function crashReasons(pair: string, {host, panickedAtMs}: MemberObservation): Reason[] {
  if (panickedAtMs === undefined) return []
  const message = `the guest's kernel panicked on ${host} at ${new Date(panickedAtMs).toISOString()} and has not been reset since`
  return [reason('guest-panicked', message, {host, remedy: `on ${host}: virsh reset ${pair}`})]
}

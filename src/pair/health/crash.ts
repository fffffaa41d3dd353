import type {MemberObservation} from '../observation.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** A guest whose kernel has panicked is as well protected as before, and of no use to anybody. */
export function crashReasons(pair: string, {host, panickedAtMs}: MemberObservation): Reason[] {
  if (panickedAtMs === undefined) return []
  const message = `the guest's kernel panicked on ${host} at ${new Date(panickedAtMs).toISOString()} and has not been reset since`
  return [reason('guest-panicked', message, {host, remedy: `on ${host}: virsh reset ${pair}`})]
}

/** Fewer are a divergence, as one panic is. */
const tellingPanics = 3

/**
 * A secondary whose guest does not survive any checkpoint, while the primary's runs: it is level at each, and would crash when it took over. Seen
 * where its QEMU runs stale translations of code (TCG, decision 16).
 */
export function secondaryCrashFaults(pair: string, {host, panicsInARow = 0}: MemberObservation): Reason[] {
  if (panicsInARow < tellingPanics) return []
  const message = `the guest's kernel on ${host} panicked after each of the last ${panicsInARow} checkpoints, the primary's did not: this copy would not live`
  return [reason('secondary-panics', message, {host, remedy: `colo pair resync ${pair}`, repairable: true})]
}

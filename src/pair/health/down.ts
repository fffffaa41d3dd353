import type {MemberObservation} from '../observation.js'
import {faultText} from '../start-rules.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** What keeps a copy that does not run from being started: its files, or what its agent waits for since the host has booted. */
export function downReasons(pair: string, {host, record, domain, copyFaults = [], boot}: MemberObservation): Reason[] {
  if (record === undefined || domain !== 'absent') return []
  const {stale, incomplete} = record.marks
  if (stale !== undefined || incomplete?.why === 'resync') return []
  const remedy = `colo pair start ${pair}`
  const files = copyFaults.map((fault) => reason(fault.kind, faultText(host, fault), {host, remedy}))
  if (boot === undefined || record.clean) return files
  const code = boot.kind === 'wait' ? 'boot-waits' : 'boot-left'
  return [...files, reason(code, `the agent on ${host} has not started it since the boot: ${boot.why}`, {host, remedy})]
}

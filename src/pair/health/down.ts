import type {MemberObservation} from '../observation.js'
import type {PairRecord} from '../record.js'
import {faultText} from '../start-rules.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** What keeps a copy that does not run from being started: its files, or what its agent waits for since the host has booted. */
export function downReasons(pair: string, {host, record, domain, copyFaults = [], boot}: MemberObservation): Reason[] {
  if (record === undefined || domain !== 'absent') return []
  const {stale, incomplete} = record.marks
  if (stale !== undefined || incomplete?.why === 'resync') return []
  const remedy = remedyOf(pair, record)
  const files = copyFaults.map((fault) =>
    reason(fault.kind, faultText(host, fault), {host, remedy: `colo pair start ${pair}`}),
  )
  if (boot === undefined || record.clean) return files
  const code = boot.kind === 'wait' ? 'boot-waits' : 'boot-left'
  return [...files, reason(code, `the agent on ${host} has not started it since the boot: ${boot.why}`, {host, remedy})]
}

/** What a person says instead of the peer that the agent waits for; of a copy that went on alone nothing beside that. */
function remedyOf(pair: string, {host, peer, alone}: PairRecord): string {
  if (alone) return `colo pair start ${pair}`
  return `colo pair start ${pair}; when ${peer} is lost, and its copy did not go on: colo pair start ${pair} --alone ${host}`
}

/** Of the outdated copy of a host that is back, while the other one goes on alone: why its agent has not protected the pair again. */
export function returnReasons(pair: string, {host, domain, boot}: MemberObservation): Reason[] {
  if (domain !== 'absent' || boot === undefined) return []
  const message = `the agent on ${host} has not protected it again since the boot: ${boot.why}`
  return [
    reason(boot.kind === 'wait' ? 'boot-waits' : 'boot-left', message, {host, remedy: `colo pair resync ${pair}`}),
  ]
}

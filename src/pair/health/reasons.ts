import type {MemberObservation} from '../observation.js'
import type {Reason, Seen} from '../status.js'

interface ReasonOptions {
  readonly host?: string
  readonly remedy?: string
  readonly repairable?: boolean
}

/** A reason; repairable only when said so. */
export function reason(code: string, message: string, options: ReasonOptions = {}): Reason {
  return {
    code,
    message,
    repairable: options.repairable ?? false,
    ...(options.host === undefined ? {} : {host: options.host}),
    ...(options.remedy === undefined ? {} : {remedy: options.remedy}),
  }
}

/** A host of the pair that answers and knows nothing of it: its copy was taken back, or removed there alone. */
export function strangerReason(pair: string, {host, member}: Extract<Seen, {member: MemberObservation}>): Reason[] {
  return member.record === undefined
    ? [reason('no-record', `${host} answers, but has no record of ${pair}`, {host})]
    : []
}

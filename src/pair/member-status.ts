import {currencyOf} from './record.js'
import type {MemberStatus, Seen} from './status.js'

/** One side of a pair as `colo pair status` shows it. */
export function memberStatus(seen: Seen): MemberStatus {
  if ('unreachable' in seen) {
    return {
      host: seen.host,
      reachable: false,
      role: undefined,
      currency: undefined,
      domain: 'unknown',
      qemu: undefined,
      epoch: undefined,
      alone: false,
    }
  }
  const {host, member} = {host: seen.host, member: seen.member}
  const {record} = member
  return {
    host,
    reachable: true,
    role: record?.role,
    currency: record === undefined ? undefined : member.blindSince === undefined ? currencyOf(record) : 'unknown',
    domain: member.domain,
    qemu: member.vm?.qemuVersion,
    epoch: record?.generation.epoch,
    alone: record?.alone ?? false,
  }
}

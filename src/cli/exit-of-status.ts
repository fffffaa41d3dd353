import {exitCodes, type ExitCode} from '../exit-codes.js'
import type {PairStatus} from '../pair/status.js'

/**
 * Status of `colo pair status`: 0 protected, 11 protected with reasons, 12 split-brain, 20 when no host of the pair answers, else 10.
 */
export function exitOfStatus(status: PairStatus): ExitCode {
  if (status.members.length > 0 && status.members.every(({reachable}) => !reachable)) return exitCodes.unreachable
  if (status.state === 'split-brain') return exitCodes.splitBrain
  if (status.state !== 'protected') return exitCodes.notProtected
  return status.reasons.length > 0 ? exitCodes.degraded : exitCodes.done
}

import type {MemberObservation} from '../observation.js'
import type {PairState, Reason} from '../status.js'
import {reason} from './reasons.js'

/** Lost writes and lost comparison end protection; a missing beat only makes it doubtful. */
export function worstOf(faults: readonly Reason[]): PairState {
  const doubtful = ['no-beat', 'unseen', 'colo-exit', 'forward-touched', 'secondary-panics']
  return faults.every(({code}) => doubtful.includes(code)) ? 'suspect' : 'unprotected'
}

/** Both QEMUs must say that they are in lock-step. */
export function modeFaults(pair: string, primary: MemberObservation, secondary: MemberObservation): Reason[] {
  const expected = [
    [primary, 'primary'],
    [secondary, 'secondary'],
  ] as const
  return expected.flatMap(([member, mode]) =>
    member.vm?.coloMode === mode
      ? []
      : [
          reason('not-in-lock-step', `QEMU on ${member.host} is not ${mode} of a COLO pair`, {
            host: member.host,
            remedy: `colo pair resync ${pair}`,
            repairable: true,
          }),
        ],
  )
}

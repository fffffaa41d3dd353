import type {MemberObservation} from '../observation.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** What somebody did to a running copy behind the pair's back, with virsh for instance; each with what takes it back. */
export function meddlingReasons(pair: string, {host, vm, attached = []}: MemberObservation): Reason[] {
  const inLockStep = vm?.coloMode !== undefined && vm.coloMode !== 'none'
  const remedy = inLockStep ? `colo pair checkpoint ${pair}` : `on ${host}: virsh resume ${pair}`
  const paused =
    vm?.status === 'paused'
      ? [
          reason('guest-paused', `the guest stands still on ${host}${inLockStep ? ' until the next checkpoint' : ''}`, {
            host,
            remedy,
          }),
        ]
      : []
  return [
    ...paused,
    ...attached.map((id) =>
      reason('device-attached', `device ${id} on ${host} is not part of the pair: no second copy can be made with it`, {
        host,
        remedy: `on ${host}: virsh detach-device-alias ${pair} ${id} --live`,
      }),
    ),
  ]
}

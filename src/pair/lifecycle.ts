import {UsageError} from '../errors.js'
import type {Role} from './record.js'
import type {PairSpec} from './spec.js'

/** What libvirt does to one copy when its guest ends or resets itself. */
export interface Lifecycle {
  readonly poweroff: 'destroy' | 'restart'
  readonly reboot: 'destroy' | 'restart'
}

/**
 * What libvirt does when the guest ends. On the primary `destroy` ends QEMU within milliseconds of its SHUTDOWN event, after the disks
 * were flushed; its agent then tells the peer (libvirt's QEMU driver has nothing that keeps the process: `preserve` is refused).
 *
 * A secondary never ends by itself: libvirt would take it away just before the primary's last flush, and a shutdown that only the secondary
 * saw is a divergence. It is reset instead, and brought level by the next checkpoint.
 *
 * @throws {UsageError} for the one combination libvirt refuses
 */
export function lifecycleOf({onPoweroff, onReboot}: PairSpec['vm'], role: Role): Lifecycle {
  if (onPoweroff === 'restart' && onReboot === 'stop') {
    throw new UsageError('vm: onPoweroff restart with onReboot stop is not possible under libvirt', {
      hint: 'choose onReboot: restart, or onPoweroff: stop',
    })
  }
  if (role === 'secondary') return {poweroff: 'restart', reboot: 'restart'}
  const word = (action: 'restart' | 'stop'): 'restart' | 'destroy' => (action === 'restart' ? 'restart' : 'destroy')
  return {poweroff: word(onPoweroff), reboot: word(onReboot)}
}

import {TimedOutError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import {queryStatus, quit, stop} from '../qmp/commands/status.js'
import type {QmpSession} from '../qmp/session.js'

const STOP_MS = 10_000
/** `stop` in the middle of a checkpoint does not last: it is given again */
const CUT_ATTEMPTS = 20
const CUT_PAUSE_MS = 50

/**
 * Ends a guest without asking it, with everything on its disks that it had written: `stop` is answered when every disk was flushed.
 *
 * @param cut  called when the guest stands still and QEMU is about to be told to end
 * @returns when QEMU was told; it ends soon after
 * @throws {TimedOutError} when the guest does not stay stopped: what it writes then would not be known to be flushed
 */
export async function cutPower(
  qmp: QmpSession,
  {clock, signal, cut}: {readonly clock: Clock; readonly signal: AbortSignal; readonly cut: () => void},
): Promise<void> {
  for (let attempt = 1; attempt <= CUT_ATTEMPTS; attempt++) {
    await stop(qmp, {timeoutMs: STOP_MS})
    const {running, status} = await queryStatus(qmp)
    if (!running && status !== 'colo') {
      cut()
      await quit(qmp)
      return
    }
    await clock.sleep(CUT_PAUSE_MS, signal)
  }
  throw new TimedOutError(
    'the guest could not be stopped: each time a checkpoint let it go on',
    CUT_ATTEMPTS * CUT_PAUSE_MS,
    {
      hint: 'nothing was cut; a peer that hangs in a checkpoint is left behind by a failover first',
    },
  )
}

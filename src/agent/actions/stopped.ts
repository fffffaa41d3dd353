import {continueVm, stopVm} from '../../net/migration.js'
import {queryStatus} from '../../qmp/commands/status.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionContext} from '../action-context.js'
import {send} from './common.js'
import {unlessHung} from './hung.js'

/** `stop` waits for requests in flight and flushes the disks */
const STOP_MS = 5000

/**
 * Runs `body` while the guest stands still, and lets it go on whatever happens. A guest that is `paused` already was stopped by an
 * earlier run that was cut off, and goes on too; one that never ran (`prelaunch`) stays as it is.
 *
 * @param nodes NBD clients whose peer may hang; their connections are cut then, else the guest would stand still for ever
 * @throws what `body` throws, after the guest goes on
 */
export function whileStopped(
  context: ActionContext,
  qmp: QmpSession,
  nodes: readonly string[],
  body: () => Promise<void>,
): Promise<void> {
  return unlessHung(context, nodes, async (cut) => {
    const {running, status} = await queryStatus(qmp)
    const goOn = async (): Promise<void> => {
      if (running || status === 'paused') await send(qmp, continueVm)
    }
    const startedMs = context.clock.monotonic()
    try {
      if (running) await send(qmp, stopVm, {timeoutMs: STOP_MS})
      await body()
    } catch (error) {
      await cut(error)
      await goOn().catch((failure: unknown) => {
        context.report(`the guest of ${context.pair} could not be continued: ${String(failure)}`)
      })
      throw error
    }
    await goOn()
    if (running) context.report(`the guest stood still for ${Math.round(context.clock.monotonic() - startedMs)} ms`)
  })
}

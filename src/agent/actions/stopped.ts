import {TimedOutError} from '../../errors.js'
import {continueVm, stopVm, yank, yankable} from '../../net/migration.js'
import type {MirrorSpec} from '../../plan/action.js'
import {queryStatus} from '../../qmp/commands/status.js'
import {queryYank} from '../../qmp/commands/yank.js'
import {QmpTimeoutError} from '../../qmp/errors.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionContext} from '../action-context.js'
import {send} from './common.js'

const STOP_MS = 10_000

/**
 * Runs `body` while the guest stands still, and lets it go on whatever happens. A guest that is `paused` already was stopped by an
 * earlier run that was cut off, and goes on too; one that never ran (`prelaunch`) stays as it is.
 *
 * `stop` waits for requests in flight. When it, or `body`, takes too long the peer hangs: its connections are cut out of band, else the
 * guest would stand still for ever.
 *
 * @throws what `body` throws, after the guest goes on
 */
export async function whileStopped(
  context: ActionContext,
  qmp: QmpSession,
  disks: readonly MirrorSpec[],
  body: () => Promise<void>,
): Promise<void> {
  const {running, status} = await queryStatus(qmp)
  const goOn = async (): Promise<void> => {
    if (running || status === 'paused') await send(qmp, continueVm)
  }
  const startedMs = context.clock.monotonic()
  try {
    if (running) await send(qmp, stopVm, {timeoutMs: STOP_MS})
    await body()
  } catch (error) {
    const late = error instanceof QmpTimeoutError || error instanceof TimedOutError
    if (late) await cut(context, disks).catch(() => undefined)
    await goOn().catch((failure: unknown) => {
      context.report(`the guest of ${context.pair} could not be continued: ${String(failure)}`)
    })
    throw error
  }
  await goOn()
  if (running) context.report(`the guest stood still for ${Math.round(context.clock.monotonic() - startedMs)} ms`)
}

async function cut(context: ActionContext, disks: readonly MirrorSpec[]): Promise<void> {
  await context.vm.withYank(async (session) => {
    const wanted = disks.map(({target}) => ({type: 'block-node', 'node-name': target}) as const)
    const instances = yankable(wanted, await queryYank(session, {oob: true}))
    if (instances.length > 0) await send(session, yank(instances), {oob: true})
  })
}

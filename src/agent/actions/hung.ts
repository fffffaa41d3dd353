import {TimedOutError} from '../../errors.js'
import {yank, yankable} from '../../net/migration.js'
import {queryYank} from '../../qmp/commands/yank.js'
import {QmpTimeoutError} from '../../qmp/errors.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionContext} from '../action-context.js'
import {send} from './common.js'

const YANK_MS = 2000

/**
 * Runs something that waits for requests to the peer inside QEMU's main loop. When a limit passes in `body` the peer hangs: the
 * connections of these nodes are cut out of band, so that QEMU answers again, and the error is passed on.
 *
 * The out-of-band session is opened before: `qmp_capabilities`, which opens one, needs the main loop itself.
 *
 * @param nodes names of NBD client nodes
 */
export function unlessHung<R>(
  context: ActionContext,
  nodes: readonly string[],
  body: (cut: (error: unknown) => Promise<void>) => Promise<R>,
): Promise<R> {
  return context.vm.withYank(async (session) => {
    let isCut = false
    const cut = async (error: unknown): Promise<void> => {
      if (isCut || !(error instanceof QmpTimeoutError || error instanceof TimedOutError)) return
      isCut = true
      await cutNodes(session, nodes).catch((failure: unknown) => {
        context.report(`the connections of ${nodes.join(', ')} could not be cut: ${String(failure)}`)
      })
    }
    try {
      return await body(cut)
    } catch (error) {
      await cut(error)
      throw error
    }
  })
}

async function cutNodes(session: QmpSession, nodes: readonly string[]): Promise<void> {
  const options = {oob: true, timeoutMs: YANK_MS}
  const wanted = nodes.map((node) => ({type: 'block-node', 'node-name': node}) as const)
  const instances = yankable(wanted, await queryYank(session, options))
  if (instances.length > 0) await send(session, yank(instances), options)
}

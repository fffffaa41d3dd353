import {
  exportAdd,
  nbdNodeAdd,
  nbdServerStart,
  nbdServerStop,
  nodeDel,
  quorumAdd,
  quorumRemove,
} from '../../block/commands.js'
import {childrenOf, hasNode, isChild} from '../../block/graph.js'
import {StateError} from '../../errors.js'
import {queryBlockGraph} from '../../qmp/commands/block-nodes.js'
import {queryBlockExports} from '../../qmp/commands/nbd.js'
import {QmpCommandError} from '../../qmp/errors.js'
import type {QmpSession} from '../../qmp/session.js'
import {send, type ActionOf, type Perform} from './common.js'

/** connecting to the peer happens within the command */
const CONNECT_MS = 20_000

/**
 * See the action `nbd-server`. QEMU has no query for it, so this tries. A refusal with exports means that it runs, since exports live
 * and die with the server; one without exports may be a server nobody uses, with another address: that one is replaced.
 */
export const nbdServer: Perform<ActionOf<'nbd-server'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  if (action.ensure === 'absent') {
    const refusal = await refusalOf(() => send(qmp, nbdServerStop))
    if (refusal === undefined) return 'changed'
    if (await isServing(qmp)) throw refusal
    return 'unchanged'
  }
  const start = nbdServerStart(action)
  const refusal = await refusalOf(() => send(qmp, start))
  if (refusal === undefined) return 'changed'
  if (await isServing(qmp)) return 'unchanged'
  if ((await refusalOf(() => send(qmp, nbdServerStop))) !== undefined) throw refusal // none runs: it could not be started
  await send(qmp, start)
  return 'changed'
}

/** See the action `export`. Known by its id: while COLO runs QEMU tells another node for it. */
export const exportNode: Perform<ActionOf<'export'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  const found = (await queryBlockExports(qmp)).find(({id}) => id === action.id)
  if (found?.shuttingDown === false) return 'unchanged'
  await send(qmp, exportAdd(action))
  return 'changed'
}

/** See the action `nbd-node`. */
export const nbdNode: Perform<ActionOf<'nbd-node'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  const exists = hasNode(await queryBlockGraph(qmp), action.node)
  if (exists === (action.ensure === 'present')) return 'unchanged'
  if (action.ensure === 'absent') await send(qmp, nodeDel(action.node))
  else await send(qmp, nbdNodeAdd(action), {timeoutMs: CONNECT_MS})
  return 'changed'
}

/** See the action `quorum-child-add`. */
export const addQuorumChild: Perform<ActionOf<'quorum-child-add'>> = async ({quorum, node}, context) => {
  const qmp = await context.vm.qmp()
  if (isChild(await queryBlockGraph(qmp), quorum, node)) return 'unchanged'
  await send(qmp, quorumAdd(quorum, node))
  return 'changed'
}

/** See the action `quorum-child-remove`. With a hung peer it would block QEMU for ever: a yank comes before it in every plan. */
export const removeQuorumChild: Perform<ActionOf<'quorum-child-remove'>> = async ({quorum, child}, context) => {
  const qmp = await context.vm.qmp()
  const graph = await queryBlockGraph(qmp)
  if (!hasNode(graph, quorum)) {
    throw new StateError(`${context.pair} has no disk ${quorum}`, {actual: 'absent', required: [quorum]})
  }
  if (!childrenOf(graph, quorum).has(child)) return 'unchanged'
  await send(qmp, quorumRemove(quorum, child))
  return 'changed'
}

async function isServing(qmp: QmpSession): Promise<boolean> {
  return (await queryBlockExports(qmp)).some(({type}) => type === 'nbd')
}

async function refusalOf(attempt: () => Promise<void>): Promise<QmpCommandError | undefined> {
  try {
    await attempt()
    return undefined
  } catch (error) {
    if (error instanceof QmpCommandError) return error
    throw error
  }
}

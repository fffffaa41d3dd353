import type {PairLayout} from '../pair/layout.js'
import type {LatchedFact} from '../pair/observation.js'
import type {Role} from '../pair/record.js'
import {queryBlockGraph} from '../qmp/commands/block-nodes.js'
import {queryColoStatus} from '../qmp/commands/colo.js'
import {queryBlockExports} from '../qmp/commands/nbd.js'
import {queryStatus} from '../qmp/commands/status.js'
import {QmpError} from '../qmp/errors.js'
import type {QmpSession} from '../qmp/session.js'
import type {NbdState} from './nbd-connections.js'
import {diskView} from './observe-vm.js'

const LIMIT_MS = 2000

/**
 * Whether an agent that was blind for a while may trust its member again: the very NBD connection of the protection is in use, the
 * migration stream lives, the mode is still the role's, every disk is wired as at the beginning, and nothing bad was latched.
 *
 * What it cannot see: on a primary, one write that the secondary refused over a connection that stayed up.
 */
export async function positivelyChecked(
  qmp: QmpSession,
  known: {
    readonly role: Role
    readonly layout: PairLayout
    readonly nbd: NbdState
    readonly migrationAlive: boolean
    readonly latched: readonly LatchedFact[]
  },
): Promise<boolean> {
  const {role, layout, nbd, migrationAlive, latched} = known
  if (nbd !== 'connected' || !migrationAlive || latched.length > 0) return false
  const limit = {timeoutMs: LIMIT_MS}
  try {
    const [colo, status, graph, exports] = await Promise.all([
      queryColoStatus(qmp, limit),
      queryStatus(qmp, limit),
      queryBlockGraph(qmp, limit),
      queryBlockExports(qmp, limit),
    ])
    if (colo.mode !== role || !['running', 'colo'].includes(status.status)) return false
    return layout.disks.every((disk) =>
      role === 'primary'
        ? diskView(graph, disk).children.includes(disk.nbd)
        : exports.some(({id, shuttingDown}) => id === disk.exportId && !shuttingDown),
    )
  } catch (error) {
    if (error instanceof QmpError) return false
    throw error
  }
}

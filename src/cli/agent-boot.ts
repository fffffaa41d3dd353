import type {Agent} from '../agent/agent.js'
import {ColoError, RefusedError} from '../errors.js'
import {bootOwner} from '../pair/boot-owner.js'
import type {RejoinOutcome} from '../operation/rejoin.js'
import type {HostEntry, Inventory} from '../pair/inventory.js'
import type {HostName} from '../pair/spec.js'
import {openContext, silentProgress, type OpenContext} from './context.js'

/**
 * What the resident process does by itself once its host has booted, as a client of its own agent: it starts the copies that the start rules
 * allow, and makes the outdated ones secondaries again. Settles when nothing is left to do, or the signal aborts; never rejects.
 *
 * @param tell  gets one line for each start and each failure
 */
export async function bootPairs(
  agent: Agent,
  options: {readonly socketPath: string; readonly signal: AbortSignal; readonly tell: (text: string) => void},
): Promise<void> {
  const {socketPath, signal, tell} = options
  const host = ownEntry(agent.hello.host)
  const opened = await openAlone({socketPath, signal}, {file: 'of this host alone', hosts: [host]}, host)
  try {
    const {startAfterBoot} = await import('../operation/boot-start.js')
    const rejoin = (pair: string): Promise<RejoinOutcome> => rejoinWithInventory(pair, host, {socketPath, signal})
    await startAfterBoot(opened.context, {host, signal, tell, rejoin})
  } catch (error) {
    if (signal.aborted) return
    tell(
      `pairs are not started any more: ${error instanceof ColoError ? error.message : String((error as Error).stack)}`,
    )
  } finally {
    opened.close()
  }
}

interface Place {
  readonly socketPath: string
  readonly signal: AbortSignal
}

/** A context of the agent's own: nobody can be asked, and its own host is reached over its own socket. */
async function openAlone({socketPath, signal}: Place, inventory: Inventory, host: HostEntry): Promise<OpenContext> {
  const opened = await openContext({
    inventory,
    connect: async (entry, aborted) => {
      const [{connectAgent}, {systemClock}, {run}] = await Promise.all([
        import('../host/connection.js'),
        import('../os/clock.js'),
        import('../os/process.js'),
      ])
      const [target, env] =
        entry.name === host.name ? [host, {...process.env, COLO_AGENT_SOCKET: socketPath}] : [entry, process.env]
      return connectAgent(target, {clock: systemClock, run, signal: aborted, env})
    },
    signal,
    progress: silentProgress.sink,
    confirm: async ({text}) => {
      throw new RefusedError(`nobody is there to answer: ${text}`)
    },
  })
  return {...opened, context: {...opened.context, owner: bootOwner(host.name)}}
}

/** The resync needs steps on both hosts: the inventory of this one says how the other is reached. */
async function rejoinWithInventory(pair: string, host: HostEntry, place: Place): Promise<RejoinOutcome> {
  const [{loadInventory}, {homedir}, {rejoinPair}] = await Promise.all([
    import('../config/hosts-file.js'),
    import('node:os'),
    import('../operation/rejoin.js'),
  ])
  try {
    const inventory = await loadInventory({env: process.env, home: homedir()})
    const opened = await openAlone(place, inventory, host)
    try {
      return await rejoinPair(opened.context, pair, host.name)
    } finally {
      opened.close()
    }
  } catch (error) {
    if (!(error instanceof ColoError) || place.signal.aborted) throw error
    return {kind: 'failed', why: error.message}
  }
}

/** Only the agent's own socket is ever used of it. */
function ownEntry(name: string): HostEntry {
  return {
    name: name as HostName,
    connection: {kind: 'local'},
    replication: '127.0.0.1',
    ports: {from: 1, to: 1},
    scratch: '/',
    images: '/',
    bridges: [],
    forward: [],
    limits: {},
  }
}

import type {Agent} from '../agent/agent.js'
import {ColoError, RefusedError} from '../errors.js'
import type {HostEntry} from '../pair/inventory.js'
import type {HostName} from '../pair/spec.js'
import {openContext, silentProgress} from './context.js'

/**
 * What the resident process does by itself once its host has booted: it starts the copies that the start rules allow, as a client of its
 * own agent. Settles when nothing is left to do, or the signal aborts; never rejects.
 *
 * @param tell  gets one line for each start and each failure
 */
export async function bootPairs(
  agent: Agent,
  options: {readonly socketPath: string; readonly signal: AbortSignal; readonly tell: (text: string) => void},
): Promise<void> {
  const {socketPath, signal, tell} = options
  const host = ownEntry(agent.hello.host)
  const opened = await openContext({
    inventory: {file: 'of this host alone', hosts: [host]},
    connect: async (entry, aborted) => {
      const [{connectAgent}, {systemClock}, {run}] = await Promise.all([
        import('../host/connection.js'),
        import('../os/clock.js'),
        import('../os/process.js'),
      ])
      return connectAgent(entry, {clock: systemClock, run, signal: aborted, env: {COLO_AGENT_SOCKET: socketPath}})
    },
    signal,
    progress: silentProgress.sink,
    confirm: async ({text}) => {
      throw new RefusedError(`nobody is there to answer: ${text}`)
    },
  })
  try {
    const {startAfterBoot} = await import('../operation/boot-start.js')
    await startAfterBoot({...opened.context, owner: `the agent on ${host.name}, after its boot`}, {host, signal, tell})
  } catch (error) {
    if (signal.aborted) return
    tell(
      `pairs are not started any more: ${error instanceof ColoError ? error.message : String((error as Error).stack)}`,
    )
  } finally {
    opened.close()
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

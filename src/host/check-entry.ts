import type {HostEntry} from '../pair/inventory.js'
import type {AgentClient} from './agent-client.js'
import {pass, type Check} from './check.js'
import {checkReplicationAddress} from './rules/network.js'
import {checkHostName} from './rules/services.js'

const FACTS_MS = 10_000

/** Whether an inventory entry describes the host that answers there: its name and its replication address. Closes the client. */
export async function checkEntry(client: AgentClient, entry: HostEntry, signal: AbortSignal): Promise<Check[]> {
  try {
    const facts = await client.call('host.facts', {want: ['links']}, {timeoutMs: FACTS_MS, signal})
    return [
      pass({id: 'agent', host: entry.name}, `colo ${client.hello.version} answers`),
      ...checkHostName(facts, entry),
      ...checkReplicationAddress({...facts, host: entry.name}, entry),
    ]
  } finally {
    client.close()
  }
}

import type {Command} from '@oclif/core'
import type {Methods, RecordedEvent} from '../../../src/agent/protocol.js'
import type {Ask} from '../../../src/cli/confirm.js'
import {UnreachableError} from '../../../src/errors.js'
import type {AgentClient, CallOptions} from '../../../src/host/agent-client.js'
import type {Inventory} from '../../../src/pair/inventory.js'
import type {MemberObservation} from '../../../src/pair/observation.js'
import type {HostName} from '../../../src/pair/spec.js'
import type {MemberStats} from '../../../src/stats/member-stats.js'

/** What one host answers in a test; a host without observation does not answer at all. */
export interface ScriptedHost {
  readonly member?: MemberObservation
  readonly events?: readonly RecordedEvent[]
  readonly stats?: MemberStats
  /** steps.run of this host fails with this */
  readonly failure?: Error
  /** its agent answers, and cannot tell what it has: pairs.observe and events.read fail with this */
  readonly unreadable?: Error
}

export interface Scripted {
  /** every call in order: `alpha steps.run` */
  readonly calls: string[]
  /** connections that were opened and not closed */
  open(): number
  /** the command class, wired to these hosts instead of ssh and sockets */
  wire(command: Command.Class, ask?: Ask): Command.Class
}

/** Agents at the boundary of the command: each answers calls from its script and reports the steps it is given. */
export function scripted(hosts: Readonly<Record<string, ScriptedHost>>): Scripted {
  const calls: string[] = []
  const open = new Set<AgentClient>()
  const inventory: Inventory = {file: 'hosts.yaml', hosts: Object.keys(hosts).map(entryOf)}
  const connect = async ({name}: {readonly name: string}): Promise<AgentClient> => {
    const host = hosts[name]
    if (
      host === undefined ||
      (host.member === undefined && host.events === undefined && host.unreadable === undefined)
    ) {
      throw new UnreachableError(name, `${name} does not answer`)
    }
    const client: AgentClient = {
      host: name,
      hello: {protocol: 1, version: '0.1.0', host: name, startedAtMs: 0, bootId: 'b'},
      call: async (method, _params, options) => {
        calls.push(`${name} ${method}`)
        return answers(host, method, _params, options) as never
      },
      close: () => open.delete(client),
    }
    open.add(client)
    return client
  }
  return {
    calls,
    open: () => open.size,
    wire(command, ask) {
      const Wired = class extends (command as unknown as new (...args: unknown[]) => object) {
        readonly connect = connect
        async inventory(): Promise<Inventory> {
          return inventory
        }
        async ask(): Promise<Ask | undefined> {
          return ask
        }
      }
      return Wired as unknown as Command.Class
    },
  }
}

function answers(host: ScriptedHost, method: keyof Methods, params: unknown, options: CallOptions = {}): unknown {
  switch (method) {
    case 'pairs.observe':
      if (host.unreadable !== undefined) throw host.unreadable
      return {members: host.member === undefined ? [] : [host.member]}
    case 'stats.read':
      return readStats(host, params as Methods['stats.read']['params'], options)
    case 'events.read':
      if (host.unreadable !== undefined) throw host.unreadable
      return {events: host.events ?? []}
    case 'steps.run': {
      const {steps} = params as Methods['steps.run']['params']
      for (const {id: step} of steps) {
        options.onProgress?.({step, state: 'started', atMs: 1000})
        if (host.failure !== undefined) {
          options.onProgress?.({step, state: 'failed', atMs: 1100, text: host.failure.message})
          throw host.failure
        }
        options.onProgress?.({step, state: 'done', atMs: 1250})
      }
      return {done: steps.map(({id}) => id)}
    }
    case 'steps.undo':
      return {failures: []}
    case 'lock.acquire':
      return {owner: 'test', purpose: 'test', sinceMs: 0}
    default:
      return {}
  }
}

/** A follower gets everything once, and waits until its command ends. */
function readStats({stats}: ScriptedHost, {follow}: Methods['stats.read']['params'], options: CallOptions): unknown {
  if (follow !== true) return {members: stats === undefined ? [] : [stats]}
  const updates = stats === undefined ? [] : [{pair: stats.pair, atMs: stats.atMs, change: stats.change, whole: stats}]
  options.onEvent?.({seq: 0, atMs: Date.now(), pair: '', type: 'STATISTICS', data: {updates}})
  return new Promise((_, reject) => {
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error), {once: true})
  })
}

function entryOf(name: string): Inventory['hosts'][number] {
  return {
    name: name as HostName,
    connection: {kind: 'local'},
    replication: '10.88.0.1',
    ports: {from: 9100, to: 9199},
    scratch: '/run/colo/scratch',
    images: '/var/lib/colo/images',
    bridges: ['br0'],
    forward: [],
    limits: {},
  }
}

import type {AgentClient} from '../host/agent-client.js'
import type {Confirm, OperationContext, ProgressSink} from '../operation/context.js'
import {systemClock} from '../os/clock.js'
import type {HostEntry, Inventory} from '../pair/inventory.js'
import type {Progress} from '../ui/tasks.js'
import {commandOrigin} from './origin.js'

/** How a command reaches a host's agent; tests give a scripted one. */
export type Connect = (host: HostEntry, signal: AbortSignal) => Promise<AgentClient>

export interface ContextParts {
  readonly inventory: Inventory
  readonly connect: Connect
  readonly signal: AbortSignal
  readonly progress: ProgressSink
  readonly confirm: Confirm
}

export interface OpenContext {
  readonly context: OperationContext
  /** Closes every connection the operation left open, so that the process can end. */
  close(): void
}

/** For --quiet and --json: draws nothing and loads nothing. */
export const silentProgress: Progress = {
  sink: {planned: () => undefined, step: () => undefined, note: () => undefined},
  end: () => Promise.resolve(),
}

/** Builds what operations get; connections are remembered until `close`. */
export async function openContext(parts: ContextParts): Promise<OpenContext> {
  const clients = new Set<AgentClient>()
  const {hostname, userInfo} = await import('node:os')
  const user = userName(userInfo)
  const owner = `${user}@${hostname()} pid ${process.pid}`
  return {
    context: {
      inventory: parts.inventory,
      connect: async (host, signal) => {
        const client = await parts.connect(host, signal ?? parts.signal)
        clients.add(client)
        return client
      },
      clock: systemClock,
      newId: () => crypto.randomUUID(),
      newKey: () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex'),
      owner,
      origin: commandOrigin(user, process.env, process.argv.slice(2)),
      signal: parts.signal,
      progress: parts.progress,
      confirm: parts.confirm,
    },
    close() {
      for (const client of clients) client.close()
      clients.clear()
    },
  }
}

/** A user without a name (containers) is shown by number. */
function userName(userInfo: () => {readonly username: string}): string {
  try {
    return userInfo().username
  } catch {
    return `uid${process.getuid?.() ?? ''}`
  }
}

import type {AgentClient} from '../host/agent-client.js'
import type {Confirm, OperationContext, ProgressSink} from '../operation/context.js'
import {systemClock} from '../os/clock.js'
import type {HostEntry, Inventory} from '../pair/inventory.js'
import type {Progress} from '../ui/tasks.js'

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
  const owner = await ownerText()
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

/** `root@adminhost pid 4711`; a user without a name (containers) is shown by number. */
async function ownerText(): Promise<string> {
  const {hostname, userInfo} = await import('node:os')
  return `${userName(userInfo)}@${hostname()} pid ${process.pid}`
}

function userName(userInfo: () => {readonly username: string}): string {
  try {
    return userInfo().username
  } catch {
    return `uid${process.getuid?.() ?? ''}`
  }
}

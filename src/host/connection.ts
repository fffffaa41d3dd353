import {UnreachableError} from '../errors.js'
import {agentSocketPath} from '../agent/protocol.js'
import type {Clock} from '../os/clock.js'
import type {Run} from '../os/process.js'
import {connectUnix, SocketError} from '../os/sockets.js'
import type {HostEntry} from '../pair/inventory.js'
import type {AgentClient} from './agent-client.js'
import {HelloError, openAgent} from './agent-connection.js'
import {agentRemedy, hungAgentRemedy, type ConnectContext, type Env} from './connect-context.js'
import {connectOverSsh} from './ssh/tunnel.js'

const DEFAULT_CONNECT_MS = 5000

export interface ConnectAgentOptions {
  readonly clock: Clock
  readonly run: Run
  readonly signal?: AbortSignal | undefined
  /** limit for all steps together; the host's own `answerTimeout`, else 5000 */
  readonly connectTimeoutMs?: number | undefined
  /** the process's own unless told: COLO_AGENT_SOCKET, COLO_SSH_CONFIG, XDG_RUNTIME_DIR */
  readonly env?: Env | undefined
}

/**
 * Connects to the agent of a host and says hello.
 *
 * A local agent is reached over its socket (`COLO_AGENT_SOCKET` overrides the path). A remote one is reached over a
 * shared control connection of the system's ssh; while that lives, no process is started at all.
 *
 * Settles within `connectTimeoutMs` in every case.
 *
 * @throws {UnreachableError} which step failed, what it waited for and how long, and the remedy
 * @throws the signal's reason when it aborts first
 */
export async function connectAgent(entry: HostEntry, options: ConnectAgentOptions): Promise<AgentClient> {
  const {answerTimeoutMs} = entry
  const {clock, run, signal, connectTimeoutMs = answerTimeoutMs ?? DEFAULT_CONNECT_MS, env = process.env} = options
  signal?.throwIfAborted()
  const endMs = clock.monotonic() + connectTimeoutMs
  const context: ConnectContext = {
    host: entry.name,
    clock,
    run,
    env,
    signal,
    answerTimeoutMs,
    leftMs: () => Math.max(1, Math.round(endMs - clock.monotonic())),
  }
  return entry.connection.kind === 'local' ? connectLocally(context) : connectOverSsh(entry.connection, context)
}

async function connectLocally(context: ConnectContext): Promise<AgentClient> {
  const {host, signal, answerTimeoutMs} = context
  const path = context.env['COLO_AGENT_SOCKET'] ?? agentSocketPath
  try {
    const port = await connectUnix({path, timeoutMs: context.leftMs(), signal})
    return await openAgent(port, {host, timeoutMs: context.leftMs(), signal, answerTimeoutMs})
  } catch (error) {
    throw localErrorOf(host, path, error)
  }
}

function localErrorOf(host: string, path: string, cause: unknown): unknown {
  if (cause instanceof HelloError && cause.reason !== 'protocol') {
    return new UnreachableError(host, `${cause.message} (${path})`, {cause, hint: hungAgentRemedy(host)})
  }
  if (!(cause instanceof SocketError)) return cause
  switch (cause.failure) {
    case 'missing':
    case 'refused':
      return new UnreachableError(host, `agent of ${host} is not running: ${cause.message}`, {
        cause,
        hint: agentRemedy(host),
      })
    case 'denied':
      return new UnreachableError(host, `agent of ${host}: ${cause.message}`, {
        cause,
        hint: 'the agent serves root only: run this command as root (sudo colo ...)',
      })
    case 'timed-out':
      return new UnreachableError(host, `agent of ${host} hangs: ${cause.message}`, {
        cause,
        hint: hungAgentRemedy(host),
      })
    default:
      return new UnreachableError(host, `agent of ${host}: ${cause.message}`, {cause, hint: agentRemedy(host)})
  }
}

import {ToolError, UnreachableError} from '../../errors.js'
import {agentSocketPath} from '../../agent/protocol.js'
import {connectUnix, SocketError} from '../../os/sockets.js'
import {armDeadline} from '../../qmp/deadline.js'
import type {AgentClient} from '../agent-client.js'
import {HelloError, openAgent} from '../agent-connection.js'
import {agentRemedy, hungAgentRemedy, type ConnectContext} from '../connect-context.js'
import {checkArgv, masterArgv, sshByHand, type MasterFiles, type SshTarget} from './argv.js'
import {discard, exists, freshFiles, openDirectory, readLog, settle, settledFiles, sweep} from './directory.js'
import {explainSsh} from './failure.js'

/** An idle agent over a living master says hello in milliseconds; a silent one may mean a dead link. */
const WARM_HELLO_MS = 1000
const CHECK_MS = 500
/** What is kept back from ssh for the hello after it. */
const HELLO_RESERVE_MS = 500
/** How much later than ssh's own limit we stop waiting for its end. */
const GRACE_MS = 100

/** Names of one target, and what messages say about it. */
interface Tunnel {
  readonly target: SshTarget
  readonly files: MasterFiles
  readonly configFile: string | undefined
  readonly directory: string
}

/**
 * Reaches a remote agent.
 *
 *     settled socket --hello in 1 s--> done                           (no process is started)
 *       | not there, nobody listens, silent, or closed by a dead master
 *       v
 *     start a master of our own --> hello over it --> move it to the settled names --> done
 *
 * A master that stays silent is not ended: others may be using it, and it ends itself when its link is dead
 * (ServerAliveInterval) or idle (ControlPersist).
 */
export async function connectOverSsh(target: SshTarget, context: ConnectContext): Promise<AgentClient> {
  const configFile = context.env['COLO_SSH_CONFIG']
  const directory = await openDirectory(context.env)
  const tunnel: Tunnel = {
    target,
    configFile,
    directory,
    files: settledFiles(directory, target, agentSocketPath, configFile),
  }
  return (await tryWarm(tunnel, context)) ?? (await startMaster(tunnel, context))
}

async function tryWarm(tunnel: Tunnel, context: ConnectContext): Promise<AgentClient | undefined> {
  try {
    // of a slow host half of its time: the other half is for a new master
    const warmMs = Math.max(WARM_HELLO_MS, (context.answerTimeoutMs ?? 0) / 2)
    return await helloOver(tunnel.files.socket, Math.min(warmMs, context.leftMs()), context)
  } catch (error) {
    if (error instanceof SocketError) return undefined
    if (!(error instanceof HelloError) || error.reason === 'protocol') throw error
    if (error.reason === 'closed' && (await isAlive(tunnel, context)))
      throw await forwardErrorOf(tunnel, tunnel.files, context.host, error)
    return undefined
  }
}

async function startMaster(tunnel: Tunnel, context: ConnectContext): Promise<AgentClient> {
  await sweep(tunnel.directory)
  const fresh = freshFiles(tunnel.files)
  await runSsh(tunnel, fresh, context)
  let failure: unknown
  let client: AgentClient | undefined
  try {
    client = await helloOver(fresh.socket, context.leftMs(), context)
  } catch (error) {
    failure = await forwardErrorOf(tunnel, fresh, context.host, error)
  }
  // Also after a failure: the way to the host is good, and the next command should not pay for it again.
  await settle(fresh, tunnel.files)
  if (client === undefined) throw failure
  return client
}

async function runSsh(tunnel: Tunnel, fresh: MasterFiles, context: ConnectContext): Promise<void> {
  const {run, signal, clock, answerTimeoutMs} = context
  const limitMs = Math.max(1, context.leftMs() - HELLO_RESERVE_MS)
  const startedMs = clock.monotonic()
  try {
    const argv = masterArgv(tunnel.target, fresh, agentSocketPath, {configFile: tunnel.configFile, answerTimeoutMs})
    await within(limitMs + GRACE_MS, argv, run(argv, {timeoutMs: limitMs, ...(signal && {signal})}), signal)
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof ToolError)) throw error
    // A helper (ProxyCommand of an old ssh) may hold our pipe although the master is up.
    if (error.failure.kind === 'timed-out' && (await exists(fresh.socket))) return
    const log = await readLog(fresh)
    await discard(fresh)
    throw sshErrorOf(tunnel, context.host, {error, log, waitedMs: Math.round(clock.monotonic() - startedMs)})
  }
}

/** Backstop for a program that does not even die in time: settles after `limitMs` whatever `running` does. */
async function within(
  limitMs: number,
  argv: readonly string[],
  running: Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const disarm = armDeadline({timeoutMs: limitMs, signal}, (reason) => {
      reject(reason ?? new ToolError(argv, {kind: 'timed-out', afterMs: limitMs}))
    })
    running.then(() => resolve(), reject).finally(disarm)
  })
}

async function helloOver(
  path: string,
  timeoutMs: number,
  {host, signal, clock, answerTimeoutMs}: ConnectContext,
): Promise<AgentClient> {
  const endMs = clock.monotonic() + timeoutMs
  const port = await connectUnix({path, timeoutMs, signal})
  const leftMs = Math.max(1, Math.round(endMs - clock.monotonic()))
  return openAgent(port, {host, timeoutMs: leftMs, signal, answerTimeoutMs})
}

async function isAlive(tunnel: Tunnel, {run, signal}: ConnectContext): Promise<boolean> {
  return run(checkArgv(tunnel.files.control, tunnel.target), {
    timeoutMs: CHECK_MS,
    ...(signal && {signal}),
  }).then(
    () => true,
    () => false,
  )
}

interface SshOutcome {
  readonly error: ToolError
  readonly log: string
  readonly waitedMs: number
}

function sshErrorOf({target, configFile}: Tunnel, host: string, {error, log, waitedMs}: SshOutcome): UnreachableError {
  const byHand = sshByHand(target, configFile)
  const {failure} = error
  if (failure.kind === 'missing') {
    return new UnreachableError(host, `cannot reach ${host}: ssh is not installed here`, {
      cause: error,
      hint: 'install OpenSSH: `apt-get install openssh-client`',
    })
  }
  if (failure.kind === 'timed-out') {
    const hint = `the host may be down, cut off or overloaded; see where \`${byHand}\` stops`
    return new UnreachableError(
      host,
      `cannot reach ${host}: no login over ssh at ${target.address} within ${waitedMs} ms`,
      {cause: error, hint},
    )
  }
  const said = log !== '' ? log : failure.kind === 'exit' ? failure.firstLine : error.message
  const {why, remedy} = explainSsh(said, target, configFile)
  return new UnreachableError(
    host,
    `cannot reach ${host}: ssh to ${target.address} failed after ${waitedMs} ms: ${why}`,
    {
      cause: error,
      hint: remedy,
    },
  )
}

/** ssh logged in, but no agent said hello at the end of the forwarded socket. */
async function forwardErrorOf(tunnel: Tunnel, files: MasterFiles, host: string, cause: unknown): Promise<unknown> {
  if (cause instanceof SocketError) {
    const {why} = explainSsh(await readLog(files), tunnel.target)
    return new UnreachableError(
      host,
      `cannot reach the agent of ${host}: ssh logged in, but did not forward its socket: ${why}`,
      {
        cause,
        hint: `look at \`${sshByHand(tunnel.target, tunnel.configFile)}\`, and at the free space of ${tunnel.directory}`,
      },
    )
  }
  if (!(cause instanceof HelloError) || cause.reason === 'protocol') return cause
  if (cause.reason === 'silent') return new UnreachableError(host, cause.message, {cause, hint: hungAgentRemedy(host)})
  // sshd answers alike when it may not forward, when the socket is missing and when nobody listens (OpenSSH 9.2).
  const {user} = tunnel.target
  const rights =
    user === undefined || user === 'root' ? '' : `${user} may lack the right to open it (log in as root), or `
  return new UnreachableError(host, `agent of ${host} is not running: nothing answers at its ${agentSocketPath}`, {
    cause,
    hint: `${agentRemedy(host)}; if it runs, ${rights}sshd may have AllowStreamLocalForwarding off`,
  })
}

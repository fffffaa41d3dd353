import {readFile} from 'node:fs/promises'
import {hostname} from 'node:os'
import {dirname, join} from 'node:path'
import {systemClock} from '../os/clock.js'
import {bindDatagrams} from '../os/datagrams.js'
import {nodeFiles} from '../os/files-node.js'
import {loadRun, run} from '../os/process.js'
import {connectQmp} from '../qmp/session.js'
import {startAgent, type Agent, type AgentOptions} from './agent.js'
import {defaultRoots} from './member-layout.js'
import {agentSocketPath, auditFile} from './protocol.js'

/** What `colo agent` may be told; the rest is the host's. */
export interface ServeOptions {
  readonly socketPath?: string | undefined
  readonly stateRoot?: string | undefined
  readonly runRoot?: string | undefined
  readonly host?: string | undefined
}

/** Starts the agent with the real system below it. Its socket answers before all modules are loaded; those for facts about the host are loaded when they are asked for. */
export async function serve(options: ServeOptions, problem: (text: string) => void): Promise<Agent> {
  const agentOptions: AgentOptions = {
    host: options.host ?? hostname(),
    version: await ownVersion(),
    socketPath: options.socketPath ?? agentSocketPath,
    auditFile: options.stateRoot === undefined ? auditFile : join(dirname(options.stateRoot), 'audit.log'),
    roots: {
      stateRoot: options.stateRoot ?? defaultRoots.stateRoot,
      runRoot: options.runRoot ?? defaultRoots.runRoot,
    },
    files: nodeFiles,
    clock: systemClock,
    run,
    start: async (argv) => {
      const {startChild} = await import('../os/child.js')
      return startChild(argv)
    },
    connect: connectQmp,
    bind: bindDatagrams,
    perform: async (action, context) => {
      const {performAction} = await import('./actions/index.js')
      return performAction(action, context)
    },
    facts: async (request, records) => {
      const {collectHostFacts} = await import('../host/collect-facts.js')
      return collectHostFacts(request, {run, files: nodeFiles, clock: systemClock, records})
    },
    problem,
  }
  // a bug in one pair's business must not end the watch over all others
  process.on('unhandledRejection', (error) => {
    problem(`internal: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  })
  const agent = await startAgent(agentOptions)
  loadAhead().catch((error: unknown) => {
    problem(`the agent's own files: ${(error as Error).message}`)
  })
  if (process.env['NOTIFY_SOCKET'] !== undefined) await run(['systemd-notify', '--ready']).catch(() => undefined)
  return agent
}

/**
 * What plans need is loaded before the first one: a failover must not wait for a disk, nor meet the files of another version while colo is being
 * upgraded under a running agent.
 */
async function loadAhead(): Promise<void> {
  await import('./actions/index.js')
  await import('../libvirt/start-word.js')
  await import('../os/child.js')
  await loadRun()
}

/** Of package.json, from the sources as well as from dist/. */
async function ownVersion(): Promise<string> {
  for (const up of ['../..', '../../..']) {
    const text = await readFile(new URL(`${up}/package.json`, import.meta.url), 'utf8').catch(() => undefined)
    if (text !== undefined) return (JSON.parse(text) as {version: string}).version
  }
  return 'unknown'
}

import {Flags} from '@oclif/core'
import type {Agent} from '../../src/agent/agent.js'
import {BaseCommand} from '../../src/cli/base-command.js'
import {prose} from '../../src/cli/prose.js'

/** The document printed when the agent has ended. */
export interface AgentDocument {
  readonly host: string
  readonly endedBy: string
}

export default class AgentCommand extends BaseCommand {
  static override summary = 'serve the pairs of this host: the resident process, normally started by systemd'
  static override description =
    prose(`Holds the monitor connections of the pairs on this host, keeps their records and locks, records events, runs the
steps of operations and talks to the agent of the other host. Runs as root in the foreground until SIGTERM or SIGINT.

Ending or restarting it never touches a guest. What it may have missed meanwhile is checked when it is back.

After a boot of the host it starts the copies that the start rules allow (see START RULES in colo-pair(1)): once the agent of the other host has said where it stands,
and never one that was stopped on purpose. A copy that is outdated is made the secondary again when the pair says resync: auto: by the plan of "<%= config.bin %> pair resync", over the
inventory of this host, which must reach the other one by ssh. A pair that is not started is named, with the reason, by "<%= config.bin %> pair status".`)
  static override examples = ['<%= config.bin %> <%= command.id %>', 'systemctl restart colo-agent']
  static override flags = {
    socket: Flags.string({summary: 'UNIX socket to serve [default: /run/colo/agent.sock]', helpValue: 'PATH'}),
    'state-dir': Flags.string({
      summary: 'durable records of the pairs [default: /var/lib/colo/pairs]',
      helpValue: 'DIR',
    }),
    'run-dir': Flags.string({summary: 'monitor sockets of the pairs [default: /run/colo/pairs]', helpValue: 'DIR'}),
    'boot-start': Flags.boolean({
      summary: 'start pairs after a boot of the host, by the start rules',
      default: true,
      allowNo: true,
    }),
    host: Flags.string({summary: 'name of this host in records [default: its host name]', helpValue: 'NAME'}),
  }

  async run(): Promise<AgentDocument> {
    const {flags} = await this.parse(AgentCommand)
    const ended = firstSignal()
    const {serve} = await import('../../src/agent/serve.js')
    const agent = await serve(
      {socketPath: flags.socket, stateRoot: flags['state-dir'], runRoot: flags['run-dir'], host: flags.host},
      (text) => process.stderr.write(`colo agent: ${text}\n`),
    )
    const {host, version} = agent.hello
    if (!flags.quiet) this.log(`colo agent ${version} ready: host ${host}, pid ${process.pid}`)
    const stop = new AbortController()
    const booting = flags['boot-start'] ? await this.#boot(agent, flags.socket, stop.signal) : undefined
    const endedBy = await ended
    stop.abort(new Error('the agent ends'))
    await booting?.done
    await agent.close()
    return {host, endedBy}
  }

  /** In the background: a peer that stays silent is waited for as long as this process lives. */
  async #boot(agent: Agent, socket: string | undefined, signal: AbortSignal): Promise<{done: Promise<void>}> {
    const [{bootPairs}, {agentSocketPath}] = await Promise.all([
      import('../../src/cli/agent-boot.js'),
      import('../../src/agent/protocol.js'),
    ])
    const tell = (text: string): void => void process.stderr.write(`colo agent: ${text}\n`)
    return {done: bootPairs(agent, {socketPath: socket ?? agentSocketPath, signal, tell})}
  }
}

/** Settles at the first SIGTERM or SIGINT. */
function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}

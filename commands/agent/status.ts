import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {prose} from '../../src/cli/prose.js'

/** The document of `colo agent status --json`. */
export interface AgentStatusDocument {
  readonly host: string
  readonly version: string
  readonly protocol: number
  readonly startedAtMs: number
  readonly pairs: readonly string[]
}

const LIMIT_MS = 5000

export default class AgentStatusCommand extends BaseCommand {
  static override summary = 'say whether the agent of this host answers'
  static override description = prose(
    `Asks the agent of this host over its socket. The exit status is 0 when it answers, 20 when it does not.`,
  )
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override flags = {
    socket: Flags.string({
      summary: 'UNIX socket of the agent [default: /run/colo/agent.sock]',
      helpValue: 'PATH',
      env: 'COLO_AGENT_SOCKET',
    }),
  }

  async run(): Promise<AgentStatusDocument> {
    const {flags} = await this.parse(AgentStatusCommand)
    const [{connectAgent}, {systemClock}, {run}, {hostname}, {formatAge}] = await Promise.all([
      import('../../src/host/connection.js'),
      import('../../src/os/clock.js'),
      import('../../src/os/process.js'),
      import('node:os'),
      import('../../src/ui/time.js'),
    ])
    const env = flags.socket === undefined ? process.env : {...process.env, COLO_AGENT_SOCKET: flags.socket}
    const client = await connectAgent(localEntry(hostname()), {
      clock: systemClock,
      run,
      env,
      connectTimeoutMs: LIMIT_MS,
      signal: this.interruptSignal,
    })
    try {
      const {pairs} = await client.call('pairs.list', {}, {timeoutMs: LIMIT_MS})
      const {host, version, protocol, startedAtMs} = client.hello
      if (!flags.quiet) {
        this.log(`running   colo ${version} on ${host}, started ${formatAge(startedAtMs, Date.now())}`)
        this.log(`pairs     ${pairs.length === 0 ? 'none' : pairs.join(', ')}`)
      }
      return {host, version, protocol, startedAtMs, pairs}
    } finally {
      client.close()
    }
  }
}

/** The agent of this machine needs no inventory. */
function localEntry(name: string): Parameters<typeof import('../../src/host/connection.js').connectAgent>[0] {
  return {
    name: name as Parameters<typeof import('../../src/host/connection.js').connectAgent>[0]['name'],
    connection: {kind: 'local'},
    replication: '',
    ports: {from: 0, to: 0},
    scratch: '',
    images: '',
    bridges: [],
    forward: [],
    limits: {},
  }
}

import {BaseCommand} from '../../src/cli/base-command.js'
import {argument} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {argvIn, parsePlace} from '../../src/lab/index.js'
import {UsageError} from '../../src/errors.js'
import {run, type Argv} from '../../src/os/process.js'
import {runAttached} from '../../src/os/spawn.js'

export default class LabExecCommand extends BaseCommand {
  static override summary = 'run a command in a lab host, or on the client network'
  static override description =
    prose(`PLACE is alpha, beta, gamma or client. In a host the command sees the host's files and processes; the client has the files of this machine
and the addresses 10.77.0.1, 10.78.0.1, fd77::1 and fd78::1. The exit status is the command's own.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> alpha -- virsh list',
    '<%= config.bin %> <%= command.id %> client -- curl -s http://10.77.0.10/',
  ]
  static override strict = false
  static override args = {place: argument({description: 'alpha, beta, gamma or client', required: true})}

  async run(): Promise<{exitStatus: number; stdout?: string}> {
    const {argv} = await this.parse(LabExecCommand)
    const [place = '', ...words] = argv as string[]
    const [program, ...rest] = words
    if (program === undefined)
      throw new UsageError('no command was given', {hint: `colo lab exec ${place} -- COMMAND [ARGUMENT...]`})
    const command = await argvIn(parsePlace(place), [program, ...rest] satisfies Argv)
    if (this.jsonEnabled()) return {exitStatus: 0, stdout: (await run(command, {timeoutMs: 600_000})).stdout}
    const exitStatus = await runAttached(command)
    process.exitCode = exitStatus
    return {exitStatus}
  }
}

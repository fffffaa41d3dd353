import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {argument} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {systemLab} from '../../src/lab/context.js'
import {applyFault, faultForms, parseFault, type Fault} from '../../src/lab/index.js'

export default class LabFaultCommand extends BaseCommand {
  static override summary = 'break something in the lab, or put it right'
  static override description = `${faultForms.map((form) => `  ${form}`).join('\n')}

${prose(`Links are management, replication, lan0, lan1, fwd0 and fwd1. power-off silences all cables of the host before anything in it dies, so that
no peer gets a FIN or a RST; crash is the same with the peers' connections closed by the kernel. A cut takes the carrier away
unless --keep-carrier or --direction is given. drop-connection resets the TCP connections that have the port on either side.`)}`
  static override examples = [
    '<%= config.bin %> <%= command.id %> power-off alpha',
    '<%= config.bin %> <%= command.id %> stop qemu beta web1',
    '<%= config.bin %> <%= command.id %> cut replication alpha --direction in',
  ]
  static override strict = false
  static override args = {
    kind: argument({description: 'what is to happen', required: true}),
  }
  static override flags = {
    'keep-carrier': Flags.boolean({summary: 'cut: both ends go on seeing a carrier'}),
    direction: Flags.option({
      options: ['in', 'out'] as const,
      summary: 'cut: only what goes to (in) or comes from (out) the host',
      helpValue: 'in|out',
    })(),
    port: Flags.integer({summary: 'drop-connection: TCP port on either side', helpValue: 'PORT', min: 1, max: 65_535}),
  }

  async run(): Promise<{fault: Fault}> {
    const {argv, flags} = await this.parse(LabFaultCommand)
    const fault = parseFault(argv as string[], {
      ...(flags['keep-carrier'] ? {keepCarrier: true} : {}),
      ...(flags.direction === undefined ? {} : {direction: flags.direction}),
      ...(flags.port === undefined ? {} : {port: flags.port}),
    })
    await applyFault(fault, systemLab(this.interruptSignal))
    this.log(`done: ${(argv as string[]).join(' ')}`)
    return {fault}
  }
}

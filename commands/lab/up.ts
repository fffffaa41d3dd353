import {BaseCommand} from '../../src/cli/base-command.js'
import {prose} from '../../src/cli/prose.js'
import {systemLab} from '../../src/lab/context.js'
import {labUp, lineProgress, silentProgress, type LabUp, type StepTime} from '../../src/lab/index.js'

/** What `colo lab up --json` prints. */
export type LabUpResult = LabUp & {readonly steps: readonly StepTime[]}

export default class LabUpCommand extends BaseCommand {
  static override summary = 'bring up hosts alpha, beta and gamma on this machine'
  static override description =
    prose(`Makes three hosts out of namespaces, each with its own sshd, libvirtd, QEMU and colo agent, the networks between them, a client,
and a small guest. The first time builds a Debian root file system and takes minutes; later it takes seconds. A lab that is up is put
right: hosts that are off are started, cut links are healed. Needs root.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    'eval "$(<%= config.bin %> <%= command.id %> --quiet)"',
  ]

  async run(): Promise<LabUpResult> {
    const {flags} = await this.parse(LabUpCommand)
    const steps: StepTime[] = []
    const print = (line: string): void => {
      process.stderr.write(`${line}\n`)
    }
    const progress = flags.quiet || this.jsonEnabled() ? silentProgress : lineProgress(print, steps)
    const result = await labUp({progress, context: systemLab(this.interruptSignal)})
    const {versions, env} = result
    progress.note(
      `QEMU ${versions.qemu}, libvirt ${versions.libvirt}, Node ${versions.node}, guest kernel ${versions.guestKernel}, ${result.accelerator}`,
    )
    for (const [name, value] of Object.entries(env)) this.log(`export ${name}=${value}`)
    return {...result, steps}
  }
}

import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {prose} from '../../src/cli/prose.js'
import {runDemo, type DemoResult} from '../../src/lab/demo/run.js'
import {lineProgress} from '../../src/lab/index.js'

export default class LabDemoCommand extends BaseCommand {
  static override summary = 'show the main job: a protected pair survives the loss of a host'
  static override description =
    prose(`Brings the lab up, makes a pair, connects a client, cuts the power of the primary's host, fails over, protects the pair again and
prints a timeline. Every command is shown as a person would type it. The lab is taken down at the end. Needs root.`)
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --keep']
  static override flags = {
    keep: Flags.boolean({summary: 'leave the lab and the pair running, to play with'}),
  }

  async run(): Promise<DemoResult> {
    const {flags} = await this.parse(LabDemoCommand)
    const print = (line: string): void => {
      process.stderr.write(`${line}\n`)
    }
    return await runDemo({progress: lineProgress(print), print, keep: flags.keep})
  }
}

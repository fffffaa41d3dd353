import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {labDown, lineProgress, purgeCache, silentProgress} from '../../src/lab/index.js'

export default class LabDownCommand extends BaseCommand {
  static override summary = 'remove the lab: processes, namespaces, links and what the hosts wrote'
  static override description =
    'The cache of root file systems and guests stays, unless --purge is given. Works after a crash in the middle of `lab up`, too.'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  static override flags = {
    purge: Flags.boolean({
      summary: 'remove the cached root file systems and guests, too; the next up builds them again',
    }),
  }

  async run(): Promise<{removed: boolean}> {
    const {flags} = await this.parse(LabDownCommand)
    const print = (line: string): void => {
      process.stderr.write(`${line}\n`)
    }
    const removed = await labDown({progress: flags.quiet || this.jsonEnabled() ? silentProgress : lineProgress(print)})
    if (flags.purge) await purgeCache()
    this.log(removed ? 'the lab is down' : 'there is no lab')
    return {removed}
  }
}

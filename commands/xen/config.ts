import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, pairName, specFile} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {UsageError} from '../../src/errors.js'
import {exitCodes} from '../../src/exit-codes.js'
import type {ConfigProblem} from '../../src/xen/problem.js'

export interface XenConfigDocument {
  /** name of the pair; absent with --check */
  readonly pair?: string
  /** the xl.cfg */
  readonly config: string
  /** what is wrong with a file given to --check */
  readonly problems: readonly ConfigProblem[]
}

export default class XenConfig extends BaseCommand {
  static override summary = 'print the xl.cfg of a Xen pair, or check one'
  static override description =
    prose(`One xl.cfg serves both sides: COLO's disk, all keys of the userspace proxy or the forward NIC of the kernel proxy, and the ports of the pair. It is
what create uses; a domain created from it by hand is not protected.

With --check FILE an xl.cfg of your own is read: syntax, devices, and everything that xl lets pass although COLO cannot work with it (docs/xen.md). Ends
with 2 when something is wrong.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1',
    '<%= config.bin %> <%= command.id %> -f web1.yaml',
    '<%= config.bin %> <%= command.id %> --check /etc/xen/web1.cfg',
  ]
  static override args = {name: pairName({description: 'name of a pair that exists; else give -f'})}
  static override flags = {
    file: specFile(),
    hosts: hosts(),
    check: Flags.string({summary: 'read this xl.cfg and say what is wrong with it', helpValue: 'FILE'}),
  }

  async run(): Promise<XenConfigDocument> {
    const {args, flags} = await this.parse(XenConfig)
    if (flags.check !== undefined) {
      if (args.name !== undefined || flags.file !== undefined) throw new UsageError('--check takes a file alone')
      return this.#check(flags.check)
    }
    const context = await this.operation(flags)
    const source = await (async () => {
      if (flags.file === undefined) return args.name
      const {readXenFile} = await import('../../src/cli/xen-file.js')
      return readXenFile(flags.file)
    })()
    if (source === undefined) throw new UsageError('no pair', {hint: 'Name a pair, or give its file with -f FILE.'})
    const {memberXml} = await import('../../src/operation/xml.js')
    const [member] = await memberXml(context, source, {})
    if (member === undefined) throw new Error('a pair has members')
    if (member.format !== 'xl') {
      throw new UsageError('this pair has engine: qemu', {hint: 'colo pair xml shows its domains'})
    }
    this.log(member.xml.trimEnd())
    return {pair: typeof source === 'string' ? source : source.name, config: member.xml, problems: []}
  }

  async #check(file: string): Promise<XenConfigDocument> {
    const [{readConfigText}, {checkXlCfg}] = await Promise.all([
      import('../../src/config/read-text.js'),
      import('../../src/xen/check-config.js'),
    ])
    const config = await readConfigText(file)
    const problems = checkXlCfg(config)
    if (!this.jsonEnabled()) {
      for (const {where, problem, laxity} of problems) {
        this.log(`${file}: ${where} ${problem}${laxity ? ' (xl says nothing)' : ''}`)
      }
      if (problems.length === 0) this.log(`${file}: nothing wrong`)
    }
    if (problems.length > 0) this.endWith(exitCodes.usage)
    return {config, problems}
  }
}

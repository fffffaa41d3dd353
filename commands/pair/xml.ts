import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, pairName, specFile} from '../../src/cli/flags.js'
import {specFromFile} from '../../src/cli/spec-source.js'
import {prose} from '../../src/cli/prose.js'
import {UsageError} from '../../src/errors.js'

export interface PairXmlDocument {
  readonly pair: string
  readonly members: ReadonlyArray<{readonly host: string; readonly role: string; readonly xml: string}>
}

export default class PairXml extends BaseCommand {
  static override summary = 'print the libvirt domain of each member'
  static override description =
    prose(`The XML that both copies are started with, from a spec or from a pair that exists. It is what create uses, for reading and for
virt-xml-validate; a copy started from it by hand is not protected.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 --host alpha',
    '<%= config.bin %> <%= command.id %> -f web1.yaml',
  ]
  static override args = {name: pairName({description: 'name of a pair that exists; else give -f'})}
  static override flags = {
    file: specFile(),
    hosts: hosts(),
    host: Flags.string({summary: 'only the member on this host', helpValue: 'HOST'}),
  }

  async run(): Promise<PairXmlDocument> {
    const {args, flags} = await this.parse(PairXml)
    const context = await this.operation(flags)
    const source = flags.file === undefined ? args.name : await specFromFile(flags.file, args.name)
    if (source === undefined) throw new UsageError('no pair', {hint: 'Name a pair, or give its file with -f FILE.'})
    const {memberXml} = await import('../../src/operation/xml.js')
    const members = await memberXml(context, source, flags.host === undefined ? {} : {host: flags.host})
    for (const {host, role, xml} of members) {
      this.log(members.length === 1 ? xml.trimEnd() : `<!-- ${role} on ${host} -->\n${xml.trimEnd()}`)
    }
    return {pair: typeof source === 'string' ? source : source.name, members}
  }
}

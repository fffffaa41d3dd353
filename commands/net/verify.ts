import {OperationCommand} from '../../src/cli/operation-command.js'
import {hosts, pairName, timeout} from '../../src/cli/flags.js'
import {netVerifyText} from '../../src/cli/net-text.js'
import {prose} from '../../src/cli/prose.js'
import {exitCodes} from '../../src/exit-codes.js'
import type {NetVerification} from '../../src/operation/net.js'

export type NetVerifyDocument = NetVerification & {readonly pair: string}

export default class NetVerify extends OperationCommand {
  static override summary = 'prove the forwarding of a pair with real frames'
  static override description =
    prose(`Of a pair in lock-step: frames are sent to the guest as from the LAN, and the secondary's NICs announce themselves; every hop must
count them, else it says at which hop they stop. The guest hears a few ARP announcements of a station that does not exist. A link that
was cut or re-plugged counts as proven again. Of a pair that is not in lock-step the forward links alone are proven: frames that one
host sends must come in at the other one's forward NIC and nowhere else.

Ends with 6 when frames do not arrive.`)
  static override examples = ['<%= config.bin %> <%= command.id %> web1']
  static override args = {name: pairName({required: true})}
  static override flags = {hosts: hosts(), timeout: timeout('60s')}

  async run(): Promise<NetVerifyDocument> {
    const {args, flags} = await this.parse(NetVerify)
    const context = await this.operation(flags)
    const {netVerify} = await import('../../src/operation/net.js')
    const verified = await netVerify(context, args.name, {dryRun: false, timeoutMs: flags.timeout})
    await this.endProgress()
    const document = {pair: args.name, ...verified}
    if (!flags.quiet && !this.jsonEnabled()) this.log(netVerifyText(document))
    if (!document.ok) this.endWith(exitCodes.preflight)
    return document
  }
}

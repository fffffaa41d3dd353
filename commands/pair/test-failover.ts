import {Flags} from '@oclif/core'
import {dryRun, hosts, pairName, timeout, yes} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {prose} from '../../src/cli/prose.js'
import type {ProbeReport} from '../../src/operation/prober.js'

export interface TestFailoverDocument extends OperationDocument {
  readonly probes: readonly ProbeReport[]
  readonly takeOverMs?: number
}

export default class PairTestFailover extends OperationCommand {
  static override summary = 'end the primary on purpose and see the service go on'
  static override description =
    prose(`Checks that the pair is protected and that each probe answers, then really ends the primary, as the death of its host would, lets the
secondary take over, and prints how long each probe was silent, seen from the machine this runs on. Then the old primary becomes the new
secondary (--no-resync leaves it).

A probe is tcp://HOST:PORT (a connection is made) or http://HOST/PATH (an answer with a status below 400). Exit 5 when the pair is not
protected, 6 when a probe fails before anything is done, 11 when one does not answer again within 30 seconds; the pair is then left as it
is.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 --probe tcp://10.0.0.80:22 --probe http://10.0.0.80/health',
    '<%= config.bin %> <%= command.id %> web1 --dry-run',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    probe: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      summary: 'what must answer before and after; may be given several times',
      helpValue: 'URL',
    }),
    resync: Flags.boolean({summary: 'protect the pair again afterwards', allowNo: true, default: true}),
    'dry-run': dryRun(),
    yes: yes(),
    timeout: timeout('2m'),
  }

  async run(): Promise<TestFailoverDocument> {
    const {args, flags} = await this.parse(PairTestFailover)
    const {parseProbe} = await import('../../src/operation/probe-target.js')
    const probes = (flags.probe ?? []).map(parseProbe)
    const context = await this.operation(flags)
    const [{testFailover}, {probeOnce}] = await Promise.all([
      import('../../src/operation/test-failover.js'),
      import('../../src/os/probe.js'),
    ])
    const result = await testFailover(context, args.name, {
      dryRun: flags['dry-run'],
      timeoutMs: flags.timeout,
      probes,
      probe: probeOnce,
      resync: flags.resync,
    })
    const document = await this.report(result, flags)
    const took = result.takeOverMs
    if (!this.jsonEnabled() && took !== undefined) this.log(`the other copy took over in ${took} ms`)
    for (const {url, longestSilenceMs, failed, tries} of result.probes) {
      this.log(`${url}: silent for at most ${longestSilenceMs} ms, ${failed} of ${tries} tries failed`)
    }
    return {...document, probes: result.probes, ...(took === undefined ? {} : {takeOverMs: took})}
  }
}

import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/cli/base-command.js'
import {hosts, pairName, timeout} from '../../src/cli/flags.js'
import type {WaitResult} from '../../src/cli/wait.js'
import {prose} from '../../src/cli/prose.js'
import {pairStates} from '../../src/pair/status.js'

/** Between two looks, milliseconds. */
const pollMs = 250

export default class PairWait extends BaseCommand {
  static override summary = 'wait until a pair is in a state'
  static override description =
    prose(`Looks until the pair is in one of the states given with --for, then ends with 0; with 21 when the time is up. Hosts that do not
answer are waited for, too. "gone" means that no host knows the pair any more.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1 --for protected --timeout 60s',
    '<%= config.bin %> <%= command.id %> web1 --for stopped --for unprotected',
  ]
  static override args = {name: pairName({required: true})}
  static override flags = {
    hosts: hosts(),
    for: Flags.option({
      options: [...pairStates, 'gone'] as const,
      multiple: true,
      multipleNonGreedy: true,
      required: true,
      summary: 'state to wait for; may be given several times, any of them counts',
      helpValue: 'STATE',
    })(),
    timeout: timeout('60s'),
  }

  async run(): Promise<WaitResult> {
    const {args, flags} = await this.parse(PairWait)
    const context = await this.operation(flags)
    const [{waitForState}, {observePair}] = await Promise.all([
      import('../../src/cli/wait.js'),
      import('../../src/operation/observe.js'),
    ])
    const result = await waitForState({
      pair: args.name,
      states: flags.for,
      timeoutMs: flags.timeout,
      pollMs,
      clock: context.clock,
      signal: context.signal,
      observe: async () => (await observePair(context, args.name)).status,
    })
    if (!flags.quiet) this.log(`${result.pair} is ${result.state} after ${(result.waitedMs / 1000).toFixed(1)} s`)
    return result
  }
}

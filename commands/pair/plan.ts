import {Flags} from '@oclif/core'
import {UsageError, unreachable} from '../../src/errors.js'
import {force, hosts, pairName, specFile} from '../../src/cli/flags.js'
import {OperationCommand, type OperationDocument} from '../../src/cli/operation-command.js'
import {specFromFile} from '../../src/cli/spec-source.js'
import {prose} from '../../src/cli/prose.js'
import type {OperationContext} from '../../src/operation/context.js'
import type {OperationResult} from '../../src/operation/result.js'

const purposes = ['create', 'failover', 'resync', 'suspend', 'resume', 'stop', 'start', 'destroy'] as const

/** Plans have no time limit of their own; the limit belongs to running them. */
const noLimitMs = 60_000
/** The guest's own, as `colo pair stop` has it. */
const stopLimitMs = 120_000

interface Wanted {
  readonly purpose: (typeof purposes)[number]
  readonly name: string | undefined
  readonly file: string | undefined
  readonly force: readonly string[]
}

export default class PairPlan extends OperationCommand {
  static override summary = 'print what an operation would do'
  static override description = prose(
    `The same as --dry-run of the operation: looks at both hosts, prints the exact commands per host in their order, and touches nothing.
What needs more to be said (apply, replace, resolve, test-failover) has --dry-run itself.`,
  )
  static override examples = [
    '<%= config.bin %> <%= command.id %> -f web1.yaml --for create',
    '<%= config.bin %> <%= command.id %> web1 --for failover',
  ]
  static override args = {name: pairName()}
  static override flags = {
    for: Flags.option({options: purposes, required: true, summary: 'operation to plan', helpValue: 'OPERATION'})(),
    file: specFile(),
    hosts: hosts(),
    force: force(),
  }

  async run(): Promise<OperationDocument> {
    const {args, flags} = await this.parse(PairPlan)
    const wanted: Wanted = {purpose: flags.for, name: args.name, file: flags.file, force: flags.force ?? []}
    if (wanted.purpose === 'create' && wanted.file === undefined) {
      throw new UsageError('a plan for create needs the spec', {hint: 'Give it with -f FILE.'})
    }
    const context = await this.operation(flags)
    return this.report(await planned(context, wanted), flags)
  }
}

async function planned(
  context: OperationContext,
  {purpose, name, file, force: words}: Wanted,
): Promise<OperationResult> {
  const spec = file === undefined ? undefined : await specFromFile(file, name)
  const options = {dryRun: true, force: words, timeoutMs: noLimitMs}
  const pair = name ?? spec?.name
  if (pair === undefined) throw new UsageError('no pair', {hint: 'Name a pair, or give its file with -f FILE.'})
  switch (purpose) {
    case 'create': {
      const {createPair} = await import('../../src/operation/create.js')
      if (spec === undefined) throw new UsageError('a plan for create needs the spec', {hint: 'Give it with -f FILE.'})
      return createPair(context, spec, {...options, yes: false})
    }
    case 'failover':
      return (await import('../../src/operation/failover.js')).failoverPair(context, pair, {...options, resync: false})
    case 'resync':
      return (await import('../../src/operation/resync.js')).resyncPair(context, pair, options)
    case 'suspend':
      return (await import('../../src/operation/suspend.js')).suspendPair(context, pair, options)
    case 'resume':
      return (await import('../../src/operation/resync.js')).resyncPair(context, pair, {...options, resume: true})
    case 'stop':
      return (await import('../../src/operation/stop.js')).stopPair(context, pair, {...options, timeoutMs: stopLimitMs})
    case 'destroy':
      return (await import('../../src/operation/destroy.js')).destroyPair(context, pair, {
        ...options,
        deleteCopies: false,
      })
    case 'start':
      return (await import('../../src/operation/start.js')).startPair(context, pair, options)
    default:
      return unreachable(purpose)
  }
}

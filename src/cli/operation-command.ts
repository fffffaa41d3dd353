import type {OperationResult, TimelineEntry} from '../operation/result.js'
import type {PairStatus} from '../pair/status.js'
import type {Plan} from '../plan/plan.js'
import type {ImportDocument} from './import-text.js'
import {BaseCommand} from './base-command.js'

/** What `--json` prints for a command that changes a pair. The plan's records hold keys, so only its outline goes out. */
export interface OperationDocument {
  readonly pair: string
  /** something was changed; in a dry run: something would be */
  readonly changed: boolean
  readonly dryRun: boolean
  readonly plan: PlanOutline
  readonly timeline: readonly TimelineEntry[]
  readonly status?: PairStatus
  /** of `pair create --from-domain` */
  readonly import?: ImportDocument
}

export interface PlanOutline {
  readonly kind: string
  readonly title: string
  readonly steps: ReadonlyArray<{readonly id: string; readonly host: string; readonly label: string}>
  readonly pointOfNoReturn?: string
  /** in a dry run: the exact commands per host, as text */
  readonly commands?: string
}

/** Base of the commands that change a pair: prints what was done, or would be, and builds the document. */
export abstract class OperationCommand extends BaseCommand {
  /** Ends the progress display and prints the result. */
  protected async report(
    result: OperationResult,
    flags: {readonly quiet: boolean; readonly verbose: boolean},
  ): Promise<OperationDocument> {
    await this.endProgress()
    const commands = result.dryRun ? await this.#commandsOf(result.plan) : undefined
    if (commands !== undefined) this.log(commands)
    else if (!flags.quiet && !this.jsonEnabled()) this.log(await this.#summaryOf(result, flags.verbose))
    const {pair, changed, dryRun, plan, timeline, status} = result
    return {
      pair,
      changed,
      dryRun,
      plan: outlineOf(plan, commands),
      timeline,
      ...(status === undefined ? {} : {status}),
    }
  }

  async #commandsOf(plan: Plan): Promise<string> {
    if (plan.steps.length === 0) return `${plan.title}: nothing to do`
    const {describePlan} = await import('../plan/describe.js')
    return describePlan(plan).trimEnd()
  }

  async #summaryOf({pair, changed, plan, timeline, status}: OperationResult, verbose: boolean): Promise<string> {
    const [{renderTimeline}, {formatDuration}, {stateWord}] = await Promise.all([
      import('../ui/timeline.js'),
      import('../ui/time.js'),
      import('./pair-text.js'),
    ])
    const table = verbose || process.stdout.isTTY ? renderTimeline(timeline) : ''
    const [first] = timeline
    const last = timeline.at(-1)
    const took =
      first === undefined || last === undefined ? '' : ` in ${formatDuration(last.atMs - first.atMs + first.tookMs)}`
    const done = changed ? `${plan.title}: done${took}` : `${plan.title}: nothing to do`
    const state = status === undefined ? '' : `\n${pair} is ${stateWord(status)}`
    return `${table === '' ? '' : `${table}\n`}${done}${state}`
  }
}

function outlineOf(plan: Plan, commands: string | undefined): PlanOutline {
  return {
    kind: plan.kind,
    title: plan.title,
    steps: plan.steps.map(({id, host, label}) => ({id, host, label})),
    ...(plan.pointOfNoReturn === undefined ? {} : {pointOfNoReturn: plan.pointOfNoReturn}),
    ...(commands === undefined ? {} : {commands}),
  }
}

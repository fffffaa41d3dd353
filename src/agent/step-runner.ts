import {InterruptedError, StateError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {Run} from '../os/process.js'
import type {PairSpec} from '../pair/spec.js'
import type {Action} from '../plan/action.js'
import {QmpClosedError, QmpConnectError} from '../qmp/errors.js'
import type {Step} from '../plan/plan.js'
import type {ActionContext, ActionOutcome} from './action-context.js'
import type {Forwarding} from './forwarding.js'
import {endsRecord} from './intent-store.js'
import {layoutAt, type Roots} from './member-layout.js'
import type {Member} from './member.js'
import type {StepProgress} from './protocol.js'
import {StepError, remoteErrorOf} from './wire.js'

export type PerformAction = (action: Action, context: ActionContext) => Promise<ActionOutcome>

export interface StepRunnerDeps {
  readonly host: string
  readonly roots: Roots
  readonly files: Files
  readonly clock: Clock
  readonly run: Run
  readonly forwarding: Forwarding
  readonly perform: PerformAction
}

export interface StepRun {
  readonly member: Member
  readonly steps: readonly Step[]
  /** aborted when the command went away */
  readonly gone: AbortSignal
  /** aborted when the agent ends */
  readonly ending: AbortSignal
  readonly onProgress: (progress: StepProgress) => void
}

/** Progress of one step is told at most this often. */
const REPORT_MS = 100

/** Carries out steps of plans on this host. One run per pair at a time is the caller's duty. */
export class StepRunner {
  readonly #deps: StepRunnerDeps

  constructor(deps: StepRunnerDeps) {
    this.#deps = deps
  }

  /**
   * Runs steps in order. Before the point of no return it stops when the command goes away; after it, only when the
   * agent ends.
   *
   * @throws {StepError} the first failure, with step and action; the steps before it are in the intent
   * @throws {InterruptedError} when the command went away
   */
  async run(job: StepRun): Promise<string[]> {
    this.#requireOwn(job.steps)
    const {intents} = job.member
    const finished: string[] = []
    let noted: Promise<void> = Promise.resolve()
    try {
      for (const step of job.steps) {
        const committed = intents.current?.committed === true
        if (!committed && job.gone.aborted) {
          throw new InterruptedError(`the command went away before ${step.label} (${step.id})`)
        }
        const commits = intents.current?.plan.pointOfNoReturn === step.id
        const signal = committed || commits ? job.ending : AbortSignal.any([job.gone, job.ending])
        if (!(await this.#step(job, step, signal))) continue
        finished.push(step.id)
        noted = intents.finished([...finished])
        noted.catch(() => undefined) // awaited below
        if (commits) await noted
      }
    } finally {
      await noted
    }
    // without a record nobody would ever look for this note again
    const {current} = intents
    if (job.member.records.current === undefined && current !== undefined && endsRecord(current, this.#deps.host))
      await intents.clear()
    return finished
  }

  /**
   * Takes steps back, last first; each is tried.
   *
   * @throws {StateError} after the point of no return: from there the only direction is forward (S5)
   */
  async undo(job: StepRun): Promise<Array<{step: string; message: string}>> {
    this.#requireOwn(job.steps)
    const {intents} = job.member
    if (intents.current?.committed === true) {
      throw new StateError(
        `${job.member.pair}: ${intents.current.plan.title} is past its point of no return`,
        {actual: 'committed', required: ['not committed']},
        {hint: `finish it: ${intents.current.plan.finish}`},
      )
    }
    const failures: Array<{step: string; message: string}> = []
    for (const step of [...job.steps].reverse()) {
      const report = reporter(this.#deps.clock, step, job.onProgress)
      const before = failures.length
      for (const action of step.undo ?? []) {
        if (action.kind === 'record-remove' && failures.length > 0) {
          // what is left can only be ended while there is a record of it
          failures.push({step: step.id, message: `${action.kind}: kept, because of what could not be taken back`})
          continue
        }
        try {
          await this.#perform(job, {action, signal: job.ending, report: report.running})
        } catch (error) {
          if (isOfQemuThatEnded(error, job.member)) continue
          failures.push({step: step.id, message: `${action.kind}: ${remoteErrorOf(error).message}`})
        }
      }
      report.state(failures.length === before ? 'undone' : 'failed')
      await intents.undone([step.id])
    }
    return failures
  }

  /** @returns false when an optional step failed */
  async #step(job: StepRun, step: Step, signal: AbortSignal): Promise<boolean> {
    const report = reporter(this.#deps.clock, step, job.onProgress)
    report.state('started')
    let outcome: ActionOutcome = 'unchanged'
    for (const action of step.actions) {
      try {
        signal.throwIfAborted()
        const committed = job.member.intents.current?.committed === true
        const gone = committed ? {} : {gone: job.gone}
        if ((await this.#perform(job, {action, signal, ...gone, report: report.running})) === 'changed') {
          outcome = 'changed'
        }
      } catch (error) {
        const why =
          job.gone.aborted && (signal.aborted || error === job.gone.reason)
            ? new InterruptedError('the command went away', {cause: error})
            : error
        const failure = new StepError(step, action.kind, why)
        report.state('failed', failure.message)
        if (step.optional !== true) throw failure
        return false
      }
    }
    report.state(outcome === 'changed' ? 'done' : 'unchanged')
    return true
  }

  async #perform(
    job: StepRun,
    {action, ...how}: {action: Action} & Pick<ActionContext, 'signal' | 'gone' | 'report'>,
  ): Promise<ActionOutcome> {
    const {files, clock, run, roots, forwarding, perform} = this.#deps
    const {member} = job
    const spec = specOf(member, job.steps)
    if (action.kind === 'checkpoint') await member.statistics.requested()
    return perform(action, {
      pair: member.pair,
      layout: spec === undefined ? member.layout : layoutAt(spec, roots),
      run,
      files,
      clock,
      ...how,
      record: member.records,
      vm: member.vm,
      forwarding,
    })
  }

  /** @throws {StateError} for a step of another host: it was sent to the wrong agent */
  #requireOwn(steps: readonly Step[]): void {
    const stray = steps.find(({host}) => host !== this.#deps.host)
    if (stray === undefined) return
    throw new StateError(`step ${stray.id} is for host ${stray.host}, this agent is ${this.#deps.host}`, {
      actual: stray.host,
      required: [this.#deps.host],
    })
  }
}

/** What was done to a QEMU that has ended, as when its guest powered off in the middle of a plan, needs not be taken back. */
function isOfQemuThatEnded(error: unknown, member: Member): boolean {
  return (error instanceof QmpConnectError || error instanceof QmpClosedError) && member.keeper.status === 'absent'
}

/** Of the record; before there is one, of the record the plan is about to make. */
function specOf(member: Member, steps: readonly Step[]): PairSpec | undefined {
  if (member.records.current !== undefined) return member.records.current.spec
  for (const step of [...steps, ...(member.intents.current?.plan.steps ?? [])]) {
    for (const action of step.actions) if (action.kind === 'record-create') return action.record.spec
  }
  return undefined
}

function reporter(clock: Clock, step: Step, onProgress: (progress: StepProgress) => void) {
  let lastMs = Number.NEGATIVE_INFINITY
  const running: ActionContext['report'] = (text, bytes) => {
    const nowMs = clock.monotonic()
    if (nowMs - lastMs < REPORT_MS && (bytes === undefined || bytes.done < bytes.total)) return
    lastMs = nowMs
    const amount = bytes === undefined ? {} : {doneBytes: bytes.done, totalBytes: bytes.total}
    onProgress({step: step.id, state: 'running', text, ...amount, atMs: clock.now()})
  }
  return {
    running,
    state: (state: StepProgress['state'], text?: string): void => {
      onProgress({step: step.id, state, ...(text === undefined ? {} : {text}), atMs: clock.now()})
    },
  }
}

import {ConflictError, isConflict, TimedOutError, UnreachableError} from '../errors.js'
import {observeParams, type AgentClient} from '../host/agent-client.js'
import type {HostEntry} from '../pair/inventory.js'
import type {Result, StepProgress} from '../agent/protocol.js'
import type {Plan} from '../plan/plan.js'
import {batches, withoutRecord, type Batch} from './batches.js'
import type {OperationContext} from './context.js'
import {afterPointOfNoReturn, interrupted} from './plan-ends.js'
import {authorityText, holds} from './records-say.js'
import type {TimelineEntry} from './result.js'
import type {Side} from './sides.js'

interface RunOptions {
  /** limit for the whole plan, milliseconds */
  readonly timeoutMs: number
  /** what the plan was made from: the records are looked at again once the locks are held */
  readonly premise?: readonly Side[]
}

/** Undo and clean-up calls are short; this is their limit. */
const tidyLimitMs = 60_000
/** A lock that a cut-off step still holds: asked for this often, with this pause in milliseconds. */
const lockAttempts = 40
const lockPauseMs = 250
/** An agent that is gone is tried again for so long before what it had done counts as left behind, milliseconds. */
const restartMs = 2000
/** An agent that hears nothing from the holder of a lock for a while takes it for dead when somebody else wants the lock. */
const signOfLifeMs = 3000
const premiseLimitMs = 4000

/**
 * Runs a plan over the agents of its hosts (S5): locks in name order, the intent fsynced on every host, then the steps in order.
 *
 * A failure, a limit or Ctrl-C before the point of no return undoes what was done, newest first, and raises the first error. After it
 * nothing is undone: the error or interruption names the command that finishes. So it is when nobody can say whether it was passed.
 *
 * @param clients  agents by host; every host of the plan must be there
 * @throws {ConflictError} when another operation holds the pair, or has changed it since the plan was made
 */
export async function runPlan(
  context: OperationContext,
  clients: ReadonlyMap<string, AgentClient>,
  plan: Plan,
  options: RunOptions,
): Promise<readonly TimelineEntry[]> {
  const running = new RunningPlan(context, new Map(clients), plan)
  await running.lock()
  try {
    await running.assertPremise(options.premise ?? [])
    context.progress.planned(plan)
    await running.writeIntent()
    await running.runSteps(options.timeoutMs)
    await running.clearIntent('done')
    return running.timeline
  } finally {
    await running.unlock()
  }
}

class RunningPlan {
  readonly timeline: TimelineEntry[] = []
  readonly #context: OperationContext
  readonly #clients: Map<string, AgentClient>
  readonly #plan: Plan
  readonly #started = new Map<string, number>()
  readonly #done = new Set<string>()
  /** ids of the steps an agent was asked for; what became of them is known when it answers */
  readonly #sent = new Set<string>()
  readonly #locked: string[] = []
  #signsOfLife: NodeJS.Timeout | undefined

  constructor(context: OperationContext, clients: Map<string, AgentClient>, plan: Plan) {
    this.#context = context
    this.#clients = clients
    this.#plan = plan
  }

  get #committed(): boolean {
    return this.#plan.pointOfNoReturn !== undefined && this.#done.has(this.#plan.pointOfNoReturn)
  }

  async lock(): Promise<void> {
    const {pair, title} = this.#plan
    try {
      for (const host of [...this.#clients.keys()].sort()) {
        await this.#client(host).call('lock.acquire', {pair, owner: this.#context.owner, purpose: title})
        this.#locked.push(host)
      }
      this.#signsOfLife = setInterval(() => {
        for (const client of this.#clients.values()) client.call('hello', {}).catch(() => undefined)
      }, signOfLifeMs).unref()
    } catch (error) {
      await this.unlock()
      throw error
    }
  }

  /** The plan was made from what was seen before the locks were held; a person may have thought about it for minutes. */
  async assertPremise(premise: readonly Side[]): Promise<void> {
    const {pair} = this.#plan
    await Promise.all(
      premise.map(async (side) => {
        if (!('member' in side) || !this.#clients.has(side.host)) return
        const {members} = await this.#observe(this.#client(side.host))
        if (authorityText(members[0]?.record) === authorityText(side.member.record)) return
        throw new ConflictError(`${pair} was changed on ${side.host} while this was being decided`, {
          hint: 'nothing was done; look again and decide anew: colo pair status ' + pair,
        })
      }),
    )
  }

  async unlock(): Promise<void> {
    const {pair} = this.#plan
    clearInterval(this.#signsOfLife)
    for (const host of this.#locked.splice(0)) {
      // the lock also ends with the connection
      await this.#client(host)
        .call('lock.release', {pair}, {timeoutMs: 2000})
        .catch(() => undefined)
    }
  }

  async writeIntent(): Promise<void> {
    const {pair} = this.#plan
    try {
      await Promise.all(
        [...this.#clients.values()].map((client) =>
          client.call('intent.write', {
            pair,
            plan: this.#plan,
            owner: this.#context.owner,
            ...(this.#context.origin && {origin: this.#context.origin}),
          }),
        ),
      )
    } catch (error) {
      await this.clearIntent('taken back') // nothing was begun
      throw error
    }
  }

  /** What was done stays done when an agent went away at the very end; its note of this plan is then left behind. */
  async clearIntent(result: 'done' | 'taken back'): Promise<void> {
    const {pair} = this.#plan
    await Promise.all(
      [...this.#clients].map(async ([host, client]) => {
        await client.call('intent.clear', {pair, result}).catch((error: unknown) => {
          this.#context.progress.note(`left behind: the note of this plan on ${host}: ${textOf(error)}`)
        })
      }),
    )
  }

  async runSteps(timeoutMs: number): Promise<void> {
    const deadline = this.#context.clock.monotonic() + timeoutMs
    try {
      for (const batch of batches(this.#plan.steps)) {
        await this.#runBatch(batch, deadline - this.#context.clock.monotonic())
      }
    } catch (error) {
      if (this.#committed) throw this.#beyond(error)
      switch (await this.#fate(error)) {
        case 'passed':
          throw this.#beyond(error)
        case 'unknown':
          throw this.#beyond(error, 'nobody can say whether its point of no return was passed')
        case 'not passed':
      }
      const left = await this.#undo(error)
      throw this.#context.signal.aborted ? interrupted(this.#plan, error, left) : error
    }
  }

  #beyond(error: unknown, why?: string): Error {
    return afterPointOfNoReturn(error, {plan: this.#plan, interrupted: this.#context.signal.aborted, why})
  }

  /**
   * Whether the point of no return was passed when its agent gave no answer. The agent finishes that step although the command went
   * away, so it is asked, after it has ended; taking back the fence of a loser while the other side is released would make two outputs (S1).
   */
  async #fate(error: unknown): Promise<'passed' | 'not passed' | 'unknown'> {
    const {pair, id, pointOfNoReturn} = this.#plan
    const step = this.#plan.steps.find((each) => each.id === pointOfNoReturn)
    if (step === undefined || !this.#sent.has(step.id)) return 'not passed'
    const answered =
      !this.#context.signal.aborted && !(error instanceof UnreachableError) && !(error instanceof TimedOutError)
    if (answered) return 'not passed'
    try {
      const client = await this.#usable(step.host)
      const {plan, committed} = await client.call('intent.read', {pair})
      if (plan?.id !== id) return 'unknown'
      if (committed) return 'passed'
      // an agent that died right after the fsync of its record had no time to note the step
      const {members} = await this.#observe(client)
      return holds(members[0]?.record, step) ? 'passed' : 'not passed'
    } catch {
      return 'unknown'
    }
  }

  async #runBatch(batch: Batch, timeoutMs: number): Promise<void> {
    const {pair} = this.#plan
    if (timeoutMs <= 0) throw new TimedOutError(`${this.#plan.title}: the time limit passed`, 0)
    const client = this.#client(batch.host)
    for (const {id} of batch.steps) this.#sent.add(id)
    try {
      await client.call(
        'steps.run',
        {pair, steps: batch.steps},
        {
          timeoutMs,
          signal: this.#context.signal,
          onProgress: (progress) => {
            this.#note(batch.host, progress)
          },
        },
      )
    } catch (error) {
      // the agent stops what it is doing when the connection goes (before the point of no return)
      if (this.#context.signal.aborted || error instanceof TimedOutError) client.close()
      throw error
    }
    for (const {id} of batch.steps) this.#done.add(id)
  }

  #note(host: string, progress: StepProgress): void {
    const {step, state, atMs} = progress
    if (state === 'started') this.#started.set(step, atMs)
    if (state !== 'started' && state !== 'running') {
      this.timeline.push({atMs, host, step, state, tookMs: atMs - (this.#started.get(step) ?? atMs)})
      if (state === 'done' || state === 'unchanged') this.#done.add(step)
    }
    this.#context.progress.step(host, progress)
  }

  /** Takes back every step that was begun, newest first; what could not be taken back is noted and returned, the first error stays. */
  async #undo(cause: unknown): Promise<readonly string[]> {
    const unheard = await this.#catchUp()
    const begun = this.#plan.steps.filter(({id}) => this.#started.has(id) || this.#done.has(id)).reverse()
    if (begun.length === 0 && unheard.size === 0) {
      await this.clearIntent('taken back')
      return []
    }
    this.#context.progress.note(`taking back: ${textOf(cause)}`)
    const left: string[] = []
    const spoilt = new Set<string>()
    for (const batch of batches(begun)) {
      const failures = await this.#undoBatch(spoilt.has(batch.host) ? withoutRecord(batch) : batch)
      if (failures.length > 0) spoilt.add(batch.host)
      left.push(...failures)
    }
    for (const [host, why] of unheard) if (!begun.some((step) => step.host === host)) left.push(`${host}: ${why}`)
    if (left.length === 0) await this.clearIntent('taken back')
    for (const line of left) this.#context.progress.note(`left behind: ${line}`)
    return left
  }

  /**
   * An agent goes on with its step, and when nothing tells it that the connection ended with the next ones; what it did then was not heard. Its
   * note says what it has finished.
   *
   * @returns hosts that were asked for steps and cannot be asked what became of them, with why
   */
  async #catchUp(): Promise<ReadonlyMap<string, string>> {
    const open = this.#plan.steps.filter(({id}) => this.#sent.has(id) && !this.#done.has(id))
    const unheard = new Map<string, string>()
    for (const host of new Set(open.map((step) => step.host))) {
      await this.#usable(host).catch((error: unknown) => unheard.set(host, textOf(error)))
    }
    return unheard
  }

  async #undoBatch(batch: Batch): Promise<string[]> {
    const {pair} = this.#plan
    // the agent undoes in reverse of the order given
    const steps = [...batch.steps].reverse()
    try {
      const client = await this.#usable(batch.host)
      const {failures} = await client.call('steps.undo', {pair, steps}, {timeoutMs: tidyLimitMs})
      return failures.map(({step, message}) => `${step}: ${message}`)
    } catch (error) {
      return [`${batch.host}: ${textOf(error)}`]
    }
  }

  /** The client of a host; a connection that ended is made anew, with the lock. */
  async #usable(host: string): Promise<AgentClient> {
    const client = this.#client(host)
    try {
      await client.call('hello', {}, {timeoutMs: 2000})
      return client
    } catch {
      client.close()
      const entry = this.#context.inventory.hosts.find(({name}) => name === host)
      if (entry === undefined) throw new UnreachableError(host, `${host} is not in the inventory`)
      const again = await this.#connectAgain(entry)
      this.#clients.set(host, again)
      await this.#lockAgain(again)
      await this.#assertOurs(host, again)
      return again
    }
  }

  /** An agent that died is started again at once. */
  async #connectAgain(entry: HostEntry): Promise<AgentClient> {
    const {clock, connect} = this.#context
    const endMs = clock.monotonic() + restartMs
    for (;;) {
      try {
        return await connect(entry, new AbortController().signal)
      } catch (error) {
        if (clock.monotonic() >= endMs) throw error
        await clock.sleep(lockPauseMs)
      }
    }
  }

  /** The lock was free for a moment: what somebody else has begun since is not ours to take back; what this plan did unheard is. */
  async #assertOurs(host: string, client: AgentClient): Promise<void> {
    const {pair, id, title} = this.#plan
    const {plan, done} = await client.call('intent.read', {pair})
    if (plan?.id !== id) {
      throw new ConflictError(
        `${host}: ${plan?.title ?? 'another command'} came after ${title}; nothing is taken back there`,
      )
    }
    for (const step of done) this.#done.add(step)
    // the one after them may have begun
    const next = this.#plan.steps.find(
      (step) => step.host === host && this.#sent.has(step.id) && !this.#done.has(step.id),
    )
    if (next !== undefined && !this.#started.has(next.id)) this.#started.set(next.id, this.#context.clock.now())
  }

  /** The step that was cut off may still be ending on the old connection; its lock ends with it. */
  async #lockAgain(client: AgentClient): Promise<void> {
    const {pair, title} = this.#plan
    for (let attempt = 1; ; attempt++) {
      try {
        await client.call('lock.acquire', {pair, owner: this.#context.owner, purpose: `undo: ${title}`})
        return
      } catch (error) {
        if (!isConflict(error) || attempt === lockAttempts) throw error
        await this.#context.clock.sleep(lockPauseMs)
      }
    }
  }

  #observe(client: AgentClient): Promise<Result<'pairs.observe'>> {
    return client.call('pairs.observe', observeParams(client, this.#plan.pair), {timeoutMs: premiseLimitMs})
  }

  #client(host: string): AgentClient {
    const client = this.#clients.get(host)
    if (client === undefined) throw new UnreachableError(host, `${this.#plan.title}: no connection to ${host}`)
    return client
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

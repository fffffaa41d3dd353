import type {Files} from '../os/files.js'
import {currencyOf, isOnTrial} from '../pair/record.js'
import type {Step} from '../plan/plan.js'
import type {Client} from './client.js'
import type {Intent} from './intent-store.js'
import type {Locks} from './locks.js'
import type {Member} from './member.js'
import type {StepRunner} from './step-runner.js'
import {readTap, setTap} from './tap.js'

/** A command that holds the lock and said nothing for so long is dead, milliseconds. */
const DEAD_MS = 15_000

export interface FenceLifterDeps {
  readonly host: string
  readonly files: Files
  readonly locks: Locks
  readonly runner: StepRunner
  /** aborted when the agent ends */
  readonly ending: AbortSignal
  readonly problem: (text: string) => void
}

/**
 * A failover whose command died between the fence and the grant would leave both copies silent. The agents mend that by themselves: the
 * fenced side asks the other one to withdraw that plan; the other one does so, durably, unless it holds the grant or somebody works on
 * the pair; only then the fence is lifted (decision 18). No answer, no lifting (S2).
 */
export class FenceLifter {
  readonly #deps: FenceLifterDeps
  readonly #busy = new Set<string>()

  constructor(deps: FenceLifterDeps) {
    this.#deps = deps
  }

  /** Called about once a second, for each member. */
  tick(member: Member): void {
    if (this.#busy.has(member.pair)) return
    this.#busy.add(member.pair)
    this.#look(member)
      .catch((error: unknown) => this.#deps.problem(`${member.pair}: lifting a fence: ${(error as Error).message}`))
      .finally(() => this.#busy.delete(member.pair))
  }

  async #look(member: Member): Promise<void> {
    const {talk} = member
    const intent = this.#abandoned(member)
    if (talk.peerAsksToWithdraw === undefined) talk.withdrawn = undefined
    else await this.#withdraw(member, talk.peerAsksToWithdraw, intent)
    const fence = intent === undefined ? undefined : await this.#fenceOf(member, intent)
    talk.asking = intent !== undefined && fence !== undefined ? intent.plan.id : undefined
    if (intent === undefined || fence === undefined) return
    const answer = talk.peerWithdrew
    if (answer?.plan === intent.plan.id) await this.#lift(member, {intent, fence, copy: answer.copy})
    else talk.announce()
  }

  /** A failover that was not granted here, and that nobody works on. */
  #abandoned(member: Member): Intent | undefined {
    const intent = member.intents.current
    if (intent?.plan.kind !== 'failover' || intent.committed) return undefined
    const {locks} = this.#deps
    const holder = locks.ownerOf(member.pair) as Client | undefined
    if (holder !== undefined && holder.silentMs > DEAD_MS) holder.drop()
    return locks.holder(member.pair) === undefined ? intent : undefined
  }

  /** The step by which that plan fenced this side, when it still is fenced and lost nothing yet. */
  async #fenceOf({records, layout}: Member, {plan}: Intent): Promise<Step | undefined> {
    const record = records.current
    if (record?.role !== 'primary' || record.alone || record.marks.stale !== undefined) return undefined
    const fence = plan.steps.find(({id}) => id === `${this.#deps.host}/fence`)
    if (fence?.undo === undefined) return undefined
    const taps = await Promise.all(layout.nics.map(({tap}) => readTap(this.#deps.files, tap)))
    return taps.includes('down') ? fence : undefined
  }

  /** The promise that this side will not be granted that plan any more; durable before it is told. */
  async #withdraw(member: Member, plan: string, mine: Intent | undefined): Promise<void> {
    const {records, intents, talk} = member
    if (intents.current !== undefined && mine === undefined) return
    await this.#locked(member, 'withdraw a failover that nobody finishes', async () => {
      const record = await records.update((now) => {
        if (!isOnTrial(now)) return undefined
        return {marks: {incomplete: {why: 'resync', detail: 'its promotion was taken back; the other side went on'}}}
      })
      if (record.role !== 'secondary' || record.alone) return
      if (currencyOf(record) !== 'promotable') await talk.silence()
      if (intents.current !== undefined) {
        await intents.clear()
        await member.events.record({type: 'FAILOVER_WITHDRAWN', data: {plan}, decisive: true})
      }
      talk.withdrawn = {plan, copy: currencyOf(record) === 'promotable' ? 'shadows' : 'spent'}
      talk.announce()
    })
  }

  /** Back to how it was, when the secondary still shadows; else this side goes on alone, as the plan's own undo says. */
  async #lift(
    member: Member,
    {intent, fence, copy}: {intent: Intent; fence: Step; copy: 'shadows' | 'spent'},
  ): Promise<void> {
    const {files, runner, ending} = this.#deps
    await this.#locked(member, 'lift the fence of a failover that nobody finishes', async () => {
      if ((await this.#fenceOf(member, intent)) === undefined) return
      if (copy === 'shadows') {
        for (const {tap} of member.layout.nics) await setTap(files, tap, 'up')
      } else {
        const job = {member, steps: [fence], gone: ending, ending, onProgress: () => undefined}
        const [failure] = await runner.undo(job)
        if (failure !== undefined) throw new Error(failure.message)
      }
      await member.intents.clear()
      member.talk.asking = undefined
      await member.events.record({type: 'FENCE_LIFTED', data: {plan: intent.plan.id, copy}, decisive: true})
    })
  }

  /** With the pair's lock, so that no command comes between; nothing is done when somebody has it, or the intent has changed. */
  async #locked(member: Member, purpose: string, body: () => Promise<void>): Promise<void> {
    const {locks, host} = this.#deps
    const {pair, intents} = member
    const before = intents.current
    const owner = {silentMs: 0, gone: new AbortController().signal, drop: () => undefined}
    if (locks.holder(pair) !== undefined) return
    locks.acquire(pair, owner, {owner: `the agent of ${host}`, purpose})
    try {
      if (intents.current === before) await body()
    } finally {
      locks.release(pair, owner)
    }
  }
}

import * as v from 'valibot'
import type {Files} from '../os/files.js'
import type {IntentSummary} from '../pair/observation.js'
import type {Plan} from '../plan/plan.js'
import {planSchema} from './decode-action.js'
import {refuseNewer} from './decode-record.js'
import {decode, integer, parseJson, word} from './decode.js'
import {Serial} from './serial.js'

const intentSchema = v.strictObject({
  format: v.literal(1),
  plan: planSchema,
  owner: word,
  startedAtMs: integer(),
  done: v.array(word),
  committed: v.boolean(),
})

/** A plan that is being carried out, as this host knows it. */
export interface Intent {
  readonly format: 1
  readonly plan: Plan
  readonly owner: string
  readonly startedAtMs: number
  /** ids of the steps this host has finished */
  readonly done: readonly string[]
  /** the plan's point of no return succeeded on this host */
  readonly committed: boolean
}

/** `intent.json` of one pair: what must be finished, or taken back, when everybody died in the middle (S5). */
export class IntentStore {
  readonly file: string
  readonly #directory: string
  readonly #files: Files
  readonly #serial = new Serial()
  #known: {readonly intent: Intent | undefined} | undefined

  constructor({files, directory}: {files: Files; directory: string}) {
    this.#files = files
    this.#directory = directory
    this.file = `${directory}/intent.json`
  }

  /** As last read or written; undefined too when it was never read. */
  get current(): Intent | undefined {
    return this.#known?.intent
  }

  /** @throws {DecodeError | NewerFormatError} when the file is not one; never taken for an absent one */
  async read(): Promise<Intent | undefined> {
    if (this.#known !== undefined) return this.#known.intent
    return this.#serial.run(() => this.#load())
  }

  /** Durable when it settles. An older intent is replaced: whoever writes has read it under the same lock. */
  async write(plan: Plan, owner: string, startedAtMs: number): Promise<void> {
    await this.#serial.run(() => this.#write({format: 1, plan, owner, startedAtMs, done: [], committed: false}))
  }

  /** Notes finished steps; `committed` from the plan's point of no return on. Durable when it settles. */
  async finished(ids: readonly string[]): Promise<void> {
    await this.#edit((intent) => ({
      done: [...new Set([...intent.done, ...ids])],
      committed:
        intent.committed || (intent.plan.pointOfNoReturn !== undefined && ids.includes(intent.plan.pointOfNoReturn)),
    }))
  }

  /** Notes steps that were taken back. */
  async undone(ids: readonly string[]): Promise<void> {
    await this.#edit((intent) => ({done: intent.done.filter((id) => !ids.includes(id))}))
  }

  async clear(): Promise<void> {
    await this.#serial.run(async () => {
      await this.#files.remove(this.file)
      this.#known = {intent: undefined}
    })
  }

  async #edit(change: (intent: Intent) => Partial<Intent>): Promise<void> {
    await this.#serial.run(async () => {
      const intent = await this.#load()
      if (intent !== undefined) await this.#write({...intent, ...change(intent)})
    })
  }

  async #load(): Promise<Intent | undefined> {
    if (this.#known !== undefined) return this.#known.intent
    const text = await this.#files.readText(this.file)
    let intent: Intent | undefined
    if (text !== undefined) {
      const value = parseJson(text, this.file)
      refuseNewer(value, this.file)
      intent = decode(intentSchema, value, this.file)
    }
    this.#known = {intent}
    return intent
  }

  async #write(intent: Intent): Promise<void> {
    await this.#files.makeDirectory(this.#directory, 0o700)
    await this.#files.writeAtomic(this.file, `${JSON.stringify(intent)}\n`, 0o600)
    this.#known = {intent}
  }
}

/** It removes the record of `host`: when there is none any more, nothing of it is left to be done there. */
export function endsRecord({plan}: Intent, host: string): boolean {
  return plan.steps.some((step) => step.host === host && step.actions.some(({kind}) => kind === 'record-remove'))
}

export function summaryOf(intent: Intent | undefined): IntentSummary | undefined {
  if (intent === undefined) return undefined
  const {plan, owner, startedAtMs, done, committed} = intent
  return {plan: plan.id, kind: plan.kind, title: plan.title, startedAtMs, owner, done, committed, finish: plan.finish}
}

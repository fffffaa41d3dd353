import * as v from 'valibot'
import type {Files} from '../os/files.js'
import type {MemberObservation} from '../pair/observation.js'
import {decodeJson, word} from './decode.js'
import {Serial} from './serial.js'

const schema = v.strictObject({
  format: v.literal(1),
  bootId: word,
  pairs: v.record(v.string(), v.strictObject({kind: v.picklist(['wait', 'leave']), why: v.string()})),
})

type Verdict = NonNullable<MemberObservation['boot']>

const notYet: Verdict = {kind: 'wait', why: 'it has not looked at it yet'}

/**
 * Pairs whose copies may have to be started since this host has booted, and what keeps them. Kept where it does not outlive the boot: a
 * restarted agent goes on where the last one was, and starts nothing that ended later for another reason.
 */
export class BootList {
  readonly #options: {readonly files: Files; readonly file: string; readonly bootId: string}
  readonly #serial = new Serial()
  #pairs = new Map<string, Verdict>()

  constructor(options: {readonly files: Files; readonly file: string; readonly bootId: string}) {
    this.#options = options
  }

  /** @param known  names of the pairs with a record here: all of them are looked at after a boot */
  async load(known: readonly string[]): Promise<void> {
    const {files, file, bootId} = this.#options
    const text = await files.readText(file)
    const before = text === undefined ? undefined : readBoot(text, file)
    const pairs =
      before?.bootId === bootId ? Object.entries(before.pairs) : known.map((pair) => [pair, notYet] as const)
    this.#pairs = new Map(pairs)
    await this.#save()
  }

  /** Names of those to be looked at again. */
  get waiting(): string[] {
    return [...this.#pairs].filter(([, {kind}]) => kind === 'wait').map(([pair]) => pair)
  }

  of(pair: string): Verdict | undefined {
    return this.#pairs.get(pair)
  }

  /** @param verdict  undefined: it runs, or nothing is left to say */
  async note(pair: string, verdict: Verdict | undefined): Promise<void> {
    const before = this.#pairs.get(pair)
    if (before?.kind === verdict?.kind && before?.why === verdict?.why) return
    if (verdict === undefined) this.#pairs.delete(pair)
    else this.#pairs.set(pair, verdict)
    await this.#save()
  }

  async #save(): Promise<void> {
    const {files, file, bootId} = this.#options
    await this.#serial.run(() =>
      files.writeAtomic(
        file,
        `${JSON.stringify({format: 1, bootId, pairs: Object.fromEntries(this.#pairs)})}\n`,
        0o600,
      ),
    )
  }
}

/** What cannot be read counts as from before the boot: the start rules decide anew, and they are safe to ask again. */
function readBoot(text: string, file: string): v.InferOutput<typeof schema> | undefined {
  try {
    return decodeJson(schema, text, file)
  } catch {
    return undefined
  }
}

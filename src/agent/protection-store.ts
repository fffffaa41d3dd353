import * as v from 'valibot'
import type {Files} from '../os/files.js'
import type {LatchedFact} from '../pair/observation.js'
import {refuseNewer} from './decode-record.js'
import {decode, integer, parseJson} from './decode.js'
import {Serial} from './serial.js'

const kinds = [
  'colo-exit',
  'quorum-report-bad',
  'nbd-lost',
  'export-deleted',
  'block-io-error',
  'shutdown',
  'qemu-gone',
  'chardev-lost',
] as const satisfies ReadonlyArray<LatchedFact['kind']>

const schema = v.strictObject({
  format: v.literal(1),
  active: v.boolean(),
  beganAtMs: integer(),
  connections: v.array(v.string()),
  latched: v.array(v.strictObject({kind: v.picklist(kinds), atMs: integer(), detail: v.string()})),
  missedWrites: v.boolean(),
  blindSince: v.exactOptional(v.pipe(v.number(), v.minValue(0, 'a number from 0 on'))),
  splitBrain: v.exactOptional(v.string()),
})

/** What the agent must still know of a protection after its own restart. */
export interface Protection {
  readonly format: 1
  /** from `protection-begin` until the peer's loss is expected */
  readonly active: boolean
  readonly beganAtMs: number
  /** NBD connections of the beginning, see tcp-table.ts */
  readonly connections: readonly string[]
  /** the newest of each kind */
  readonly latched: readonly LatchedFact[]
  /** this side (primary) knows that the peer's disks missed something */
  readonly missedWrites: boolean
  readonly blindSince?: number
  /** id of a generation of the peer that is unrelated to ours */
  readonly splitBrain?: string
}

export const noProtection: Protection = {
  format: 1,
  active: false,
  beganAtMs: 0,
  connections: [],
  latched: [],
  missedWrites: false,
}

/** `protection.json`. What is set holds in memory at once; the promise settles when it is durable. */
export class ProtectionStore {
  readonly file: string
  readonly #files: Files
  readonly #directory: string
  readonly #serial = new Serial()
  #now: Protection = noProtection
  #written: Protection | undefined

  constructor({files, directory}: {files: Files; directory: string}) {
    this.#files = files
    this.#directory = directory
    this.file = `${directory}/protection.json`
  }

  get now(): Protection {
    return this.#now
  }

  /** @throws {DecodeError | NewerFormatError} when the file is not one */
  async load(): Promise<void> {
    const text = await this.#files.readText(this.file)
    if (text === undefined) return
    const value = parseJson(text, this.file)
    refuseNewer(value, this.file)
    this.#now = decode(schema, value, this.file)
  }

  set(change: Partial<Protection>): Promise<void> {
    this.#now = {...this.#now, ...change}
    return this.#write()
  }

  /** Sets all of it; what is not given is forgotten. */
  replace(protection: Protection): Promise<void> {
    this.#now = protection
    return this.#write()
  }

  latch(fact: LatchedFact): Promise<void> {
    return this.set({latched: [...this.#now.latched.filter(({kind}) => kind !== fact.kind), fact]})
  }

  seeing(): Promise<void> {
    const {blindSince: _, ...rest} = this.#now
    this.#now = rest
    return this.#write()
  }

  async remove(): Promise<void> {
    this.#now = noProtection
    this.#written = noProtection
    await this.#serial.run(() => this.#files.remove(this.file))
  }

  /** Several changes in a row are written once. */
  #write(): Promise<void> {
    return this.#serial.run(async () => {
      const wanted = this.#now
      if (this.#written === wanted) return
      await this.#files.makeDirectory(this.#directory, 0o700)
      await this.#files.writeAtomic(this.file, `${JSON.stringify(wanted)}\n`, 0o600)
      this.#written = wanted
    })
  }
}

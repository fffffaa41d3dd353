import {ConflictError, NotFoundError, RefusedError, StateError} from '../errors.js'
import type {Files} from '../os/files.js'
import {forbidsAlone} from '../pair/grant.js'
import type {PairRecord} from '../pair/record.js'
import type {RecordChange} from '../plan/action.js'
import type {RecordAccess} from './action-context.js'
import {decode} from './decode.js'
import {decodeRecord, recordSchema} from './decode-record.js'
import {Serial} from './serial.js'

export type RecordEdit = RecordChange & {readonly images?: PairRecord['images']}

export interface RecordStoreOptions {
  readonly files: Files
  /** `<state root>/<pair>` */
  readonly directory: string
  readonly pair: string
  /** name of this host; a record of another one is refused */
  readonly host: string
  /** wall clock, milliseconds */
  readonly now: () => number
  /** called after a change is durable */
  readonly onChange: (now: PairRecord | undefined, before: PairRecord | undefined) => void
}

/**
 * `record.json` of one pair on this host. The agent is its only writer, so it is read once and kept.
 *
 * Changes are made one after the other; each is durable before its promise settles.
 */
export class RecordStore implements RecordAccess {
  readonly file: string
  readonly #options: RecordStoreOptions
  readonly #serial = new Serial()
  #known: {readonly record: PairRecord | undefined} | undefined

  constructor(options: RecordStoreOptions) {
    this.#options = options
    this.file = `${options.directory}/record.json`
  }

  /** The record as last read or written; undefined too when it was never read. */
  get current(): PairRecord | undefined {
    return this.#known?.record
  }

  /**
   * @returns undefined when there is no file
   * @throws {NewerFormatError} when a newer release wrote it
   * @throws {DecodeError} when it is broken: never taken for an absent one
   */
  async read(): Promise<PairRecord | undefined> {
    if (this.#known !== undefined) return this.#known.record
    return this.#serial.run(() => this.#load())
  }

  /** @throws {ConflictError} when the pair's name has a record of another pair */
  async create(record: PairRecord): Promise<void> {
    const {pair, host} = this.#options
    if (record.spec.name !== pair) throw new ConflictError(`a record of ${record.spec.name} cannot be kept as ${pair}`)
    if (record.host !== host) throw new ConflictError(`a record of host ${record.host} cannot be kept on ${host}`)
    await this.#serial.run(async () => {
      const before = await this.#load()
      if (before !== undefined && before.uuid !== record.uuid) {
        throw new ConflictError(`${this.file}: a pair named ${pair} exists already (uuid ${before.uuid})`)
      }
      await this.#write(record, before)
    })
  }

  /**
   * @throws {NotFoundError} without a record
   * @throws {RefusedError} when it would let a copy go on alone that must not
   */
  async change(edit: RecordEdit): Promise<PairRecord> {
    return this.update((record) => {
      if (edit.spec !== undefined && edit.spec.name !== record.spec.name) {
        throw new ConflictError(`a spec of ${edit.spec.name} cannot be that of ${record.spec.name}`)
      }
      const why = edit.alone === true ? forbidsAlone(record, edit.generation) : undefined
      if (why === undefined) return edit
      throw new RefusedError(`${this.#options.pair} must not go on alone on ${this.#options.host}: ${why}`, {
        hint: `colo pair status ${this.#options.pair}`,
      })
    })
  }

  /**
   * Changes what depends on the record as it is; `edit` returns undefined for no change.
   *
   * @throws {NotFoundError} without a record
   */
  async update(edit: (record: PairRecord) => RecordEdit | undefined): Promise<PairRecord> {
    return this.#serial.run(async () => {
      const before = await this.#load()
      if (before === undefined)
        throw new NotFoundError(`no record of pair ${this.#options.pair} on ${this.#options.host}`)
      const wanted = edit(before)
      if (wanted === undefined) return before
      return this.#write({...before, ...wanted}, before)
    })
  }

  async remove(): Promise<void> {
    await this.#serial.run(async () => {
      const before = await this.#load().catch(() => undefined)
      await this.#options.files.remove(this.file)
      this.#known = {record: undefined}
      this.#options.onChange(undefined, before)
    })
  }

  async #load(): Promise<PairRecord | undefined> {
    if (this.#known !== undefined) return this.#known.record
    const text = await this.#options.files.readText(this.file)
    const record = text === undefined ? undefined : decodeRecord(text, this.file)
    if (record !== undefined && record.spec.name !== this.#options.pair) {
      throw new StateError(`${this.file} belongs to pair ${record.spec.name}`, {
        actual: record.spec.name,
        required: [this.#options.pair],
      })
    }
    this.#known = {record}
    return record
  }

  async #write(record: PairRecord, before: PairRecord | undefined): Promise<PairRecord> {
    const {files, directory, now, onChange} = this.#options
    const stamped = {...record, updatedAtMs: now()}
    decode(recordSchema, stamped, this.file) // what could not be read back is not written
    await files.makeDirectory(directory, 0o700)
    await files.writeAtomic(this.file, `${JSON.stringify(stamped, undefined, 2)}\n`, 0o600)
    this.#known = {record: stamped}
    onChange(stamped, before)
    return stamped
  }
}

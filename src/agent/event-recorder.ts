import type {Files} from '../os/files.js'
import type {RecordedEvent} from './protocol.js'
import {Serial} from './serial.js'

/** How long events that decide nothing stay in memory. */
const FLUSH_MS = 5000
/** Numbers skipped after a restart: more than can have been lost between two flushes. */
const RESTART_GAP = 1000
const KEPT_DECISIVE = 200

export interface EventRecorderOptions {
  readonly files: Files
  readonly directory: string
  readonly pair: string
  /** wall clock, milliseconds */
  readonly now: () => number
  /** gets a line when the file cannot be written; recording goes on */
  readonly onProblem: (text: string) => void
  /** size at which events.jsonl is rotated, bytes; 1 MiB unless told */
  readonly limitBytes?: number
}

/** An event in the making. */
export interface NewEvent {
  readonly type: string
  readonly data?: Readonly<Record<string, unknown>>
  /** when it happened; now unless told */
  readonly atMs?: number
  /** decides currency: durable before the promise settles, and kept beyond one rotation */
  readonly decisive?: boolean
}

/**
 * History of one pair on one host: `events.jsonl`, bounded, with one older generation `events.1.jsonl`.
 *
 * Numbers rise for ever; a gap means that events were lost with a host or an agent.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #serial = new Serial()
  readonly #followers = new Set<(event: RecordedEvent) => void>()
  #pending: string[] = []
  #flushTimer: NodeJS.Timeout | undefined
  #seq = 0
  #bytes = 0
  #lastAtMs: number | undefined
  #ready = false

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  /** number of the newest event */
  get lastSeq(): number {
    return this.#seq
  }

  /** when the last event was recorded, also by an agent before this one; whole milliseconds, though the events of QEMU are finer */
  get lastAtMs(): number | undefined {
    return this.#lastAtMs === undefined ? undefined : Math.floor(this.#lastAtMs)
  }

  /** Reads where the last agent ended; before the first `record`. */
  async load(): Promise<void> {
    const events = await this.#readFiles()
    const last = events.at(-1)
    const cutOff = /[^\n]$/.test((await this.#options.files.readText(this.#file)) ?? '')
    if (cutOff) this.#pending.unshift('\n')
    if (last !== undefined) this.#seq = last.seq + RESTART_GAP
    this.#lastAtMs = last?.atMs
    this.#bytes = (await this.#options.files.stat(this.#file))?.sizeBytes ?? 0
    this.#ready = true
  }

  /** Numbers an event, hands it to the followers and queues it; never rejects. Settles when a decisive one is durable. */
  async record({type, data = {}, atMs, decisive = false}: NewEvent): Promise<void> {
    const event: RecordedEvent = {
      seq: ++this.#seq,
      atMs: atMs ?? this.#options.now(),
      pair: this.#options.pair,
      type,
      data,
    }
    this.#lastAtMs = event.atMs
    this.#pending.push(`${JSON.stringify(decisive ? {...event, decisive} : event)}\n`)
    for (const follower of [...this.#followers]) follower(event)
    if (decisive) return this.flush(true)
    this.#flushTimer ??= setTimeout(() => void this.flush(false), FLUSH_MS).unref()
  }

  /** @returns a function that ends it */
  follow(onEvent: (event: RecordedEvent) => void): () => void {
    this.#followers.add(onEvent)
    return () => {
      this.#followers.delete(onEvent)
    }
  }

  /** Everything kept after `sinceSeq`, oldest first. */
  async read(sinceSeq = 0): Promise<RecordedEvent[]> {
    await this.flush(false)
    return (await this.#readFiles()).filter(({seq}) => seq > sinceSeq)
  }

  /** Writes what is queued. */
  flush(sync: boolean): Promise<void> {
    clearTimeout(this.#flushTimer)
    this.#flushTimer = undefined
    return this.#serial.run(async () => {
      const text = this.#pending.splice(0).join('')
      if (text === '' && !sync) return
      try {
        await this.#append(text, sync)
      } catch (error) {
        this.#options.onProblem(`${this.#file}: ${(error as Error).message}`)
      }
    })
  }

  /** Forgets the history. */
  async remove(): Promise<void> {
    clearTimeout(this.#flushTimer)
    this.#flushTimer = undefined
    await this.#serial.run(async () => {
      this.#pending = []
      this.#bytes = 0
      await this.#options.files.remove(this.#file)
      await this.#options.files.remove(this.#older)
    })
  }

  get #file(): string {
    return `${this.#options.directory}/events.jsonl`
  }

  get #older(): string {
    return `${this.#options.directory}/events.1.jsonl`
  }

  async #append(text: string, sync: boolean): Promise<void> {
    const {files, directory, limitBytes = 1024 * 1024} = this.#options
    if (!this.#ready) await this.load()
    if (this.#bytes === 0) await files.makeDirectory(directory, 0o700)
    await files.append(this.#file, text, {mode: 0o600, sync})
    this.#bytes += Buffer.byteLength(text)
    if (this.#bytes > limitBytes) await this.#rotate()
  }

  /** The older generation goes, but for what decided something. */
  async #rotate(): Promise<void> {
    const {files} = this.#options
    const older = (await files.readText(this.#older)) ?? ''
    const decisive = older.split('\n').filter((line) => line.endsWith('"decisive":true}'))
    const kept = decisive
      .slice(-KEPT_DECISIVE)
      .map((line) => `${line}\n`)
      .join('')
    await files.writeAtomic(this.#older, kept + ((await files.readText(this.#file)) ?? ''), 0o600)
    await files.remove(this.#file)
    this.#bytes = 0
  }

  async #readFiles(): Promise<RecordedEvent[]> {
    const {files} = this.#options
    const text = ((await files.readText(this.#older)) ?? '') + ((await files.readText(this.#file)) ?? '')
    return text.split('\n').flatMap(eventOf)
  }
}

/** A line cut off by a crash is no event. */
function eventOf(line: string): RecordedEvent[] {
  if (line === '') return []
  try {
    const {seq, atMs, pair, type, data} = JSON.parse(line) as RecordedEvent
    return typeof seq === 'number' && typeof type === 'string' ? [{seq, atMs, pair, type, data}] : []
  } catch {
    return []
  }
}

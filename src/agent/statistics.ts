import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import {emptySeries, feed, type Series, type SeriesInput} from '../stats/checkpoints.js'
import {inputOf} from '../stats/recorded.js'
import type {Tracing} from '../stats/member-stats.js'
import type {EventRecorder} from './event-recorder.js'
import type {RecordedEvent} from './protocol.js'
import {Serial} from './serial.js'

const format = 1
/** Figures are written so often; what came after is added again from the recorded events. */
const SAVE_MS = 60_000

interface Saved {
  readonly format: number
  /** number of the last event in the figures */
  readonly seq: number
  readonly tracing: Tracing
  readonly series: Series
}

export interface StatisticsOptions {
  readonly files: Files
  readonly directory: string
  readonly clock: Clock
  readonly events: EventRecorder
  /** x-checkpoint-delay, milliseconds */
  readonly delayMs: () => number
  readonly problem: (text: string) => void
}

/**
 * The checkpoint figures of one member, over restarts of the agent: `stats.json` beside the events. They decide nothing, so a file that
 * is lost or broken only begins them anew.
 */
export class Statistics {
  readonly #options: StatisticsOptions
  readonly #serial = new Serial()
  #series = emptySeries
  #tracing: Tracing = 'off'
  #savedAtMs = 0
  #dirty = false

  constructor(options: StatisticsOptions) {
    this.#options = options
  }

  get series(): Series {
    return this.#series
  }

  /** what was asked for, also of an agent before this one */
  get tracing(): Tracing {
    return this.#tracing
  }

  /** After the recorder's own `load`. */
  async load(): Promise<void> {
    const {files, events} = this.#options
    const saved = savedOf(await files.readText(this.#file))
    this.#series = saved?.series ?? emptySeries
    this.#tracing = saved?.tracing ?? 'off'
    this.#savedAtMs = this.#options.clock.monotonic()
    const missed = await events.read(saved?.seq ?? 0)
    for (const event of saved === undefined ? sinceBegin(missed) : missed) {
      const input = inputOf(event)
      if (input !== undefined) this.feed(input)
    }
  }

  feed(input: SeriesInput): void {
    this.#series = feed(this.#series, input, this.#options.delayMs())
    this.#dirty = true
  }

  /** The agent is about to ask for a checkpoint. */
  async requested(): Promise<void> {
    this.feed({kind: 'request'})
    await this.#options.events.record({type: 'CHECKPOINT_REQUESTED'})
  }

  async setTracing(tracing: Tracing): Promise<void> {
    this.#tracing = tracing
    this.#dirty = true
    await this.save()
  }

  /** Called about once a second. */
  tick(): void {
    if (!this.#dirty || this.#options.clock.monotonic() - this.#savedAtMs < SAVE_MS) return
    void this.save()
  }

  /** Never rejects. */
  save(): Promise<void> {
    const {files, clock, events, problem} = this.#options
    return this.#serial.run(async () => {
      if (!this.#dirty) return
      this.#dirty = false
      this.#savedAtMs = clock.monotonic()
      const saved: Saved = {format, seq: events.lastSeq, tracing: this.#tracing, series: this.#series}
      try {
        await files.writeAtomic(this.#file, JSON.stringify(saved), 0o600)
      } catch (error) {
        problem(`${this.#file}: ${(error as Error).message}`)
      }
    })
  }

  async remove(): Promise<void> {
    await this.#serial.run(async () => {
      this.#series = emptySeries
      this.#dirty = false
      await this.#options.files.remove(this.#file)
    })
  }

  get #file(): string {
    return `${this.#options.directory}/stats.json`
  }
}

/** Without saved figures only the session under way counts: before it this copy may have had another role. */
function sinceBegin(events: readonly RecordedEvent[]): readonly RecordedEvent[] {
  const begin = events.map((event) => inputOf(event)?.kind).lastIndexOf('begin')
  return begin === -1 ? [] : events.slice(begin)
}

/** A file of another format, or a broken one, is as good as none. */
function savedOf(text: string | undefined): Saved | undefined {
  if (text === undefined) return undefined
  try {
    const saved = JSON.parse(text) as Partial<Saved>
    const known = saved.format === format && typeof saved.seq === 'number' && typeof saved.series?.total === 'number'
    return known
      ? {format, seq: saved.seq, tracing: saved.tracing ?? 'off', series: {...emptySeries, ...saved.series}}
      : undefined
  } catch {
    return undefined
  }
}

import type {StepProgress} from '../agent/protocol.js'
import type {Plan, Step} from '../plan/plan.js'
import {formatRate, formatTransfer} from './bytes.js'
import {plainText} from './table.js'

/** How a step ended for the display: `skipped` was passed over, `stopped` was not reached. */
export type Outcome =
  | {readonly kind: 'done'}
  | {readonly kind: 'unchanged'}
  | {readonly kind: 'failed'; readonly text: string}
  | {readonly kind: 'skipped'}
  | {readonly kind: 'stopped'}

/** One line of the display. */
export interface TaskSlot {
  readonly title: string
  /** a failure is shown, but the list goes on */
  readonly optional: boolean
  /** settles once */
  readonly ended: Promise<Outcome>
  /** Gives the newest text now, when there is one, and every later one. */
  follow(draw: (text: string) => void): void
}

export interface BoardOptions {
  /** least time between two texts of a step, by the host's clock, in milliseconds; 0 draws all */
  readonly everyMs: number
  readonly note: (text: string) => void
}

/** What is known of the steps of one plan; fed by reports in any order, drawn by `task-list.ts`. */
export class TaskBoard {
  readonly title: string
  readonly slots: readonly TaskSlot[]
  readonly #order: readonly Slot[]
  readonly #byId: ReadonlyMap<string, Slot>
  readonly #options: BoardOptions

  constructor(plan: Plan, options: BoardOptions) {
    this.title = plan.title
    this.#options = options
    this.#order = plan.steps.map((step) => new Slot(step, options.everyMs))
    this.#byId = new Map(this.#order.map((slot) => [slot.step.id, slot]))
    this.slots = this.#order
  }

  /** Takes one report of an agent; a step that is not of this plan is shown as a note. */
  report(host: string, progress: StepProgress): void {
    const slot = this.#byId.get(progress.step)
    if (slot === undefined) {
      if (progress.text !== undefined) this.#options.note(`${host}: ${plainText(progress.text)}`)
      return
    }
    this.#passOver(slot)
    switch (progress.state) {
      case 'started':
      case 'running':
        slot.update(progress)
        return
      case 'done':
      case 'unchanged':
        slot.end({kind: progress.state})
        return
      case 'failed':
        slot.end({kind: 'failed', text: plainText(progress.text ?? 'failed')})
        return
      case 'undone':
        this.#options.note(`${slot.title}: taken back`)
        return
    }
  }

  /** No report will come any more. */
  close(): void {
    for (const slot of this.#order) slot.end({kind: 'stopped'})
  }

  /** Steps run in order: one that never spoke before a later one did has been passed over (a resumed plan). */
  #passOver(current: Slot): void {
    for (const slot of this.#order) {
      if (slot === current) return
      if (!slot.seen) slot.end({kind: 'skipped'})
    }
  }
}

class Slot implements TaskSlot {
  readonly step: Step
  readonly title: string
  readonly optional: boolean
  readonly ended: Promise<Outcome>
  seen = false
  readonly #everyMs: number
  #settle: (outcome: Outcome) => void = () => undefined
  #draw: ((text: string) => void) | undefined
  #text: string | undefined
  #drawnAtMs = Number.NEGATIVE_INFINITY
  #first: {readonly atMs: number; readonly bytes: number} | undefined

  constructor(step: Step, everyMs: number) {
    this.step = step
    this.title = `${step.host}: ${step.label}`
    this.optional = step.optional === true
    this.#everyMs = everyMs
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  follow(draw: (text: string) => void): void {
    this.#draw = draw
    if (this.#text !== undefined) draw(this.#text)
  }

  update(progress: StepProgress): void {
    this.seen = true
    const text = this.#textOf(progress)
    if (text === '') return
    this.#text = text
    if (progress.atMs - this.#drawnAtMs < this.#everyMs) return
    this.#drawnAtMs = progress.atMs
    this.#draw?.(text)
  }

  end(outcome: Outcome): void {
    this.seen = true
    this.#settle(outcome)
  }

  /** Agents may write amounts themselves; where they give bytes only, amount and mean rate are added. */
  #textOf({text = '', doneBytes, totalBytes, atMs}: StepProgress): string {
    if (doneBytes === undefined || /\d [KMGT]?i?B\b/.test(text)) return plainText(text)
    this.#first ??= {atMs, bytes: doneBytes}
    const rate = formatRate(doneBytes - this.#first.bytes, atMs - this.#first.atMs)
    const amount = formatTransfer(doneBytes, totalBytes, rate)
    return text === '' ? amount : `${plainText(text)}: ${amount}`
  }
}

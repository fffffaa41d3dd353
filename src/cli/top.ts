import {setMaxListeners} from 'node:events'
import {setFlagsFromString} from 'node:v8'
import type {OperationContext, ProgressSink, Question} from '../operation/context.js'
import {Fleet} from '../operation/fleet.js'
import {initialModel, type ActionKind, type Effect, type Message, type Model, type Place} from '../ui/tui/model.js'
import type {Terminal, TerminalOptions} from '../ui/tui/screen.js'
import {update} from '../ui/tui/update.js'
import {viewOf} from '../ui/tui/view.js'
import {runTopAction} from './top-actions.js'

export interface TopSettings {
  readonly only: readonly string[]
  readonly place: Place
  readonly readOnly: boolean
  readonly ascii: boolean
  readonly intervalMs: number
}

export interface TopParts {
  readonly context: OperationContext
  readonly settings: TopSettings
  /** opens the terminal; a test gives one without a screen */
  readonly open: (options: Pick<TerminalOptions, 'onKey' | 'onResize'>) => Terminal
}

/** How long an action that was interrupted may take to undo what it did. */
const undoMs = 10_000

/** Runs `colo top` until it is quit or interrupted; the terminal is given back in every case. */
export async function runTop(parts: TopParts): Promise<void> {
  // what comes in is garbage at once: a young generation that stays small costs 17 MiB less with 200 pairs, and no time (test/bench/top)
  setFlagsFromString('--semi-space-growth-factor=1')
  const app = new TopApp(parts)
  await app.run()
}

/** Puts model, view, fleet and terminal together. All that decides is in the model. */
class TopApp {
  readonly #context: OperationContext
  readonly #end = new AbortController()
  /** aborts actions that still run when the person leaves */
  readonly #leave = new AbortController()
  readonly #fleet: Fleet
  readonly #terminal: Terminal
  readonly #running = new Map<number, Promise<void>>()
  readonly #answers = new Map<number, (yes: boolean) => void>()
  #model: Model
  #drawing: NodeJS.Immediate | undefined

  constructor({context, settings, open}: TopParts) {
    this.#context = context
    const {intervalMs} = settings
    this.#fleet = new Fleet(context, {intervalMs, emit: (message) => this.#dispatch(message, false)})
    this.#terminal = open({
      onKey: (key) => this.#dispatch({kind: 'key', key}, true),
      onResize: (size) => this.#dispatch({kind: 'resize', ...size}, true),
    })
    this.#model = initialModel({
      ...settings,
      ...this.#terminal.size,
      nowMs: context.clock.now(),
      hosts: context.inventory.hosts.map(({name}) => name),
    })
    if (settings.place.kind === 'detail') this.#fleet.focus(settings.place.pair)
  }

  async run(): Promise<void> {
    const signal = AbortSignal.any([this.#context.signal, this.#end.signal])
    setMaxListeners(0, signal)
    try {
      this.#draw()
      await Promise.race([this.#fleet.run(signal), this.#tick(signal)])
    } finally {
      this.#end.abort()
      this.#leave.abort()
      clearImmediate(this.#drawing)
      this.#fleet.focus(undefined)
      this.#terminal.close()
      await this.#undone()
    }
  }

  /** One screen per interval; keys are shown at once. */
  async #tick(signal: AbortSignal): Promise<void> {
    const {clock} = this.#context
    while (!signal.aborted) {
      this.#dispatch({kind: 'tick', nowMs: clock.now()}, true)
      await clock.sleep(this.#model.settings.intervalMs, signal).catch(() => undefined)
    }
  }

  #dispatch(message: Message, show: boolean): void {
    const {model, effects} = update(this.#model, message)
    this.#model = model
    for (const effect of effects) this.#perform(effect)
    if (show && !this.#end.signal.aborted) this.#drawing ??= setImmediate(() => this.#draw())
  }

  #draw(): void {
    this.#drawing = undefined
    this.#terminal.draw(viewOf(this.#model))
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'quit':
        this.#end.abort()
        return
      case 'run':
        this.#start(effect.id, effect.action, effect.pair)
        return
      case 'answer':
        this.#answers.get(effect.id)?.(effect.yes)
        this.#answers.delete(effect.id)
        return
      case 'focus':
        this.#fleet.focus(effect.pair)
        return
      case 'interval':
        this.#fleet.setInterval(effect.intervalMs)
    }
  }

  #start(id: number, action: ActionKind, pair: string): void {
    const change = (fields: Extract<Message, {kind: 'action'}>['change']): void =>
      this.#dispatch({kind: 'action', id, change: fields}, true)
    const context: OperationContext = {
      ...this.#context,
      signal: AbortSignal.any([this.#context.signal, this.#leave.signal]),
      progress: this.#progress(change),
      confirm: (question) => this.#confirm(id, pair, question),
    }
    const work = runTopAction(context, action, pair).then(
      (text) => change({state: 'done', text}),
      (error: unknown) => change({state: 'failed', text: (error as Error).message}),
    )
    this.#running.set(id, work)
    void work.then(() => this.#running.delete(id))
  }

  #progress(change: (fields: Extract<Message, {kind: 'action'}>['change']) => void): ProgressSink {
    let labels = new Map<string, string>()
    let done = 0
    return {
      planned: (plan) => {
        labels = new Map(plan.steps.map(({id, label}) => [id, label]))
        done = 0
        change({steps: {done, total: labels.size}, text: plan.title})
      },
      step: (host, {step, state, text}) => {
        if (state === 'done' || state === 'unchanged') done++
        const what = `${host}: ${labels.get(step) ?? step}${text === undefined ? '' : ` ${text}`}`
        change({steps: {done, total: labels.size}, text: state === 'failed' ? `${what} FAILED` : what})
      },
      note: (text) => change({text}),
    }
  }

  /** The name was typed in the dialog already; a question that has a word of its own (S2) is put to the person again. */
  async #confirm(id: number, pair: string, {text, expected, force}: Question): Promise<void> {
    if (force === undefined) return
    const yes = await new Promise<boolean>((resolve) => {
      this.#answers.set(id, resolve)
      this.#dispatch({kind: 'question', id, pair, text, expected}, true)
    })
    if (yes) return
    const {RefusedError} = await import('../errors.js')
    throw new RefusedError('not confirmed: nothing was changed')
  }

  /** What was interrupted undoes what it did; bounded. */
  async #undone(): Promise<void> {
    if (this.#running.size === 0) return
    for (const answer of this.#answers.values()) answer(false)
    await Promise.race([Promise.all(this.#running.values()), this.#context.clock.sleep(undoMs)])
  }
}

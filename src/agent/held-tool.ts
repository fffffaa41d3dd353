import type {Child} from '../os/child.js'
import type {Clock} from '../os/clock.js'
import type {Argv} from '../os/process.js'
import {Serial} from './serial.js'

/** Starts a program beside the agent. */
export type StartChild = (argv: Argv) => Promise<Child>

/** After that the plain program is run instead. */
const ANSWER_MS = 300
/** A process remembers the devices it met by number, and a device of that name may be another one later. */
const USABLE_MS = 1000

/**
 * `ip` or `tc` in its batch mode, started before it is needed, so that a failover need not wait for the start of a process. It is used
 * for one failover, or several that come together; the next call of `hold` starts another one.
 */
export class HeldTool {
  readonly #argv: Argv
  readonly #start: StartChild
  readonly #clock: Clock
  readonly #answerMs: number
  readonly #serial = new Serial()
  #child: Promise<Child | undefined> | undefined
  #usedAtMs: number | undefined

  constructor(
    tool: 'ip' | 'tc',
    {
      start,
      clock,
      answerMs = ANSWER_MS,
    }: {readonly start: StartChild; readonly clock: Clock; readonly answerMs?: number},
  ) {
    this.#argv = [tool, '-json', '-force', '-batch', '-']
    this.#start = start
    this.#clock = clock
    this.#answerMs = answerMs
  }

  /** Sees to it that an unused one is there, or will soon be. */
  hold(): void {
    if (this.#child !== undefined && this.#usedAtMs === undefined) return
    this.drop()
    this.#child = this.#start(this.#argv).catch(() => undefined)
  }

  /**
   * Has it carry out a change, then look at what it changed.
   *
   * @returns the line that the look printed; undefined when there is none in time: then nothing is known of the change
   */
  ask({change, look}: {readonly change: string; readonly look: string}): Promise<string | undefined> {
    return this.#serial.run(async () => {
      const child = await this.#child
      const nowMs = this.#clock.monotonic()
      if (child === undefined || nowMs - (this.#usedAtMs ?? nowMs) > USABLE_MS) return undefined
      this.#usedAtMs ??= nowMs
      try {
        child.write(`${change}\n${look}\n`)
        return await child.nextLine(this.#answerMs)
      } catch {
        this.drop() // a late answer would be taken for that of another question
        return undefined
      }
    })
  }

  /** Ends it; fine when there is none. */
  drop(): void {
    const child = this.#child
    this.#child = undefined
    this.#usedAtMs = undefined
    void child?.then((each) => each?.end())
  }
}

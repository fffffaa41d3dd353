import {ConflictError, DecodeError, NotFoundError, ToolError} from '../errors.js'
import {
  conflictsOf,
  releaseLooks,
  stepsDown,
  stepsRelease,
  stepsRestore,
  stepsUp,
  type NetStep,
} from '../net/forward/converge.js'
import {levellerObject, programPath, programRoot} from '../net/forward/leveller.js'
import {hooksOf, parseLinks, parseQdiscs, parseRules, type ObservedNetwork} from '../net/forward/observed.js'
import {rulesShowLine, type Dialect} from '../net/forward/rules.js'
import type {ForwardWish} from '../net/forward/wish.js'
import type {Files} from '../os/files.js'
import type {Argv, Run} from '../os/process.js'
import type {ForwardNames, ForwardPath} from '../plan/action.js'
import type {HeldTool} from './held-tool.js'
import {SavedNics} from './saved-nics.js'
import {Serial} from './serial.js'

const TOOL_MS = 10_000

/** Processes that wait for a failover. */
export type HeldTools = Readonly<Record<'ip' | 'tc', HeldTool>>

/**
 * Kernel forwarding on this host: makes what is wished for, takes it away, looks at it. One change at a time, since pairs may share a NIC.
 *
 * Every change looks first, and what a run that was cut off left is completed or removed by the next one.
 */
export class Forwarding {
  readonly #run: Run
  readonly #files: Files
  readonly #saved: SavedNics
  readonly #held: HeldTools | undefined
  readonly #serial = new Serial()
  #dialect: Dialect = 'clsact'

  /**
   * @param root directory for the state of forward NICs before their first use; it must not outlive a boot
   * @param held what a failover is done with, where there is something
   */
  constructor({
    run,
    files,
    root,
    held,
  }: {
    readonly run: Run
    readonly files: Files
    readonly root: string
    readonly held?: HeldTools
  }) {
    this.#run = run
    this.#files = files
    this.#saved = new SavedNics(files, root)
    this.#held = held
  }

  /** Links, qdiscs and rules of this host, with counters. @throws {ToolError} {DecodeError} */
  async observe(): Promise<ObservedNetwork> {
    const [links, qdiscs] = await Promise.all([
      this.#tool(['ip', '-json', '-details', '-stats', 'addr', 'show']),
      this.#tool(['tc', '-json', 'qdisc', 'show']),
    ])
    const seen = {links: parseLinks(links), qdiscs: parseQdiscs(qdiscs)}
    const places = hooksOf(seen.qdiscs)
    if (places.length === 0) return {...seen, rules: []}
    const lines = places.map(({device, hook, dialect}) => `${rulesShowLine(device, hook, dialect)}\n`)
    const rules = await this.#tool(['tc', '-json', '-s', '-force', '-batch', '-'], lines.join(''))
    return {...seen, rules: parseRules(rules, places)}
  }

  /** What stands in the way of these wishes now, by name. */
  async conflicts(wishes: readonly ForwardWish[]): Promise<string[]> {
    const seen = await this.observe()
    const found = await Promise.all(
      wishes.map(async (wish) => conflictsOf(wish, seen, (await this.#saved.read(wish.nic)) !== undefined)),
    )
    return [...new Set(found.flat())]
  }

  /**
   * Makes wishes true.
   *
   * @returns whether anything had to be done
   * @throws {ConflictError} that names what is foreign; then nothing was changed
   */
  present(wishes: readonly ForwardWish[]): Promise<boolean> {
    return this.#serial.run(async () => {
      const conflicts = await this.conflicts(wishes)
      if (conflicts.length > 0) throw conflict(conflicts)
      let changed = false
      for (const wish of wishes) {
        const seen = await this.observe()
        await this.#saved.use(wish, seen)
        await this.#program(wish)
        if (await this.#converge(wish, seen)) changed = true
      }
      return changed
    })
  }

  /** Takes all of ours away for these NICs and restores each forward NIC that nobody uses any more. */
  absent(names: readonly ForwardNames[]): Promise<boolean> {
    return this.#serial.run(async () => {
      let changed = false
      for (const each of names) {
        changed = (await this.#perform(stepsDown(each, await this.observe()))) || changed
        for (const saved of await this.#saved.unusedWithout(each.owner)) {
          await this.#perform(stepsRestore(saved, await this.observe()))
          await this.#saved.remove(saved.nic)
          changed = true
        }
        await this.#saved.leave(each.owner)
      }
      return changed
    })
  }

  /** Takes the forward NIC of a path for this pair alone and switches it on; rules of an earlier run go. */
  async claim(path: ForwardPath): Promise<void> {
    const {owner, cookie, nic, vlan} = path
    const wish = {owner, cookie, nic, shared: vlan !== undefined, links: [], alone: [], rules: []}
    await this.present([{...wish, up: [nic], quiet: [nic]}])
  }

  /** Carries out changes of a probe. */
  async perform(steps: readonly NetStep[]): Promise<void> {
    await this.#perform(steps)
  }

  /** A failover to this host may come: nothing has to be started then. */
  hold(): void {
    this.#held?.tc.hold()
    this.#held?.ip.hold()
  }

  /** Ends what is held. */
  close(): void {
    this.#held?.tc.drop()
    this.#held?.ip.drop()
  }

  /** The promoted side: its guest is heard on the LAN. Safe to run again. */
  async release(paths: readonly ForwardPath[]): Promise<void> {
    await Promise.all(paths.map((path) => this.#release(path)))
  }

  /** The forward link was proven: from here on a change of carrier or device counts anew. */
  async proven(nics: readonly string[]): Promise<void> {
    const seen = await this.observe()
    await this.#serial.run(async () => {
      for (const nic of nics) await this.#saved.proven(nic, seen)
    })
  }

  /** Whether the link of a forward NIC was touched since it was proven; undefined when it is not in use. */
  touched(nic: string, seen: ObservedNetwork): Promise<boolean | undefined> {
    return this.#saved.touched(nic, seen)
  }

  async #release({tap, bridge}: ForwardPath): Promise<void> {
    const looks = releaseLooks({tap, bridge}, this.#dialect)
    for (const step of stepsRelease({tap, bridge}, this.#dialect)) {
      if (await this.#doneByHeld(step, looks)) continue
      try {
        await this.#step(step)
      } catch (error) {
        // the rule was gone already
        if (!('argv' in step) || step.argv[0] !== 'tc') throw error
        const {rules} = await this.observe()
        if (rules.some(({device, hook, action}) => device === tap && hook === 'ingress' && action === 'mirred'))
          throw error
      }
    }
  }

  /** tc takes the program from a file, the same one for every pair. */
  async #program({rules}: ForwardWish): Promise<void> {
    if (!rules.some(({levelled}) => levelled === true) || (await this.#files.stat(programPath)) !== undefined) return
    await this.#files.makeDirectory(programRoot, 0o700)
    await this.#files.writeAtomic(programPath, levellerObject(), 0o600)
  }

  /** By a process that waits for it, and seen to be done; false when the plain program must do it. */
  async #doneByHeld(step: NetStep, looks: ReturnType<typeof releaseLooks>): Promise<boolean> {
    if (!('argv' in step)) return false
    const [tool, ...words] = step.argv
    if (this.#held === undefined || (tool !== 'ip' && tool !== 'tc')) return false
    const {look, isDone} = looks[tool]
    const line = await this.#held[tool].ask({change: words.join(' '), look})
    if (line === undefined) return false
    try {
      return isDone(line)
    } catch (error) {
      if (error instanceof DecodeError) return false
      throw error
    }
  }

  async #converge(wish: ForwardWish, seen: ObservedNetwork): Promise<boolean> {
    try {
      return await this.#perform(stepsUp(wish, seen, this.#dialect))
    } catch (error) {
      if (this.#dialect !== 'clsact' || !isUnknownQdisc(error)) throw error
      this.#dialect = 'ingress-prio'
      return this.#perform(stepsUp(wish, await this.observe(), this.#dialect))
    }
  }

  async #perform(steps: readonly NetStep[]): Promise<boolean> {
    let changed = false
    for (const step of steps) changed = (await this.#step(step)) || changed
    return changed
  }

  async #step(step: NetStep): Promise<boolean> {
    if ('argv' in step) {
      await this.#tool(step.argv)
      return true
    }
    const before = (await this.#files.readText(step.path))?.trim()
    if (before === undefined || before === step.text) return false // a kernel without IPv6 says nothing anyway
    await this.#files.writeText(step.path, step.text)
    return true
  }

  async #tool(argv: Argv, input?: string): Promise<string> {
    try {
      return (await this.#run(argv, {timeoutMs: TOOL_MS, ...(input === undefined ? {} : {input})})).stdout
    } catch (error) {
      if (error instanceof ToolError && error.failure.kind === 'missing') {
        throw new NotFoundError(`${argv[0]} is not installed on this host`, {
          cause: error,
          hint: 'install the package iproute2',
        })
      }
      throw error
    }
  }
}

function isUnknownQdisc(error: unknown): boolean {
  return (
    error instanceof ToolError &&
    error.failure.kind === 'exit' &&
    error.failure.firstLine.includes('qdisc kind is unknown')
  )
}

function conflict(found: readonly string[]): ConflictError {
  return new ConflictError(`kernel forwarding: ${found.join('; ')}`, {
    hint: 'a forward NIC must be used for nothing else: remove that, or name another NIC in forward.nic',
  })
}

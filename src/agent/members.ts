import type {Files} from '../os/files.js'
import {parsePairName} from '../pair/names.js'
import type {PairRecord} from '../pair/record.js'
import {Member, type MemberDeps} from './member.js'
import {sweep} from './sweep.js'

/** All pairs of this host, by name. */
export class Members {
  readonly #deps: MemberDeps
  readonly #files: Files
  readonly #members = new Map<string, Member>()

  constructor(deps: MemberDeps) {
    this.#deps = deps
    this.#files = deps.files
  }

  /** Opens every pair that left something on the disk. Settles when each is known, or has a problem that was told. */
  async start(): Promise<void> {
    const {roots, clock} = this.#deps
    const beganMs = clock.now()
    await Promise.all(
      (await this.names()).map(async (name) => {
        try {
          await sweep(this.#files, `${roots.stateRoot}/${name}`, beganMs)
          await this.open(name)
        } catch (error) {
          this.#deps.problem(`${name}: ${(error as Error).message}`)
        }
      }),
    )
  }

  /** Names of the pairs with anything durable here, sorted; broken ones too. */
  async names(): Promise<string[]> {
    const {stateRoot} = this.#deps.roots
    const known = (await this.#files.list(stateRoot)).filter((name) => parsePairName(name).ok)
    const used = await Promise.all(known.map((name) => this.#isUsed(name)))
    return known.filter((_, index) => used[index]).sort()
  }

  /** those opened so far */
  get opened(): IterableIterator<Member> {
    return this.#members.values()
  }

  /** records of those opened so far */
  get records(): readonly PairRecord[] {
    return [...this.#members.values()].flatMap((member) => member.records.current ?? [])
  }

  /** A member of a pair that has nothing here, for looking at once. */
  async stranger(pair: string): Promise<Member> {
    const member = new Member(pair, this.#deps)
    await member.start()
    return member
  }

  /** Opened and known; undefined otherwise. */
  peek(pair: string): Member | undefined {
    return this.#members.get(pair)
  }

  /**
   * The member of a pair, also of one that has nothing here yet.
   *
   * @throws what makes its files unreadable
   */
  async open(pair: string): Promise<Member> {
    let member = this.#members.get(pair)
    if (member === undefined) {
      member = new Member(pair, this.#deps)
      this.#members.set(pair, member)
    }
    await member.start()
    return member
  }

  /** The member of a pair that has something here. */
  async find(pair: string): Promise<Member | undefined> {
    if (!this.#members.has(pair) && !(await this.#isUsed(pair))) return undefined
    return this.open(pair)
  }

  /** After `destroy`: a pair without record and intent leaves nothing behind. */
  async forgetIfEmpty(pair: string): Promise<void> {
    const member = this.#members.get(pair)
    if (member === undefined || member.records.current !== undefined || member.intents.current !== undefined) return
    if (member.keeper.status !== 'absent') return
    this.#members.delete(pair)
    await member.close()
    await this.#files.removeDirectory(`${this.#deps.roots.stateRoot}/${pair}`)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.close()))
  }

  async #isUsed(pair: string): Promise<boolean> {
    const directory = `${this.#deps.roots.stateRoot}/${pair}`
    const files = await Promise.all(
      ['record.json', 'intent.json'].map((name) => this.#files.stat(`${directory}/${name}`)),
    )
    return files.some((file) => file !== undefined)
  }
}

import type {FileFacts, Files} from '../../../src/os/files.js'

/** What survives an agent: texts by path. */
export type Texts = Map<string, string>

/** Files outside of the texts: interfaces below /sys, images. */
export interface Outside {
  tap(name: string): 'up' | 'down' | undefined
  setTap(name: string, state: 'up' | 'down'): void
  /** when a file that is no text was last written; undefined: there is none */
  modifiedNs(path: string): string | undefined
}

const flags = /^\/sys\/class\/net\/([^/]+)\/flags$/

/** Files of one life of an agent: nothing it does after its death has an effect, and nothing it waits for comes. */
export class ModelFiles implements Files {
  readonly #texts: Texts
  readonly #outside: Outside
  readonly #alive: () => boolean

  constructor(texts: Texts, outside: Outside, alive: () => boolean) {
    this.#texts = texts
    this.#outside = outside
    this.#alive = alive
  }

  readText(path: string): Promise<string | undefined> {
    const [, tap] = flags.exec(path) ?? []
    if (tap === undefined) return this.#do(() => this.#texts.get(path))
    const state = this.#outside.tap(tap)
    return this.#do(() => (state === undefined ? undefined : state === 'up' ? '0x1' : '0x0'))
  }
  writeText(path: string, text: string): Promise<void> {
    const [, tap] = flags.exec(path) ?? []
    return this.#do(() => {
      if (tap !== undefined) this.#outside.setTap(tap, (Number(text) & 1) === 1 ? 'up' : 'down')
    })
  }
  writeAtomic(path: string, text: string): Promise<void> {
    return this.#do(() => {
      this.#texts.set(path, text)
    })
  }
  append(path: string, text: string): Promise<void> {
    return this.#do(() => {
      this.#texts.set(path, (this.#texts.get(path) ?? '') + text)
    })
  }
  remove(path: string): Promise<void> {
    return this.#do(() => {
      this.#texts.delete(path)
    })
  }
  makeDirectory(): Promise<void> {
    return this.#do(() => undefined)
  }
  removeDirectory(): Promise<void> {
    return this.#do(() => undefined)
  }
  availableBytes(): Promise<number | undefined> {
    return this.#do(() => undefined)
  }
  changeOwner(): Promise<void> {
    return this.#do(() => undefined)
  }
  list(): Promise<readonly string[]> {
    return this.#do(() => [...this.#texts.keys()])
  }
  stat(path: string): Promise<FileFacts | undefined> {
    return this.#do(() => {
      const modifiedNs = this.#texts.has(path) ? '1' : this.#outside.modifiedNs(path)
      if (modifiedNs === undefined) return undefined
      return {inode: '7', device: '1', sizeBytes: 4096, uid: 0, gid: 0, mode: 0o600, modifiedNs}
    })
  }

  #do<R>(work: () => R): Promise<R> {
    if (!this.#alive()) return new Promise<R>(() => undefined)
    return Promise.resolve(work())
  }
}

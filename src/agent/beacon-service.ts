import type {BindDatagrams, DatagramPort} from '../os/datagrams.js'
import {openDatagram, packWords, sealWord, type BeaconWord} from './beacon.js'

/** How often each pair's word is sent. */
const INTERVAL_MS = 500
/** How often binding is tried again: the address may come later than the agent. */
const REBIND_MS = 2000

/** A pair as the service needs it. */
export interface Speaker {
  /** where from, where to; undefined while there is no record */
  readonly route: Route | undefined
  readonly key: string | undefined
  /** hosts that were members once and were heard a moment ago: they do not know yet */
  readonly formers: readonly Route[]
  word(): BeaconWord | undefined
  /** for those: with all ancestors, and a claim that leaves them out */
  wordToFormer(): BeaconWord | undefined
  hear(word: BeaconWord): void
}

export interface Route {
  readonly local: Endpoint
  readonly peer: Endpoint
}

interface Endpoint {
  readonly address: string
  readonly port: number
}

type Bound = {readonly port: DatagramPort} | {readonly failedAtMs: number} | {readonly binding: true}

/** Sends and receives the words of all pairs of this host; words to one peer share datagrams. */
export class BeaconService {
  readonly #speakers: () => Iterable<Speaker>
  readonly #find: (pair: string) => Speaker | undefined
  readonly #bind: BindDatagrams
  readonly #monotonic: () => number
  readonly #ports = new Map<string, Bound>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: {
    readonly speakers: () => Iterable<Speaker>
    readonly find: (pair: string) => Speaker | undefined
    readonly bind: BindDatagrams
    readonly monotonic: () => number
  }) {
    this.#speakers = options.speakers
    this.#find = options.find
    this.#bind = options.bind
    this.#monotonic = options.monotonic
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#send(this.#speakers())
    }, INTERVAL_MS).unref()
    this.#send(this.#speakers())
  }

  /** Something about this pair changed: the peer learns it now. */
  announce(speaker: Speaker): void {
    this.#send([speaker])
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    for (const bound of this.#ports.values()) if ('port' in bound) bound.port.close()
    this.#ports.clear()
  }

  #send(speakers: Iterable<Speaker>): void {
    const routes = new Map<string, {readonly route: Route; readonly words: string[]}>()
    for (const speaker of speakers) {
      const {route, key} = speaker
      if (route === undefined || key === undefined) continue
      const word = speaker.word()
      if (word === undefined) continue
      const name = `${nameOf(route.local)} ${nameOf(route.peer)}`
      const group = routes.get(name) ?? {route, words: []}
      group.words.push(sealWord(word, key))
      routes.set(name, group)
      this.#sendToFormers(speaker, key)
    }
    for (const {route, words} of routes.values()) {
      const port = this.#portAt(route.local)
      if (port !== undefined) for (const datagram of packWords(words)) port.send(datagram, route.peer)
    }
  }

  #sendToFormers(speaker: Speaker, key: string): void {
    for (const {local, peer} of speaker.formers) {
      const word = speaker.wordToFormer()
      const port = this.#portAt(local)
      if (word === undefined || port === undefined) continue
      for (const datagram of packWords([sealWord(word, key)])) port.send(datagram, peer)
    }
  }

  /** The socket bound to this address, when there is one yet. */
  #portAt(local: Endpoint): DatagramPort | undefined {
    const bound = this.#ports.get(nameOf(local))
    if (bound !== undefined && 'port' in bound) return bound.port
    const now = this.#monotonic()
    if (this.#closed || (bound !== undefined && ('binding' in bound || now - bound.failedAtMs < REBIND_MS)))
      return undefined
    this.#ports.set(nameOf(local), {binding: true})
    void this.#bindAt(local, now)
    return undefined
  }

  async #bindAt(local: Endpoint, startedMs: number): Promise<void> {
    try {
      const port = await this.#bind(local, (bytes) => {
        this.#receive(bytes)
      })
      if (this.#closed) port.close()
      else this.#ports.set(nameOf(local), {port})
    } catch {
      this.#ports.set(nameOf(local), {failedAtMs: startedMs})
    }
  }

  #receive(bytes: Uint8Array): void {
    for (const word of openDatagram(bytes, (pair) => this.#find(pair)?.key)) this.#find(word.pair)?.hear(word)
  }
}

function nameOf({address, port}: Endpoint): string {
  return `${address}:${port}`
}

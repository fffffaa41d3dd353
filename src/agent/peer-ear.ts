import type {PeerWord} from '../pair/observation.js'
import type {Generation} from '../pair/record.js'
import {Freshness, type BeaconWord} from './beacon.js'

/** What was heard from the peer's agent. */
export class PeerEar {
  readonly #own: string
  /** by the host that speaks: another one may take the peer's place, and give it back */
  readonly #freshness = new Map<string, Freshness>()
  #last: PeerWord | undefined
  #nonce: string | undefined

  /** @param own  nonce of this agent */
  constructor(own: string) {
    this.#own = own
  }

  /** nonce of the word heard last */
  get nonce(): string | undefined {
    return this.#nonce
  }

  /** `atMs` is when it came, by this host's clock */
  get last(): PeerWord | undefined {
    return this.#last
  }

  /** @returns false for a repeated word: it is not proof of life */
  hear(word: BeaconWord, nowMs: number): boolean {
    const freshness = this.#freshness.get(word.from) ?? new Freshness(this.#own)
    this.#freshness.set(word.from, freshness)
    if (!freshness.accept(word)) return false
    this.#nonce = word.nonce
    this.#last = {
      atMs: nowMs,
      generationId: word.generation.id,
      epoch: word.generation.epoch,
      alone: word.alone,
      domain: word.domain,
      role: word.role,
      generation: word.generation,
    }
    return true
  }

  /** The peer is in this generation, so that it needs no proof of descent. */
  knowsGeneration(generation: Generation): boolean {
    return this.#last?.generationId === generation.id
  }
}

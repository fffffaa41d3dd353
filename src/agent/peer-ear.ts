import type {PeerWord} from '../pair/observation.js'
import type {Generation} from '../pair/record.js'
import {Freshness, type BeaconWord} from './beacon.js'

/** What was heard from the peer's agent. */
export class PeerEar {
  readonly #freshness = new Freshness()
  #last: PeerWord | undefined

  /** `atMs` is when it came, by this host's clock */
  get last(): PeerWord | undefined {
    return this.#last
  }

  /** @returns false for a repeated word: it is not proof of life */
  hear(word: BeaconWord, nowMs: number): boolean {
    if (!this.#freshness.accept(word)) return false
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

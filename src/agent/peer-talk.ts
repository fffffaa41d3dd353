import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import {cleanStopOf, type CleanStop} from '../pair/clean-stop.js'
import {standing, type Claim} from '../pair/generation.js'
import type {PairLayout} from '../pair/layout.js'
import type {PeerWord} from '../pair/observation.js'
import type {Generation, PairRecord} from '../pair/record.js'
import type {BeaconWord} from './beacon.js'
import type {Route} from './beacon-service.js'
import type {EventRecorder} from './event-recorder.js'
import {PeerEar} from './peer-ear.js'
import type {ProtectionGuard} from './protection-guard.js'
import type {ProtectionStore} from './protection-store.js'
import type {RecordStore} from './record-store.js'
import {readBridge, setTap} from './tap.js'

/** How many ancestors a word carries to a peer that is in the same generation. */
const SHORT_DESCENT = 4
/** A former member that speaks is answered for so long, milliseconds. */
const FORMER_MS = 3000

export interface PeerTalkOptions {
  readonly clock: Clock
  readonly files: Files
  readonly nonce: string
  readonly records: RecordStore
  readonly events: EventRecorder
  readonly store: ProtectionStore
  readonly guard: ProtectionGuard
  readonly layout: () => PairLayout
  readonly domain: () => BeaconWord['domain']
  /** the peer is the primary of our generation and was stopped cleanly */
  readonly peerStopped: (how: CleanStop) => void
  /** sends this pair's word now */
  readonly announce: () => void
  readonly background: (work: Promise<unknown>) => void
  readonly problem: (text: string) => void
}

/** What two agents tell each other about one pair, and what the loser does at once when it learns that it lost. */
export class PeerTalk {
  readonly #options: PeerTalkOptions
  readonly #ear: PeerEar
  #seq = 0
  #heard: Pick<BeaconWord, 'withdraw' | 'withdrawn'> = {}
  /** id of the plan this side asks its peer to withdraw */
  asking: string | undefined
  /** former members that spoke to us, with when (monotonic, milliseconds) */
  readonly #formers = new Map<string, number>()
  /** what this side promises never to be granted any more */
  withdrawn: BeaconWord['withdrawn']

  constructor(options: PeerTalkOptions) {
    this.#options = options
    this.#ear = new PeerEar(options.nonce)
  }

  get key(): string | undefined {
    return this.#options.records.current?.beaconKey
  }

  get route(): Route | undefined {
    const record = this.#options.records.current
    return record === undefined ? undefined : this.#routeTo(record.peer)
  }

  get formers(): readonly Route[] {
    const sinceMs = this.#options.clock.monotonic() - FORMER_MS
    return [...this.#formers].flatMap(([host, atMs]) => (atMs < sinceMs ? [] : (this.#routeTo(host) ?? [])))
  }

  #routeTo(host: string): Route | undefined {
    const record = this.#options.records.current
    if (record === undefined) return undefined
    const at = (name: string): Route['local'] | undefined => {
      const address = record.addresses[name]
      const port = record.beaconPorts[name]
      return address === undefined || port === undefined ? undefined : {address, port}
    }
    const local = at(record.host)
    const peer = at(host)
    return local === undefined || peer === undefined ? undefined : {local, peer}
  }

  get last(): PeerWord | undefined {
    return this.#ear.last
  }

  /** of the peer's last word */
  get peerAsksToWithdraw(): string | undefined {
    return this.#heard.withdraw
  }

  get peerWithdrew(): BeaconWord['withdrawn'] {
    return this.#heard.withdrawn
  }

  /** The peer hears of this side now. */
  announce(): void {
    this.#options.announce()
  }

  word(): BeaconWord | undefined {
    const {records, store, clock, nonce} = this.#options
    const record = records.current
    if (record === undefined) return undefined
    const {ancestors} = record.generation
    const shown = this.#ear.knowsGeneration(record.generation) ? ancestors.slice(0, SHORT_DESCENT) : ancestors
    const domain = this.#options.domain()
    const clean = domain === 'absent' ? cleanStopOf(record) : undefined
    return {
      format: 1,
      pair: record.spec.name,
      from: record.host,
      role: record.role,
      generation: {...record.generation, ancestors: [...shown]},
      complete: shown.length === ancestors.length,
      alone: record.alone && record.marks.stale === undefined,
      stale: record.marks.stale !== undefined,
      ...(clean === undefined ? {} : {clean}),
      domain,
      qemuAlive: domain !== 'absent',
      missedWrites: store.now.missedWrites,
      ...(this.asking === undefined ? {} : {withdraw: this.asking}),
      ...(this.withdrawn === undefined ? {} : {withdrawn: this.withdrawn}),
      atMs: clock.now(),
      nonce,
      ...(this.#ear.nonce === undefined ? {} : {heard: this.#ear.nonce}),
      seq: ++this.#seq,
    }
  }

  /**
   * What a former member is told (S1, S4): the whole descent of our generation, and that it goes on without it. One that was cut off
   * when it was replaced falls silent and is stale, also when it had gone on alone before.
   */
  wordToFormer(): BeaconWord | undefined {
    const word = this.word()
    const record = this.#options.records.current
    if (word === undefined || record === undefined || record.marks.stale !== undefined) return undefined
    return {
      ...word,
      generation: {...record.generation, ancestors: [...record.generation.ancestors]},
      complete: true,
      alone: true,
    }
  }

  /** A word whose seal fits. A repeated one is no sign of life, but a newer generation in it is true all the same. */
  hear(word: BeaconWord): void {
    const {records, clock, guard, background, peerStopped} = this.#options
    const record = records.current
    if (record !== undefined && word.from !== record.peer && word.from !== record.host) {
      this.#formers.set(word.from, clock.monotonic())
    }
    if (record === undefined || word.from !== record.peer) return
    const fresh = this.#ear.hear(word, clock.now())
    if (fresh) this.#heard = word
    background(this.learn(word))
    const ours = word.generation.id === record.generation.id && record.role === 'secondary'
    if (fresh && word.missedWrites && ours) guard.watch.suspect('the primary reported writes that did not arrive')
    if (fresh && word.clean !== undefined && word.role === 'primary' && ours && !record.alone) peerStopped(word.clean)
  }

  /**
   * Learns of the peer's generation (S1, S4): a newer one that is alone makes this side fall silent at once, before anything
   * is written; then its record is `stale`. An unrelated one is split-brain: noted, nothing is fenced.
   */
  async learn(word: {generation: Generation; alone: boolean; complete?: boolean}): Promise<{fenced: boolean}> {
    const record = this.#options.records.current
    if (record === undefined) return {fenced: false}
    switch (standing(record, claimOf(record, word))) {
      case 'older':
        if (!word.alone) return {fenced: false}
        await this.#fence(word)
        return {fenced: true}
      case 'unrelated':
        if (word.complete !== false) await this.#splitBrain(word.generation)
        return {fenced: false}
      case 'equal':
      case 'newer':
        return {fenced: false}
    }
  }

  /**
   * All taps down that may reach a LAN; each is tried, whatever became of the others. With `via: tc` the tap of a secondary is in no
   * bridge, and must be up while it is brought level in an older generation.
   */
  async silence(): Promise<{taps: string[]; failures: string[]}> {
    const {files, layout, problem} = this.#options
    const {nics} = layout()
    const taps = nics.map(({tap}) => tap)
    const results = await Promise.allSettled(
      nics.map(async ({tap, spec}) => {
        const isolated = spec.forward.via === 'tc' && (await readBridge(files, tap)) === undefined
        if (!isolated) await setTap(files, tap, 'down')
      }),
    )
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as Error).message] : [],
    )
    for (const failure of failures) problem(`fence: ${failure}`)
    return {taps, failures}
  }

  async #fence(word: {generation: Generation; alone: boolean}): Promise<void> {
    const newer = word.generation
    const {records, events} = this.#options
    const states = await this.silence()
    let marked = false
    await records.update((record) => {
      const {stale, incomplete} = record.marks
      const forbidden = stale !== undefined || incomplete?.why === 'resync' // a resync has begun: nothing claims that copy
      // a plan may have changed the record since the word was heard
      if (forbidden || standing(record, claimOf(record, word)) !== 'older') return undefined
      marked = true
      const why = `the other side went on alone in generation ${newer.epoch} (${newer.id})`
      return {alone: false, marks: {...record.marks, stale: why}}
    })
    const data = {epoch: newer.epoch, generation: newer.id, ...states}
    if (marked) await events.record({type: 'FENCED', data, decisive: true})
  }

  async #splitBrain(other: Generation): Promise<void> {
    const {store, events} = this.#options
    if (store.now.splitBrain === other.id) return
    await store.set({splitBrain: other.id})
    await events.record({type: 'SPLIT_BRAIN', data: {epoch: other.epoch, generation: other.id}, decisive: true})
  }
}

/** The peer of a record as it speaks of itself. */
function claimOf(
  {host, peer}: PairRecord,
  {generation, alone}: {readonly generation: Generation; readonly alone: boolean},
): Claim {
  return {host: peer, peer: host, generation, alone}
}

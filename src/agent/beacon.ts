import {createHmac, timingSafeEqual} from 'node:crypto'
import * as v from 'valibot'
import {decodeJson, integer, word as text} from './decode.js'
import {generationSchema, pairName, roleSchema} from './decode-record.js'

/**
 * What one agent tells the other about a pair, over the replication link, twice a second and at every change.
 *
 * `generation.ancestors` may be cut short to the newest; `complete` says that they are all.
 */
const wordSchema = v.strictObject({
  format: v.literal(1),
  pair: pairName,
  from: text,
  role: roleSchema,
  generation: generationSchema,
  complete: v.boolean(),
  alone: v.boolean(),
  /** this copy lost; it claims nothing any more */
  stale: v.boolean(),
  /** the primary was stopped cleanly: the other copy is `equal`, or it is the `only` one with every write; absent otherwise */
  clean: v.exactOptional(v.picklist(['equal', 'only'])),
  /** absent, running, paused, other, or hung */
  domain: v.picklist(['absent', 'running', 'paused', 'other', 'hung']),
  qemuAlive: v.boolean(),
  /** the primary knows that the secondary's disks missed something */
  missedWrites: v.boolean(),
  /** asks the peer to withdraw this plan: its command is dead and the sender is fenced by it */
  withdraw: v.exactOptional(text),
  /** the sender will never be granted this plan; `spent`: its copy shadows no more */
  withdrawn: v.exactOptional(v.strictObject({plan: text, copy: v.picklist(['shadows', 'spent'])})),
  /** sender's wall clock */
  atMs: integer(),
  /** random, new at each start of the sender's agent */
  nonce: text,
  /** nonce of the word the sender heard last from its peer: whoever repeats it has heard the peer's agent of now */
  heard: v.exactOptional(text),
  /** rises with each word of one nonce */
  seq: integer(),
})
export type BeaconWord = v.InferOutput<typeof wordSchema>

/** One word on the wire. `mac` is HMAC-SHA256 over the bytes of `body`, hex. */
const sealedSchema = v.strictObject({pair: pairName, body: v.pipe(v.string(), v.maxLength(15_000)), mac: v.string()})
type Sealed = v.InferOutput<typeof sealedSchema>
const datagramSchema = v.strictObject({colo: v.literal(1), words: v.pipe(v.array(sealedSchema), v.maxLength(64))})

/** Larger ones are not read. One word with all its ancestors fits. */
export const longestDatagram = 16_384
/** Words share a datagram up to the payload of one Ethernet frame. */
const packedBytes = 1400

/** Text of one word with its seal. @param key the record's beaconKey, hex */
export function sealWord(word: BeaconWord, key: string): string {
  const body = JSON.stringify(word)
  return JSON.stringify({pair: word.pair, body, mac: macOf(body, key).toString('hex')})
}

/** Packs sealed words for one peer into as few datagrams as possible. */
export function packWords(sealed: readonly string[]): Buffer[] {
  const datagrams: string[][] = []
  let room = 0
  for (const one of sealed) {
    const bytes = Buffer.byteLength(one) + 1
    const last = datagrams.at(-1)
    if (last === undefined || bytes > room || last.length === 64) {
      datagrams.push([one])
      room = packedBytes - bytes
    } else {
      last.push(one)
      room -= bytes
    }
  }
  return datagrams.map((words) => Buffer.from(`{"colo":1,"words":[${words.join(',')}]}`))
}

/**
 * Opens a datagram: the words whose seal fits. Everything else is dropped without a sound; it may come from anybody.
 *
 * @param keyOf beaconKey of a pair on this host
 */
export function openDatagram(bytes: Uint8Array, keyOf: (pair: string) => string | undefined): BeaconWord[] {
  if (bytes.length > longestDatagram) return []
  let words: readonly Sealed[]
  try {
    words = decodeJson(datagramSchema, Buffer.from(bytes).toString('utf8'), 'beacon').words
  } catch {
    return []
  }
  return words.flatMap((sealed) => openWord(sealed, keyOf(sealed.pair)))
}

function openWord({pair, body, mac}: Sealed, key: string | undefined): BeaconWord[] {
  if (key === undefined) return []
  const given = Buffer.from(mac, 'hex')
  const wanted = macOf(body, key)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return []
  try {
    const word = decodeJson(wordSchema, body, 'beacon')
    return word.pair === pair ? [word] : []
  } catch {
    return []
  }
}

function macOf(body: string, key: string): Buffer {
  return createHmac('sha256', Buffer.from(key, 'hex')).update(body).digest()
}

type Stamp = Pick<BeaconWord, 'nonce' | 'seq' | 'atMs' | 'heard'>

/** Nonces that are remembered as spent: restarts of the peer's agent during one life of this one. */
const SPENT_NONCES = 64

/**
 * Tells the words of one host's agents that are of the present from repeated ones: within one nonce `seq` must rise. A new nonce must be of a
 * later time, or answer this agent's own: a clock that was set back does not make the words of its host old. One that was followed by another
 * never comes back.
 */
export class Freshness {
  readonly #own: string
  readonly #spent = new Set<string>()
  #last: Stamp | undefined

  /** @param own  nonce of this agent */
  constructor(own: string) {
    this.#own = own
  }

  accept({nonce, seq, atMs, heard}: Stamp): boolean {
    const last = this.#last
    const isFresh =
      last === undefined ||
      (nonce === last.nonce ? seq > last.seq : !this.#spent.has(nonce) && (atMs >= last.atMs || heard === this.#own))
    if (!isFresh) return false
    if (last !== undefined && last.nonce !== nonce) this.#spend(last.nonce)
    this.#last = {nonce, seq, atMs}
    return true
  }

  #spend(nonce: string): void {
    this.#spent.add(nonce)
    const [oldest] = this.#spent
    if (this.#spent.size > SPENT_NONCES && oldest !== undefined) this.#spent.delete(oldest)
  }
}

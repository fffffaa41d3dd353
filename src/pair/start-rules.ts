import {areEqualCopies} from './clean-stop.js'
import type {CopyFault} from './copy-faults.js'
import {standing} from './generation.js'
import type {PairRecord} from './record.js'

/** Which copy may start (design.md, section 3), or why none may. */
export type StartDecision =
  | {
      readonly start: string
      readonly merge: boolean
      readonly why: string
      /** what is wrong with the copy's files and was accepted by its word: asked about by name */
      readonly accepted: readonly CopyFault[]
      /** both copies were stopped cleanly, are equal and at rest: the other one is joined to it, and nothing is copied */
      readonly equal: boolean
      /** the peer's record could not be read: nothing but the operator's word says that this copy is the current one */
      readonly unproven: boolean
    }
  | {readonly refuse: string; readonly splitBrain: boolean; readonly hint: string}

/** Words of `--force` that accept what is wrong with the files of a copy. */
export const acceptWords = {image: 'image-replaced', overlays: 'overlays-lost'} as const

export interface StartInput {
  readonly pair: string
  /** records that could be read */
  readonly records: readonly PairRecord[]
  /** hosts of the pair that do not answer */
  readonly silent: readonly string[]
  /** `--alone HOST`, confirmed by name */
  readonly alone?: string | undefined
  /** `--on HOST`: the copy that is wanted where either may start */
  readonly on?: string | undefined
  /** hosts of copies that were stopped cleanly and not written to since */
  readonly atRest?: readonly string[]
  /** by host: what is wrong with the files there */
  readonly faults?: ReadonlyMap<string, readonly CopyFault[]>
  /** words of `--force` */
  readonly force?: readonly string[]
}

/**
 * The start rules. A missing or unmatched record or image is never current; `stale` and interrupted copies never start; with a silent peer only
 * the operator's explicit word starts a copy that was last protected or stopped cleanly (S4).
 */
export function decideStart(input: StartInput): StartDecision {
  const {records, pair} = input
  const [a, b] = records
  if (a === undefined) return refuse('no host of the pair answers with a record', `colo pair status ${pair}`)
  if (b === undefined) return onlyOne(a, input)
  const decision = ofBoth(a, b, input)
  const wanted = input.alone ?? input.on
  if (wanted === undefined || 'refuse' in decision || decision.start === wanted) return decision
  return refuse(
    `both hosts answer, and the copy to start is the one on ${decision.start}: ${decision.why}`,
    `colo pair start ${pair}`,
  )
}

function ofBoth(a: PairRecord, b: PairRecord, input: StartInput): StartDecision {
  switch (standing(a, b)) {
    case 'unrelated':
      return {
        refuse: `both copies went on alone (${a.host} in generation ${a.generation.epoch}, ${b.host} in ${b.generation.epoch})`,
        splitBrain: true,
        hint: `one copy must be discarded by name first: colo pair resolve ${input.pair} --discard HOST`,
      }
    case 'newer':
      return may(a, 'it holds the newer generation', input)
    case 'older':
      return may(b, 'it holds the newer generation', input)
    case 'equal':
      return ofSameGeneration(a, b, input)
  }
}

function ofSameGeneration(a: PairRecord, b: PairRecord, input: StartInput): StartDecision {
  if (a.alone !== b.alone) return may(a.alone ? a : b, 'it went on alone', input)
  const primary = a.role === 'primary' ? a : b
  if (!areEqualCopies(a, b)) return may(primary, 'it was the primary', input)
  const wanted = [a, b].find(({host}) => host === input.on) ?? primary
  const decision = may(wanted, 'both copies were stopped cleanly and are equal', input)
  const atRest = [a, b].every(({host}) => input.atRest?.includes(host))
  return 'refuse' in decision ? decision : {...decision, equal: atRest && decision.accepted.length === 0}
}

function onlyOne(record: PairRecord, input: StartInput): StartDecision {
  const {pair, silent, alone, on} = input
  const {host, peer} = record
  const elsewhere = [alone, on].find((named) => named !== undefined && named !== host)
  if (elsewhere !== undefined) {
    return refuse(`${elsewhere} does not answer with a record of it`, `colo pair status ${pair}`)
  }
  const own = may(record, record.alone ? 'it went on alone' : 'you said so', input, {unproven: !record.alone})
  if ('refuse' in own || record.alone || alone === host) return own
  const why = silent.includes(peer) ? 'does not answer' : 'answers, but has no record of it'
  return refuse(
    `${peer} ${why}, and its copy may have gone on in a newer generation`,
    `bring ${peer} back, or accept the risk: colo pair start ${pair} --alone ${host}`,
  )
}

function may(record: PairRecord, why: string, input: StartInput, {unproven} = {unproven: false}): StartDecision {
  const {stale, incomplete} = record.marks
  const host = record.host
  const back = `bring ${record.peer} back: colo pair status ${input.pair}`
  if (stale !== undefined) return refuse(`the copy on ${host} is stale: ${stale}`, back)
  if (incomplete?.why === 'resync') return refuse(`the copy on ${host} is incomplete: ${incomplete.detail}`, back)
  if (record.role === 'secondary' && record.marks.notPromotable !== undefined) {
    return refuse(`the copy on ${host} missed writes: ${record.marks.notPromotable}`, back)
  }
  const faults = input.faults?.get(host) ?? []
  const blocking = faults.find(({kind}) => !input.force?.includes(acceptingWord(kind) ?? ''))
  if (blocking !== undefined) return refuse(faultText(host, blocking), faultRemedy(input.pair, record, blocking))
  return {start: host, merge: incomplete?.why === 'commit', why, accepted: faults, equal: false, unproven}
}

/** `the image /x of disk root on alpha is another file (inode 2, recorded 1)`. */
export function faultText(host: string, {kind, disk, path, detail}: CopyFault): string {
  return `the ${kind === 'overlays-lost' ? 'overlay' : 'image'} ${path} of disk ${disk} on ${host} ${detail}`
}

function faultRemedy(pair: string, {host, peer}: PairRecord, fault: CopyFault): string {
  const word = acceptingWord(fault.kind)
  if (word === undefined)
    return `put the file back on ${host}; if it is lost, start the copy on ${peer} when its record allows it`
  const again = `colo pair start ${pair} --force ${word}`
  return fault.kind === 'overlays-lost'
    ? `scratch does not survive a restart of its host; to start from the disk alone and lose those writes: ${again}`
    : `put the recorded file back, or, when this one holds the guest's data: ${again}`
}

/** A file that is not there cannot be accepted. */
function acceptingWord(kind: CopyFault['kind']): string | undefined {
  switch (kind) {
    case 'image-missing':
      return undefined
    case 'image-replaced':
    case 'image-unrecorded':
      return acceptWords.image
    case 'overlays-lost':
      return acceptWords.overlays
  }
}

function refuse(text: string, hint: string): StartDecision {
  return {refuse: text, splitBrain: false, hint}
}

import {kinship} from './generation.js'
import type {PairRecord} from './record.js'

/** Anything that may hold a record of a pair. */
interface Holder {
  readonly host: string
  readonly record: PairRecord | undefined
}

/** Each of the two names the other as its peer: nobody else belongs to the pair. */
export function areMutual(a: PairRecord, b: PairRecord): boolean {
  return a.uuid === b.uuid && a.peer === b.host && b.peer === a.host
}

/**
 * Of several records of one pair the one that knows who belongs to it: the newest generation; in the same one the side that is alone, then
 * the primary. A host that was replaced while it was away still has an old one.
 */
export function leadingRecord(records: readonly PairRecord[]): PairRecord | undefined {
  return records.reduce<PairRecord | undefined>(
    (lead, each) => (lead === undefined || leads(each, lead) ? each : lead),
    undefined,
  )
}

function leads(candidate: PairRecord, other: PairRecord): boolean {
  const kin = candidate.uuid === other.uuid ? kinship(candidate.generation, other.generation) : 'unrelated'
  if (kin === 'newer' || kin === 'older') return kin === 'newer'
  if (candidate.alone !== other.alone) return candidate.alone
  return candidate.role === 'primary' && other.role !== 'primary'
}

/** Those that belong to the pair now, of all that hold a record of it: the leading one and its peer. */
export function currentMembers<M extends Holder>(holders: readonly M[]): readonly M[] {
  if (holders.length < 2) return holders
  const records = holders.flatMap(({record}) => record ?? [])
  const mutual = holders.filter(({record}) => record !== undefined && records.some((each) => areMutual(record, each)))
  if (mutual.length === 2) return mutual
  const lead = leadingRecord(records)
  return lead === undefined ? holders : holders.filter(({host}) => host === lead.host || host === lead.peer)
}

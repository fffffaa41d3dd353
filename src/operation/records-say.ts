import {isDeepStrictEqual} from 'node:util'
import {cleanStopOf} from '../pair/clean-stop.js'
import type {PairRecord} from '../pair/record.js'
import type {Step} from '../plan/plan.js'

/** The record says already what this step writes into it, or has the agent note. */
export function holds(record: PairRecord | undefined, {actions}: Step): boolean {
  if (record !== undefined && actions.some(({kind}) => kind === 'power-off')) return cleanStopOf(record) !== undefined
  const changes = actions.flatMap((action) => (action.kind === 'record-change' ? [action.change] : []))
  return (
    record !== undefined &&
    changes.length > 0 &&
    changes.every((change) => isDeepStrictEqual({...record, ...change}, {...record}))
  )
}

/** The fields of a record that other operations change, as one text. */
export function authorityText(record: PairRecord | undefined): string {
  if (record === undefined) return 'no record'
  const {uuid, role, peer, generation, alone, wasProtected} = record
  return [uuid, role, peer, generation.id, alone, wasProtected].join(' ')
}

import {DecodeError} from '../errors.js'
import type {Argv} from '../os/process.js'
import {isRecord} from '../qmp/messages.js'
import {checkTable} from './check.js'

export type NftFamily = 'inet' | 'netdev'

/** Reads a ruleset from standard input; it is applied as a whole or not at all. */
export const nftApplyArgv = (): Argv => ['nft', '-f', '-']

export const nftListArgv = (family: NftFamily, table: string): Argv => [
  'nft',
  '--json',
  'list',
  'table',
  family,
  checkTable('table', table),
]

/** As people read it; tells the device of a chain, which nft's JSON leaves out. */
export const nftTextArgv = (family: NftFamily, table: string): Argv => ['nft', 'list', 'table', family, table]

/** Ends a table, whether it exists or not. */
export function tableRemoval(family: NftFamily, table: string): string {
  const name = checkTable('table', table)
  return `table ${family} ${name}\ndelete table ${family} ${name}\n`
}

/** Makes a table anew, in one transaction, whether it exists or not. @param body chains, indented by two */
export function tableReplacement(family: NftFamily, table: string, body: string): string {
  return `${tableRemoval(family, table)}table ${family} ${table} {\n${body}}\n`
}

/** One table as `nft --json list table` shows it; expressions stay undecoded. */
export interface NftTable {
  readonly chains: readonly NftChain[]
  readonly rules: ReadonlyArray<{readonly chain: string; readonly expr: readonly unknown[]}>
}

export interface NftChain {
  readonly name: string
  readonly hook: string | undefined
  readonly policy: string | undefined
}

/** @throws {DecodeError} when it is not what nft prints */
export function parseNftTable(stdout: string): NftTable {
  const chains: NftChain[] = []
  const rules: Array<{chain: string; expr: readonly unknown[]}> = []
  for (const [index, item] of itemsOf(stdout).entries()) {
    if (!isRecord(item)) throw odd(`nftables.${index}`, 'an object')
    const {chain, rule} = item
    if (isRecord(chain)) {
      if (typeof chain['name'] !== 'string') throw odd(`nftables.${index}.chain.name`, 'a string')
      chains.push({name: chain['name'], hook: optional(chain['hook']), policy: optional(chain['policy'])})
    }
    if (isRecord(rule)) {
      if (typeof rule['chain'] !== 'string') throw odd(`nftables.${index}.rule.chain`, 'a string')
      if (!Array.isArray(rule['expr'])) throw odd(`nftables.${index}.rule.expr`, 'a list')
      rules.push({chain: rule['chain'], expr: rule['expr']})
    }
  }
  return {chains, rules}
}

/** A comparison as in `{"match": {"op": "==", "left": ..., "right": ...}}`. */
export interface NftMatch {
  readonly op: string
  /** `ip daddr`, `meta protocol`, `ip frag-off & 16383` */
  readonly left: string
  /** values of a set, or the one value */
  readonly right: readonly unknown[]
}

/** Reads one expression of a rule as a comparison; undefined for anything else. */
export function matchOf(expression: unknown): NftMatch | undefined {
  if (!isRecord(expression) || !isRecord(expression['match'])) return undefined
  const {op, left, right} = expression['match']
  const name = leftOf(left)
  if (typeof op !== 'string' || name === undefined) return undefined
  const set = isRecord(right) ? right['set'] : right
  return {op, left: name, right: Array.isArray(set) ? (set as unknown[]) : [set]}
}

export function isDrop(expression: unknown): boolean {
  return isRecord(expression) && 'drop' in expression
}

function leftOf(left: unknown): string | undefined {
  if (!isRecord(left)) return undefined
  const {payload, meta} = left
  if (isRecord(payload)) return `${String(payload['protocol'])} ${String(payload['field'])}`
  if (isRecord(meta)) return `meta ${String(meta['key'])}`
  const masked = left['&']
  if (!Array.isArray(masked)) return undefined
  const inner = leftOf(masked[0])
  return inner === undefined ? undefined : `${inner} & ${String(masked[1])}`
}

function itemsOf(stdout: string): readonly unknown[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(stdout)
  } catch (error) {
    throw new DecodeError({source: 'nft list', path: 'output', expected: 'JSON'}, {cause: error})
  }
  if (!isRecord(parsed) || !Array.isArray(parsed['nftables'])) throw odd('nftables', 'a list')
  return parsed['nftables'] as unknown[]
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function odd(path: string, expected: string): DecodeError {
  return new DecodeError({source: 'nft list', path, expected})
}

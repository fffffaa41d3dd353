import {isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap} from 'yaml'

import {quote, type Checked} from '../pair/names.js'
import {join} from './document.js'
import type {Report} from './report.js'
import {closest, suggestion} from './suggest.js'

/** A value in a file: its node, where it is, and where problems go. */
export interface Field {
  readonly node: unknown
  readonly path: string
  /** of the value, or of its key when nothing is written there */
  readonly offset: number
  readonly report: Report
}

/** Reads one value; on a problem reports it and returns undefined. */
export type Reader<V> = (field: Field) => V | undefined

/** The field of a node that stands alone: the root of a file, or an item of a list. */
export function fieldAt(node: unknown, at: {path: string; offset: number; report: Report}): Field {
  return {...at, node, offset: startOf(node) ?? at.offset}
}

/** Whether nothing is written: no node, or a plain scalar that is empty, `~` or `null`. */
export function isAbsent(field: Field): boolean {
  if (field.node === null || field.node === undefined) return true
  return isScalar(field.node) && field.node.type === 'PLAIN' && ['', '~', 'null'].includes(String(field.node.value))
}

/** The text of a scalar. */
export const asText: Reader<string> = (field) => {
  if (isAbsent(field)) return refuse(field, 'has no value', 'write one, or remove the key')
  if (isScalar(field.node) && typeof field.node.value === 'string') return field.node.value
  return refuse(field, `is a ${isSeq(field.node) ? 'list' : 'map'}, not a single value`, 'write one value')
}

/** A scalar that a check of `src/pair/names.ts` or `units.ts` accepts. */
export function checked<V>(check: (text: string) => Checked<V>): Reader<V> {
  return (field) => {
    const text = asText(field)
    if (text === undefined) return undefined
    const result = check(text)
    return result.ok ? result.value : refuse(field, `${quote(text)} ${result.problem}`, result.hint)
  }
}

/** One of the given words; `notYet` are words with the reason why they cannot be had. */
export function oneOf<const V extends string>(
  values: readonly V[],
  notYet: Readonly<Record<string, string>> = {},
): Reader<V> {
  return checked((text) => {
    const value = values.find((candidate) => candidate === text)
    if (value !== undefined) return {ok: true, value}
    const reason = Object.hasOwn(notYet, text) ? notYet[text] : undefined
    const hint = `use ${values.join(' or ')}`
    if (reason !== undefined) return {ok: false, problem: `is not available in this version: ${reason}`, hint}
    return {ok: false, problem: 'is not possible here', hint: suggestion(text, values)}
  })
}

/** A whole number within limits, both included. */
export function wholeNumber(limits: {readonly min: number; readonly max: number}): Reader<number> {
  return checked((text) => {
    const hint = `write a whole number from ${limits.min} to ${limits.max}`
    if (!/^\d{1,15}$/.test(text)) return {ok: false, problem: 'is not a whole number', hint}
    const value = Number(text)
    if (value < limits.min || value > limits.max) return {ok: false, problem: 'is out of range', hint}
    return {ok: true, value}
  })
}

/** The items of a list, those with problems left out. */
export function listOf<V>(read: Reader<V>): Reader<readonly V[]> {
  return (field) => {
    const items = asItems(field)
    return items?.map((item) => read(item)).filter((item) => item !== undefined)
  }
}

/** The items of a list as fields of their own. */
export const asItems: Reader<readonly Field[]> = (field) => {
  if (!isSeq(field.node))
    return refuse(field, isAbsent(field) ? 'has no value' : 'is not a list', 'write a list: - item')
  return field.node.items.map((node, index) =>
    fieldAt(node, {path: `${field.path}[${index}]`, offset: field.offset, report: field.report}),
  )
}

/** A map being read: each key is asked for once, `finish` reports the others. */
export class MapFields {
  readonly #field: Field
  readonly #pairs = new Map<string, Pair>()
  readonly #known: string[] = []
  #missing: string[] = []

  private constructor(field: Field, map: YAMLMap) {
    this.#field = field
    for (const pair of map.items) {
      const key = isScalar(pair.key) ? pair.key.value : undefined
      if (typeof key === 'string' && !this.#pairs.has(key)) this.#pairs.set(key, pair)
    }
  }

  static ofRoot(root: YAMLMap, report: Report): MapFields {
    return new MapFields(fieldAt(root, {path: '', offset: 0, report}), root)
  }

  /** Undefined, and reported, when the field is no map. */
  static of(field: Field): MapFields | undefined {
    if (isMap(field.node)) return new MapFields(field, field.node)
    return refuse(field, isAbsent(field) ? 'has no value' : 'is not a map', 'write keys and values: key: value')
  }

  /** The field of a key that is there. */
  at(key: string): Field | undefined {
    if (!this.#known.includes(key)) this.#known.push(key)
    const pair = this.#pairs.get(key)
    if (pair === undefined) return undefined
    const {report, path} = this.#field
    return fieldAt(pair.value, {path: join(path, key), offset: startOf(pair.key) ?? this.#field.offset, report})
  }

  /** A key that is not there is reported by `reportMissing` or `finish`. */
  required<V>(key: string, read: Reader<V>): V | undefined {
    const field = this.at(key)
    if (field !== undefined) return read(field)
    this.#missing.push(key)
    return undefined
  }

  /** `fallback` also stands in for a value with a problem, which has been reported by then. */
  optional<V>(key: string, read: Reader<V>, fallback: V): V {
    const field = this.at(key)
    return field === undefined ? fallback : (read(field) ?? fallback)
  }

  /** Undefined when the key is not there, and when its value has a problem. */
  maybe<V>(key: string, read: Reader<V>): V | undefined {
    const field = this.at(key)
    return field === undefined ? undefined : read(field)
  }

  /** A key that has a meaning, but not here or not yet. */
  refused(key: string, why: string, hint: string): void {
    const pair = this.#pairs.get(key)
    if (pair === undefined) return
    const {report, path, offset} = this.#field
    report.add({offset: startOf(pair.key) ?? offset, path: join(path, key)}, why, hint)
    this.#pairs.delete(key)
  }

  /** Keys (with the path of the map) and values as written, for maps whose keys are names. */
  entries(): ReadonlyArray<readonly [keyField: Field, valueField: Field]> {
    const {report, path} = this.#field
    return [...this.#pairs].map(([key, pair]) => {
      const keyOffset = startOf(pair.key) ?? this.#field.offset
      const at = {path: join(path, key), offset: keyOffset, report}
      return [{...at, path, node: pair.key as Scalar}, fieldAt(pair.value, at)]
    })
  }

  /** Reports every key that was not asked for, and the missing ones that no misspelling explains. */
  finish(): void {
    const {report, path} = this.#field
    for (const [key, pair] of this.#pairs) {
      if (this.#known.includes(key)) continue
      const offset = startOf(pair.key) ?? this.#field.offset
      report.add({offset, path: join(path, key)}, 'unknown key', suggestion(key, this.#known))
      const meant = closest(key, this.#known)
      this.#missing = this.#missing.filter((missing) => missing !== meant)
    }
    this.reportMissing()
  }

  /** Reports the required keys that are not there. */
  reportMissing(): void {
    const {report, path, offset} = this.#field
    for (const key of this.#missing) report.add({offset, path: join(path, key)}, 'is missing', `add ${key}: ...`)
    this.#missing = []
  }
}

/** Reports a problem of a value; always undefined, so that a reader can return it. */
export function refuse(field: Field, message: string, hint?: string): undefined {
  field.report.add(field, message, hint)
  return undefined
}

/** Offset of a node with something written in it. */
function startOf(node: unknown): number | undefined {
  if (isScalar(node)) return node.source === '' && node.type === 'PLAIN' ? undefined : node.range?.[0]
  return isMap(node) || isSeq(node) ? node.range?.[0] : undefined
}

import {DecodeError} from '../errors.js'
import {isRecord} from './messages.js'

/** Where a value stands: the command or event, and the path in its reply, as in `return.0.node-name`. */
export interface Place {
  readonly source: string
  readonly path: string
}

/** Turns an unknown value into `T`, or throws a {@link DecodeError} that names the place. Unknown fields are dropped. */
export type Decoder<T> = (value: unknown, at: Place) => T

export const text: Decoder<string> = (value, at) => {
  if (typeof value !== 'string') throw new DecodeError({...at, expected: 'a string'})
  return value
}

export const flag: Decoder<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw new DecodeError({...at, expected: 'a boolean'})
  return value
}

/** A whole number; beyond 2^53 it is rounded, as QEMU's "infinite" values are. */
export const integer: Decoder<number> = (value, at) => {
  if (!Number.isInteger(value)) throw new DecodeError({...at, expected: 'an integer'})
  return value as number
}

export const real: Decoder<number> = (value, at) => {
  if (typeof value !== 'number') throw new DecodeError({...at, expected: 'a number'})
  return value
}

export const anything: Decoder<unknown> = (value, at) => {
  if (value === undefined) throw new DecodeError({...at, expected: 'present'})
  return value
}

/** The empty object, which is what commands without a result return. */
export const nothing: Decoder<void> = (value, at) => {
  if (!isRecord(value)) throw new DecodeError({...at, expected: 'an object'})
}

/** A closed set of words; use it only where a new word must stop us. */
export function oneOf<const V extends readonly string[]>(...words: V): Decoder<V[number]> {
  return (value, at) => {
    if (!words.includes(value as string)) throw new DecodeError({...at, expected: `one of ${words.join(', ')}`})
    return value as V[number]
  }
}

export function listOf<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw new DecodeError({...at, expected: 'a list'})
    return value.map((element, index) => item(element, {...at, path: `${at.path}.${index}`}))
  }
}

type Field<T> = (from: Record<string, unknown>, at: Place) => T

/** A member that must be there, under the name QEMU gives it. */
export function field<T>(name: string, decode: Decoder<T>): Field<T> {
  return (from, at) => decode(from[name], {...at, path: `${at.path}.${name}`})
}

/** A member that may be absent. */
export function maybe<T>(name: string, decode: Decoder<T>): Field<T | undefined> {
  return (from, at) => (from[name] === undefined ? undefined : field(name, decode)(from, at))
}

/** An object; keys of the result are ours, names inside the fields are QEMU's. */
export function record<T extends object>(fields: {readonly [K in keyof T]: Field<T[K]>}): Decoder<T> {
  const entries = Object.entries(fields) as ReadonlyArray<[string, Field<unknown>]>
  return (value, at) => {
    if (!isRecord(value)) throw new DecodeError({...at, expected: 'an object'})
    return Object.fromEntries(entries.map(([key, read]) => [key, read(value, at)])) as T
  }
}

import * as v from 'valibot'
import {DecodeError} from '../errors.js'

/**
 * Decodes a value by a schema; nothing is coerced, and unknown fields are refused.
 *
 * @param source what is read, for the message: a path, or the name of a call
 * @throws {DecodeError} that names the first wrong field
 */
export function decode<S extends v.GenericSchema>(schema: S, value: unknown, source: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value, {abortEarly: true})
  if (result.success) return result.output
  const [issue] = result.issues
  throw new DecodeError({source, path: v.getDotPath(issue) ?? 'value', expected: expectedOf(issue)})
}

/** @throws {DecodeError} when the text is not JSON, or not of the schema */
export function decodeJson<S extends v.GenericSchema>(schema: S, text: string, source: string): v.InferOutput<S> {
  return decode(schema, parseJson(text, source), source)
}

/** @throws {DecodeError} when the text is not JSON */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DecodeError({source, path: 'text', expected: 'JSON'}, {cause})
  }
}

/** Our own messages say more than the schema's type. */
function expectedOf({expected, message}: v.BaseIssue<unknown>): string {
  if (!message.startsWith('Invalid')) return message
  return expected === 'never' ? 'a known field' : (expected ?? message)
}

/** A whole number from `min` on. */
export function integer(min = 0) {
  return v.pipe(v.number(), v.safeInteger('a whole number'), v.minValue(min, `a number from ${min} on`))
}

export const port = v.pipe(
  v.number(),
  v.integer('a whole number'),
  v.minValue(1, 'a port'),
  v.maxValue(65_535, 'a port'),
)

/** Text that is not empty and has no control characters, such as an id or a path. */
export const word = v.pipe(v.string(), v.regex(/^[^\p{Cc}]+$/u, 'text without control characters'))

export const path = v.pipe(v.string(), v.regex(/^\/[^\p{Cc}]*$/u, 'an absolute path'))

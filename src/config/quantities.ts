import {bad, type Checked} from '../pair/names.js'
import {checked, type Reader} from './fields.js'
import {parseSize, parseTime} from './units.js'

/** Limits as a user would write them, both included. */
export interface Limits {
  readonly min: string
  readonly max: string
}

/** A time within limits, in milliseconds. */
export function timeWithin(limits: Limits): Reader<number> {
  return checked((text) => within(parseTime(text), {parse: parseTime, limits}))
}

/** A size within limits, in bytes, and a whole multiple of `step`. */
export function sizeWithin(limits: Limits, step: {readonly bytes: number; readonly text: string}): Reader<number> {
  return checked((text) => {
    const size = within(parseSize(text), {parse: parseSize, limits})
    if (!size.ok || size.value % step.bytes === 0) return size
    return bad(`is ${size.value} bytes, not a multiple of ${step.text}`, 'round it, or use a binary unit such as GiB')
  })
}

function within(
  result: Checked<number>,
  rule: {readonly parse: (text: string) => Checked<number>; readonly limits: Limits},
): Checked<number> {
  if (!result.ok) return result
  const {min, max} = rule.limits
  const hint = `from ${min} to ${max}`
  if (result.value < required(rule.parse(min))) return bad('is too small', hint)
  if (result.value > required(rule.parse(max))) return bad('is too large', hint)
  return result
}

function required(result: Checked<number>): number {
  if (!result.ok) throw new Error(`wrong limit: ${result.problem}`)
  return result.value
}

import {PreflightError} from '../errors.js'
import type {Check} from '../host/check.js'

/**
 * Failed checks as one error: the first is the message and its remedy the hint, the others follow with theirs.
 *
 * @param what  cannot be done: `cannot create web1`
 */
export function preflightError(what: string, first: Check, others: readonly Check[]): PreflightError {
  const lines = [
    ...[wayOut(first)].filter((text) => text !== ''),
    ...(others.length === 0 ? [] : ['also wrong:']),
    ...others.map((check) => `  ${found(check)}${wayOut(check) === '' ? '' : ` (${wayOut(check)})`}`),
  ]
  return new PreflightError(first.id, `${what}: ${found(first)}`, lines.length === 0 ? {} : {hint: lines.join('\n')})
}

function found({host, message}: Check): string {
  return host === undefined ? message : `${host}: ${message}`
}

function wayOut({id, remedy, overridable}: Check): string {
  const word = `--force ${id}`
  const forced = overridable && remedy?.includes(word) !== true ? [`${word} goes on all the same`] : []
  return [...(remedy === undefined ? [] : [remedy]), ...forced].join('; ')
}

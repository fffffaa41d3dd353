import type {Paint} from '../ui/colors.js'
import {plainText} from '../ui/table.js'
import {worst, type Check} from './check.js'

const colors = {pass: 'green', warn: 'yellow', fail: 'red'} as const

/** One line per finding with its remedy below it, and a last line that counts. Lines are never cut: remedies are to be copied. */
export function checksText(checks: readonly Check[], paint: Paint): string {
  const widths = {
    host: Math.max(0, ...checks.map(({host}) => (host ?? 'both').length)),
    id: Math.max(0, ...checks.map(({id}) => id.length)),
  }
  const lines = checks.flatMap(({verdict, host, id, message, remedy}) => {
    const head = `${paint(colors[verdict], verdict)}  ${(host ?? 'both').padEnd(widths.host)}  ${id.padEnd(widths.id)}`
    const line = `${head}  ${plainText(message)}`
    return verdict === 'pass' || remedy === undefined ? [line] : [line, `      remedy: ${plainText(remedy)}`]
  })
  return [...lines, '', summary(checks, paint)].join('\n')
}

function summary(checks: readonly Check[], paint: Paint): string {
  const count = (verdict: Check['verdict']): number => checks.filter((check) => check.verdict === verdict).length
  return paint(colors[worst(checks)], `${count('pass')} pass, ${count('warn')} warn, ${count('fail')} fail`)
}

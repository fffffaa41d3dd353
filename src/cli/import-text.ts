import type {Finding} from '../libvirt/import-sieve.js'
import {renderTable} from '../ui/table.js'

const order = ['refused', 'dropped', 'changed', 'carried'] as const

/** What becomes of each part of a foreign definition, what is in the way first. */
export function findingsText(findings: readonly Finding[]): string {
  const rows = order.flatMap((outcome) => findings.filter((finding) => finding.outcome === outcome))
  return renderTable(
    [
      {title: 'OUTCOME', value: ({outcome}) => outcome},
      {title: 'PLACE', value: ({place}) => place},
      {title: 'VALUE', value: ({value}) => value},
      {
        title: 'WHY',
        value: ({why, final}) => (why === undefined ? '' : `${why}${final === true ? ' (cannot be dropped)' : ''}`),
      },
    ],
    rows,
  )
}

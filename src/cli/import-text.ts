import type {Finding} from '../libvirt/import-sieve.js'
import type {ImportPreview} from '../operation/import.js'
import {renderTable} from '../ui/table.js'

/** What `--json` says of an import; a part that is carried has its value, everything else the reason. */
export interface ImportDocument {
  readonly domain: string
  readonly host: string
  readonly carried: ReadonlyArray<Pick<Finding, 'place' | 'value'>>
  readonly changed: ReadonlyArray<Pick<Finding, 'place' | 'value' | 'why'>>
  readonly dropped: ReadonlyArray<Pick<Finding, 'place' | 'value' | 'why'>>
}

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

/** The table of a dry run; what is carried is counted unless `all` is wanted. */
export function previewText({domain, host, findings}: ImportPreview, all: boolean): string {
  const carried = findings.filter(({outcome}) => outcome === 'carried')
  const shown = all ? findings : findings.filter(({outcome}) => outcome !== 'carried')
  const rest = all ? [] : [`carried over as they are: ${carried.length} parts (-v shows them)`]
  const table = shown.length === 0 ? [] : [findingsText(shown)]
  return [`# domain ${domain} of ${host}`, ...table, ...rest, ''].join('\n')
}

/** What the user should know when the import is really done. */
export function changeLines({domain, findings}: ImportPreview): string[] {
  return findings
    .filter(({outcome}) => outcome === 'changed' || outcome === 'dropped')
    .map(
      ({place, outcome, why}) =>
        `${domain}: ${place} is ${outcome === 'changed' ? 'not as it was' : 'left out'}: ${why ?? ''}`,
    )
}

export function importDocument({domain, host, findings}: ImportPreview): ImportDocument {
  const told = (outcome: Finding['outcome']): ImportDocument['changed'] =>
    findings
      .filter((finding) => finding.outcome === outcome)
      .map(({place, value, why}) => ({
        place,
        ...(value === undefined ? {} : {value}),
        ...(why === undefined ? {} : {why}),
      }))
  return {domain, host, carried: told('carried'), changed: told('changed'), dropped: told('dropped')}
}

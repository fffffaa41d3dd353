import type {NetHop, NetPath, NetVerification, ProvenHop} from '../operation/net.js'
import {renderTable, type Column} from '../ui/table.js'

/** The way of a packet as a table per NIC; directions in the order in which a request and its answer travel. */
export function netShowText(shown: {
  readonly pair: string
  readonly inLockStep: boolean
  readonly nics: readonly NetPath[]
}): string {
  if (!shown.inLockStep) return `${shown.pair} is not in lock-step: nothing is forwarded`
  return shown.nics.map(({nic, hops}) => `${nic}\n${renderTable(columns, hops)}`).join('\n\n')
}

export function netVerifyText({
  pair,
  inLockStep,
  ok,
  hops,
  problems,
}: NetVerification & {readonly pair: string}): string {
  if (!inLockStep)
    return `the forward links of ${pair} are proven; it is not in lock-step, so there is no more to prove`
  const table = renderTable(provenColumns, hops)
  return ok ? `${table}\n\nthe path of ${pair} is proven` : `${table}\n\n${problems.join('\n')}`
}

const columns: ReadonlyArray<Column<NetHop>> = [
  {title: 'WAY', value: ({direction}) => (direction === 'to-secondary' ? 'to the secondary' : 'to the comparer')},
  {title: 'HOST', value: ({host}) => host},
  {title: 'AT', value: ({device, hook}) => `${device} ${hook}`},
  {title: 'DOES', value: ({verb, to}) => `${verb} to ${to}`},
  {title: 'FRAMES', value: ({packets}) => (packets === undefined ? 'missing' : String(packets)), align: 'right'},
  {title: 'DROPPED', value: ({drops}) => (drops === undefined ? undefined : String(drops)), align: 'right'},
]

const provenColumns: ReadonlyArray<Column<ProvenHop>> = [
  {title: 'NIC', value: ({nic}) => nic},
  ...columns,
  {title: 'NOW', value: ({counted, expected}) => `${counted} of ${expected}`, align: 'right'},
  {title: 'RESULT', value: ({ok}) => (ok ? 'pass' : 'fail')},
]

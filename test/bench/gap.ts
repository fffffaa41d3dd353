import {cycles, type Life} from './cycles.js'
import type {Period} from './client.js'
import {pairwise, type Report, type Row} from './harness.js'

/** What clients see of a kill of the primary's QEMU and the failover right after it. */
export async function measure(): Promise<Report> {
  const {colo, bare} = await cycles()
  const silence = (lives: readonly Life[]): number[] => lives.map(({across}) => across.silenceMs)
  const slowest = (lives: readonly Life[]): number[] => lives.map(({across}) => across.slowestMs)
  const quiet = [...colo, ...bare].map(({before}) => before)
  const rows: Row[] = [
    {what: 'established connection: colo / bare script', unit: '×', values: pairwise(silence(colo), silence(bare))},
    {what: 'established connection, longest silence: colo', unit: 'ms', values: silence(colo)},
    {what: 'the same: bare script', unit: 'ms', values: silence(bare)},
    {what: 'the same: protected, nothing happens', unit: 'ms', values: quiet.map(({silenceMs}) => silenceMs)},
    {what: 'new connections, slowest to its echo: colo', unit: 'ms', values: slowest(colo)},
    {what: 'the same: bare script', unit: 'ms', values: slowest(bare)},
    {what: 'the same: protected, nothing happens', unit: 'ms', values: quiet.map(({slowestMs}) => slowestMs)},
  ]
  return {
    title: 'client-visible gap: kill of the primary + failover command',
    rows,
    notes: [
      verdict(
        'colo',
        colo.map(({across}) => across),
      ),
      verdict(
        'bare script',
        bare.map(({across}) => across),
      ),
      'a line every 10 ms on the established connection; a new connection every 50 ms. Unattended failover does not exist yet: the',
      'gap holds the start of the command, which begins when the kill has returned. A lost SYN is repeated by the client after 1 s.',
    ],
  }
}

function verdict(who: string, periods: readonly Period[]): string {
  const sum = (count: (period: Period) => number): number => periods.reduce((total, period) => total + count(period), 0)
  return (
    `${who}: ${periods.length} failovers, ${sum(({broken}) => (broken === null ? 0 : 1))} established connections broken, ` +
    `${sum(({misplaced}) => misplaced)} lines lost, doubled or out of order; ${sum(({connections}) => connections)} new ` +
    `connections answered, ${sum(({failed}) => failed)} refused`
  )
}

import {execIn, labHosts, type LabHost} from '../../src/lab/index.js'
import type {Goal} from './operations.js'

const wanted: Readonly<Record<Goal, {readonly copies: number; readonly members: number}>> = {
  protected: {copies: 2, members: 2},
  suspended: {copies: 1, members: 2},
  stopped: {copies: 0, members: 2},
  gone: {copies: 0, members: 0},
}

/** What no operation may leave behind once all is well, in words: domains, records, notes, overlays and rules that nobody owns. */
export async function leftovers(pair: string, goal: Goal): Promise<string[]> {
  const hosts = await Promise.all(labHosts.map(async (host) => ({host, ...(await whatIsThere(host, pair))})))
  const {copies, members} = wanted[goal]
  const running = hosts.filter(({domain}) => domain)
  const known = hosts.filter(({record}) => record)
  const names = (of: typeof hosts): string => of.map(({host}) => host).join(' and ')
  return [
    ...(running.length === copies ? [] : [`copies run on ${names(running)}, wanted are ${copies}`]),
    ...(known.length === members ? [] : [`records are on ${names(known)}, wanted are ${members}`]),
    ...hosts.flatMap(({host, record, others}) =>
      others.filter((what) => what.includes('intent') || !record).map((what) => `${what} is left on ${host}`),
    ),
  ]
}

/** `others`: paths and tables named after the pair; images are the person's. */
async function whatIsThere(
  host: LabHost,
  pair: string,
): Promise<{readonly domain: boolean; readonly record: boolean; readonly others: readonly string[]}> {
  const script = `virsh -q list --name | grep -x ${pair} && echo domain
    ls -d /var/lib/colo/pairs/${pair}/* /run/colo/scratch/${pair}* /run/colo/pairs/${pair} 2>/dev/null
    nft list tables | grep -w colo-${pair}; true`
  const lines = (await execIn(host, ['sh', '-c', script])).stdout.split('\n').filter((line) => line !== '')
  const isRecord = (line: string): boolean => line.endsWith('/record.json')
  const known = (line: string): boolean => line === pair || line === 'domain' || isRecord(line)
  return {
    domain: lines.includes('domain'),
    record: lines.some(isRecord),
    others: lines.filter((line) => !known(line)),
  }
}

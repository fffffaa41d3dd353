import {UsageError} from '../errors.js'
import type {LabContext} from './context.js'
import {systemLab} from './context.js'
import {cableOf, cablesOf, namespaces, type Cable, type LabHost, type LabLink} from './layout.js'
import {runBatch, type IpBatch} from './network.js'

export interface CutOptions {
  /** both ends go on seeing a carrier: the frames vanish in the switch */
  readonly keepCarrier?: boolean
  /** only frames to the host (`in`) or from it (`out`) vanish; the carrier stays */
  readonly direction?: 'in' | 'out'
}

/** How a cut is made: by `ip`, or by a rule set for `nft` in the switch. */
export type CutAction =
  | {readonly kind: 'ip'; readonly batch: IpBatch}
  | {readonly kind: 'nft'; readonly namespace: string; readonly rules: string}

/**
 * Cuts one link of a host. Cutting it again another way adds to the first cut; `heal` takes all back.
 *
 * @throws {UsageError} when the host has no such link, or the cut is not possible on it
 */
export async function cut(
  at: {host: LabHost; link: LabLink} & CutOptions,
  context: LabContext = systemLab(),
): Promise<void> {
  await act(planCut(requireCable(at.host, at.link), at), context)
}

/** Makes one link of a host whole again, whatever had been cut. */
export async function heal(at: {host: LabHost; link: LabLink}, context: LabContext = systemLab()): Promise<void> {
  for (const action of planHeal(requireCable(at.host, at.link))) await act(action, context)
}

/** Heals every link of a host. */
export async function healHost(host: LabHost, context: LabContext): Promise<void> {
  for (const cable of cablesOf(host)) for (const action of planHeal(cable)) await act(action, context)
}

/** Takes back every cut in one direction; the other kinds are undone by converging the network. */
export async function healDirections({run}: LabContext): Promise<void> {
  for (const namespace of [namespaces.management, namespaces.replication, namespaces.lan]) {
    const {stdout} = await run(['ip', 'netns', 'exec', namespace, 'nft', 'list', 'tables'])
    for (const [, table] of stdout.matchAll(/^table bridge (cut_\w+)$/gm)) {
      await run(['ip', 'netns', 'exec', namespace, 'nft', 'delete', 'table', 'bridge', table ?? ''])
    }
  }
}

/** The one action that makes a cut. */
export function planCut(cable: Cable, options: CutOptions): CutAction {
  const {far, near, farBridge} = cable
  if (options.direction === undefined && options.keepCarrier !== true) {
    const end = farBridge === undefined ? near : far
    return {kind: 'ip', batch: {namespace: end.namespace, lines: [`link set ${end.device} down`]}}
  }
  if (farBridge === undefined) {
    throw new UsageError(`${cable.link} is a direct cable: it can only be cut with loss of carrier, in both directions`)
  }
  if (options.direction === undefined) {
    return {kind: 'ip', batch: {namespace: far.namespace, lines: [`link set ${far.device} nomaster`]}}
  }
  const match = options.direction === 'out' ? 'iifname' : 'oifname'
  const rules = [
    `table bridge ${tableOf(cable, options.direction)} {`,
    '  chain forward {',
    '    type filter hook forward priority 0',
    `    ${match} "${far.device}" drop`,
    '  }',
    '}\n',
  ]
  return {kind: 'nft', namespace: far.namespace, rules: rules.join('\n')}
}

/** Everything that undoes any cut of this cable; each may be run on a whole one. */
export function planHeal(cable: Cable): CutAction[] {
  const {near, far, farBridge} = cable
  const up = (end: {namespace: string; device: string}): CutAction => ({
    kind: 'ip',
    batch: {namespace: end.namespace, lines: [`link set ${end.device} up`]},
  })
  if (farBridge === undefined) return [up(near), up(far)]
  const tables = (['in', 'out'] as const).map((direction) => `bridge ${tableOf(cable, direction)}`)
  // "table X" first: deleting what does not exist is an error
  const rules = tables.map((table) => `table ${table} {}\ndelete table ${table}\n`).join('')
  return [
    {kind: 'nft', namespace: far.namespace, rules},
    {
      kind: 'ip',
      batch: {
        namespace: far.namespace,
        lines: [`link set ${far.device} master ${farBridge}`, `link set ${far.device} up`],
      },
    },
    up(near),
  ]
}

function tableOf(cable: Cable, direction: 'in' | 'out'): string {
  return `cut_${cable.host}_${cable.link}_${direction}`
}

async function act(action: CutAction, {run}: LabContext): Promise<void> {
  if (action.kind === 'ip') await runBatch(run, action.batch)
  else await run(['ip', 'netns', 'exec', action.namespace, 'nft', '-f', '-'], {input: action.rules})
}

function requireCable(host: LabHost, link: LabLink): Cable {
  const cable = cableOf(host, link)
  if (cable !== undefined) return cable
  throw new UsageError(`lab host ${host} has no link ${link}`, {
    hint: `it has ${cablesOf(host)
      .map((other) => other.link)
      .join(', ')}`,
  })
}

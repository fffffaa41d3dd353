import type {ChardevObservation, MemberObservation, ObjectObservation, VmObservation} from '../pair/observation.js'
import type {PairLayout} from '../pair/layout.js'
import {queryBlockGraph, type BlockGraph} from '../qmp/commands/block-nodes.js'
import type {QmpExecutor} from '../qmp/commands/call.js'
import {queryChardev} from '../qmp/commands/chardevs.js'
import {queryColoStatus} from '../qmp/commands/colo.js'
import {queryJobs} from '../qmp/commands/jobs.js'
import {queryMigrate} from '../qmp/commands/migration.js'
import {queryBlockExports} from '../qmp/commands/nbd.js'
import {qomGet, qomList} from '../qmp/commands/objects.js'
import {queryStatus} from '../qmp/commands/status.js'
import {QmpCommandError} from '../qmp/errors.js'
import type {QmpSession} from '../qmp/session.js'
import {devicesOf} from './devices.js'

/** Everything one QEMU says about itself, as far as an observation needs it. */
export interface VmView {
  readonly vm: VmObservation
  readonly objects: ReadonlyMap<string, ObjectObservation>
  readonly chardevs: ReadonlyMap<string, ChardevObservation>
  readonly disks: readonly DiskView[]
  readonly exports: readonly string[]
  readonly jobs: MemberObservation['jobs']
  /** ids of all devices */
  readonly devices: readonly string[]
}

export interface DiskView {
  readonly quorum: boolean
  readonly children: readonly string[]
  readonly overlays: boolean
}

/**
 * Asks one QEMU everything at once.
 *
 * @param limitMs for each of two rounds of questions, which overlap
 * @throws {QmpTimeoutError} when it hangs, {QmpClosedError} when it went away
 */
export async function viewVm(
  qmp: QmpSession,
  {layout, limitMs}: {layout: PairLayout; limitMs: number},
): Promise<VmView> {
  const limit = {timeoutMs: limitMs}
  const [status, colo, migration, chardevs, graph, exports, jobs, objects, devices] = await Promise.all([
    queryStatus(qmp, limit),
    unlessRefused(
      queryColoStatus(qmp, limit).then(({mode}) => mode),
      'none',
    ),
    queryMigrate(qmp, limit),
    queryChardev(qmp, limit),
    unlessRefused<BlockGraph>(queryBlockGraph(qmp, limit), {nodes: [], edges: []}),
    queryBlockExports(qmp, limit),
    queryJobs(qmp, limit),
    viewObjects(qmp, {layout, limit}),
    unlessRefused(devicesOf(qmp), []),
  ])
  const {major, minor, micro} = qmp.greeting.version
  const ours = new Set(layout.disks.map(({mirrorJob}) => mirrorJob))
  return {
    vm: {
      status: status.status,
      coloMode: colo,
      migration: migration.status,
      qemuVersion: `${major}.${minor}.${micro}`,
    },
    devices,
    objects,
    chardevs: new Map(
      chardevs.map(({label, connected, frontendOpen}) => [label, {id: label, connected, frontendOpen}]),
    ),
    disks: layout.disks.map((disk) => diskView(graph, disk)),
    exports: exports.filter(({shuttingDown}) => !shuttingDown).map(({id}) => id),
    jobs: jobs
      .filter(({id}) => ours.has(id))
      .map(({id, status: state, currentProgress, totalProgress}) => ({
        id,
        status: state,
        current: currentProgress,
        total: totalProgress,
      })),
  }
}

async function viewObjects(
  qmp: QmpExecutor,
  {layout, limit}: {layout: PairLayout; limit: {timeoutMs: number}},
): Promise<Map<string, ObjectObservation>> {
  const wanted = new Set(layout.nics.flatMap((nic) => Object.values(nic.objects)))
  const found = (await qomList(qmp, '/objects', limit)).filter(({name}) => wanted.has(name))
  const objects = found.map(async ({name: id, type: childType}): Promise<ObjectObservation> => {
    const type = /^child<(.+)>$/.exec(childType)?.[1] ?? childType
    const get = (property: string): Promise<unknown> =>
      unlessRefused(qomGet(qmp, {path: `/objects/${id}`, property}, limit), undefined)
    const [status, vnetHdr] = await Promise.all([
      type.startsWith('filter-') ? get('status') : undefined,
      get('vnet_hdr_support'),
    ])
    return {
      id,
      type,
      on: typeof status === 'string' ? status === 'on' : undefined,
      vnetHdr: typeof vnetHdr === 'boolean' ? vnetHdr : undefined,
    }
  })
  return new Map((await Promise.all(objects)).map((object) => [object.id, object]))
}

/** One disk in QEMU's block graph, where edges bear the names of children. */
export function diskView(
  graph: BlockGraph,
  disk: {readonly quorum: string; readonly active: string; readonly hidden: string},
): DiskView {
  const names = new Map(graph.nodes.map(({id, name}) => [id, name]))
  const quorum = graph.nodes.find(({name}) => name === disk.quorum)
  if (quorum === undefined) return {quorum: false, children: [], overlays: false}
  const children = graph.edges
    .filter(({parent, name}) => parent === quorum.id && name.startsWith('children.'))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', {numeric: true}))
    .map(({child}) => names.get(child) ?? '')
  const below = namesBelow(graph, quorum.id)
  return {quorum: true, children, overlays: below.has(disk.active) || below.has(disk.hidden)}
}

function namesBelow(graph: BlockGraph, top: number): Set<string> {
  const names = new Map(graph.nodes.map(({id, name}) => [id, name]))
  const seen = new Set<number>()
  const open = [top]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (seen.has(id)) continue
    seen.add(id)
    for (const {parent, child} of graph.edges) if (parent === id) open.push(child)
  }
  return new Set([...seen].map((id) => names.get(id) ?? ''))
}

/** What a QEMU without the feature refuses is absent; everything else is an error. */
async function unlessRefused<R>(reply: Promise<R>, otherwise: R): Promise<R> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof QmpCommandError) return otherwise
    throw error
  }
}

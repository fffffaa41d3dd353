import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {ForwardObservation, LockHolder, MemberObservation, NicObservation} from '../pair/observation.js'
import type {Run} from '../os/process.js'
import type {NicLayout} from '../pair/layout.js'
import type {PairRecord} from '../pair/record.js'
import {QmpClosedError} from '../qmp/errors.js'
import {summaryOf} from './intent-store.js'
import type {Member} from './member.js'
import {viewVm, type VmView} from './observe-vm.js'
import {faultsOfCopy, writtenImage} from './files-of-copy.js'
import {roomOf} from './room.js'
import {readBridge, readTap} from './tap.js'
import type {ForwardWatch} from './forward-watch.js'
import type {TapFilters} from './tap-filters.js'
import {observeXen} from './xen/observe.js'

/** How long all questions to one QEMU may take together. A hung one delays nobody else. */
const VM_LIMIT_MS = 1000

export interface ObserverDeps {
  readonly host: string
  readonly agent: MemberObservation['agent']
  readonly clock: Clock
  readonly files: Files
  readonly filters: TapFilters
  readonly forwards: ForwardWatch
  readonly run: Run
  readonly lock: (pair: string) => LockHolder | undefined
  /** why its copy was not started after the boot */
  readonly boot: (pair: string) => MemberObservation['boot']
}

/**
 * What this agent sees of its member of a pair, now.
 *
 * @param withinMs  how long whoever asks waits, when that is longer than usual
 * @throws what makes its record unreadable: a broken record is not an absent one
 */
export async function observeMember(member: Member, deps: ObserverDeps, withinMs?: number): Promise<MemberObservation> {
  const record = await member.records.read()
  const [{qmp, view}, nbd, filters] = await Promise.all([
    askVm(member),
    member.guard.watch.state('recent'),
    record === undefined ? new Set<string>() : deps.filters.tables(),
  ])
  const {layout} = member
  const domain = await domainState(member, view)
  const {active, latched, blindSince} = member.guard.now
  const forwards = await observeForwards(layout.nics, {view, deps})
  const nics = await Promise.all(
    layout.nics.map(async (nic, index) => {
      const seen = await observeNic(nic, {files: deps.files, filters, view})
      const forward = forwards[index]
      return forward === undefined ? seen : {...seen, forward}
    }),
  )
  const replicates = view?.disks.some(({children}) => children.length > 1) === true || (view?.exports.length ?? 0) > 0
  return {
    host: deps.host,
    atMs: deps.clock.now(),
    agent: deps.agent,
    record,
    lock: deps.lock(member.pair),
    intent: summaryOf(member.intents.current),
    domain,
    ...(record !== undefined && domain === 'absent' ? await observeDown(member, record, deps) : {}),
    ...(record?.role === 'secondary' && domain !== 'absent' ? {room: await roomOf(record, deps.files)} : {}),
    qmp,
    vm: view?.vm,
    nics,
    disks: layout.disks.map((disk, index) => {
      const seen = view?.disks[index] ?? {quorum: false, children: [], overlays: false}
      const exported = view?.exports.includes(disk.exportId) === true
      return {index, ...seen, replication: active || replicates ? nbd.nbd : 'none', exported}
    }),
    checkpoints: member.checkpoints.observation(),
    latched: active ? latched : [],
    blindSince: active ? blindSince : undefined,
    peer: member.talk.last,
    jobs: view?.jobs ?? [],
    ...attachedTo(member, view),
    ...(member.crash.panicsInARow === 0 ? {} : {panicsInARow: member.crash.panicsInARow}),
    ...(member.crash.panickedAtMs === undefined ? {} : {panickedAtMs: member.crash.panickedAtMs}),
    ...(record?.spec.engine === 'xen'
      ? await observeXen(deps, {pair: member.pair, runDir: layout.runDir, withinMs})
      : {}),
  }
}

/** What keeps a copy that does not run from being started, or from being taken for an equal one. */
async function observeDown(member: Member, record: PairRecord, {files, boot}: ObserverDeps) {
  const left = boot(member.pair)
  return {
    copyFaults: await faultsOfCopy(record, files),
    ...(record.clean ? {atRest: (await writtenImage(record, files)) === undefined} : {}),
    ...(left === undefined ? {} : {boot: left}),
  }
}

function attachedTo({devices}: Member, view: VmView | undefined): Pick<MemberObservation, 'attached'> {
  const attached = devices.attached(view?.devices ?? [])
  return attached.length === 0 ? {} : {attached}
}

async function askVm(member: Member): Promise<{qmp: MemberObservation['qmp']; view: VmView | undefined}> {
  const session = member.keeper.session
  if (session === undefined || member.keeper.status !== 'connected') return {qmp: member.keeper.status, view: undefined}
  try {
    const view = await viewVm(session, {layout: member.layout, limitMs: VM_LIMIT_MS})
    return {qmp: 'connected', view}
  } catch (error) {
    if (error instanceof QmpClosedError) return {qmp: member.keeper.status, view: undefined}
    return {qmp: 'hung', view: undefined}
  }
}

/** Of NICs with `via: tc`, while QEMU is in lock-step. */
async function observeForwards(
  nics: readonly NicLayout[],
  {view, deps}: {readonly view: VmView | undefined; readonly deps: ObserverDeps},
): Promise<ReadonlyArray<ForwardObservation | undefined>> {
  const role = view?.vm.coloMode ?? 'none'
  if (role === 'none') return []
  return Promise.all(nics.map((nic) => deps.forwards.observe(nic, {host: deps.host, role})))
}

async function observeNic(
  nic: NicLayout,
  {files, filters, view}: {files: Files; filters: ReadonlySet<string>; view: VmView | undefined},
): Promise<NicObservation> {
  const [tapState, bridge] = await Promise.all([readTap(files, nic.tap), readBridge(files, nic.tap)])
  return {
    index: nic.index,
    tap: nic.tap,
    tapState,
    bridge,
    tapFilter: filters.has(nic.tapTable),
    objects: Object.values(nic.objects).flatMap((id) => view?.objects.get(id) ?? []),
    chardevs: Object.values(nic.chardevs).flatMap((id) => view?.chardevs.get(id) ?? []),
  }
}

/** As libvirt would say it, without asking a libvirtd that may be busy. */
async function domainState(member: Member, view: VmView | undefined): Promise<MemberObservation['domain']> {
  const status = view?.vm.status
  if (status === undefined)
    return member.keeper.status !== 'absent' || (await member.process.alive()) ? 'running' : 'absent'
  switch (status) {
    case 'running':
    case 'colo':
    case 'finish-migrate':
    case 'restore-vm':
      return 'running'
    case 'paused':
    case 'prelaunch':
    case 'inmigrate':
    case 'postmigrate':
    case 'suspended':
    case 'save-vm':
      return 'paused'
    default:
      return 'other'
  }
}

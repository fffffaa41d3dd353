import {ConflictError, NotFoundError, PreflightError, StateError, UsageError} from '../errors.js'
import type {PlainDomain} from '../agent/protocol.js'
import type {Finding} from '../libvirt/import-sieve.js'
import type {HostName, NicSpec, PairName, PairSpec, PerHost} from '../pair/spec.js'
import type {OperationContext} from './context.js'
import {createPair, resumeCreate, type CreateOptions} from './create.js'
import {findPair} from './sides.js'
import type {OperationResult} from './result.js'
import {entryOf} from './sides.js'

/** What a person says of a domain that is to become a pair. */
export interface ImportRequest {
  readonly domain: string
  /** of the pair */
  readonly name: PairName
  /** where the domain is; the only host that has one of that name unless told */
  readonly host: HostName | undefined
  readonly secondary: HostName
  readonly spare: HostName | undefined
  /** parts that may be left out */
  readonly drop: readonly string[]
  /** by `net0` or MAC */
  readonly bridges: Readonly<Record<string, PerHost<string>>>
  /** paths on the secondary by name of the disk, where they differ */
  readonly images: Readonly<Record<string, string>>
  readonly uncompared: NicSpec['uncompared']
  readonly checkpoint: PairSpec['checkpoint']
  /** a running guest may be shut down and started again */
  readonly restart: boolean
}

/** What the import makes of the definition, known before anything is done. */
export interface ImportPreview {
  readonly domain: string
  readonly host: string
  readonly findings: readonly Finding[]
}

const readLimitMs = 20_000

/**
 * Makes a pair of an existing libvirt domain. It is read, checked and shown first; a definition that cannot be carried over whole is
 * refused before anything is touched.
 *
 * @param preview gets the table of what becomes of each part, also when the import is refused
 * @throws {PreflightError} with every part that is refused
 * @throws {StateError} when the domain runs and may not be restarted, or is in a state no import can keep
 */
export async function importPair(
  context: OperationContext,
  request: ImportRequest,
  options: CreateOptions,
  preview: (preview: ImportPreview) => void,
): Promise<OperationResult> {
  const resumed = await resume(context, request, options)
  if (resumed !== undefined) return resumed
  const {host, domain} = await findDomain(context, request)
  const [{importDomain}, {pairOfImport, refusals, refusalText}] = await Promise.all([
    import('../libvirt/import.js'),
    import('../libvirt/import-pair.js'),
  ])
  const {drop, bridges, uncompared, checkpoint, secondary, spare} = request
  const imported = importDomain(domain.xml, {source: `domain ${request.domain}`, drop, bridges, uncompared})
  preview({domain: request.domain, host, findings: imported.findings})
  const refused = refusals(imported.findings)
  const [first] = refused
  if (first !== undefined) {
    throw new PreflightError('import', `cannot import ${request.domain}: ${refusalText(first)}`, {
      hint: refused.map(refusalText).join('\n'),
    })
  }
  refuseState(request, domain)
  if (host === secondary || host === spare) {
    throw new UsageError(`${host} has the domain and cannot be the other host, too`, {hint: 'name another host'})
  }
  const hosts = {primary: host, secondary, ...(spare === undefined ? {} : {spare})}
  const spec = pairOfImport(imported, {name: request.name, hosts, checkpoint})
  const placed = withImages(spec, request.images)
  const {uuid, xml, autostart} = domain
  const origin = {domain: request.domain, uuid, host, xml, autostart}
  return createPair(context, placed, options, {origin, running: domain.state !== 'shut off'})
}

/** An import that was interrupted has taken the domain out of libvirt, perhaps; it is finished or taken back first. */
async function resume(
  context: OperationContext,
  request: ImportRequest,
  options: CreateOptions,
): Promise<OperationResult | undefined> {
  let spec: PairSpec | undefined
  try {
    const found = await findPair(context, request.name, {peerGraceMs: 1000})
    const record = found.sides.flatMap((side) => ('member' in side ? (side.member.record ?? []) : []))[0]
    found.close()
    if (record?.origin?.domain === request.domain) spec = record.spec
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
  }
  return spec === undefined ? undefined : resumeCreate(context, spec, options)
}

async function findDomain(
  context: OperationContext,
  {domain: name, host}: ImportRequest,
): Promise<{readonly host: HostName; readonly domain: PlainDomain}> {
  const entries = host === undefined ? context.inventory.hosts : [entryOf(context, host)]
  const answers = await Promise.all(
    entries.map(async (entry) => {
      try {
        const client = await context.connect(entry, context.signal)
        try {
          const {domain} = await client.call('domain.read', {domain: name}, {timeoutMs: readLimitMs})
          return domain === undefined ? [] : [{host: entry.name, domain}]
        } finally {
          client.close()
        }
      } catch (error) {
        if (host !== undefined || context.signal.aborted) throw error
        context.progress.note(`${entry.name} was not asked: ${error instanceof Error ? error.message : String(error)}`)
        return []
      }
    }),
  )
  const found = answers.flat()
  const [only] = found
  if (only === undefined) {
    throw new NotFoundError(`no domain ${name} on ${entries.map((entry) => entry.name).join(', ')}`, {
      hint: '`virsh list --all` on its host shows the names',
    })
  }
  if (found.length > 1) {
    throw new ConflictError(`${found.map((each) => each.host).join(' and ')} have a domain ${name} each`, {
      hint: 'say which with --host; the other one must go before the pair can be made: virsh undefine',
    })
  }
  return only
}

/** States that a pair cannot keep, by name. */
function refuseState({domain: name, restart}: ImportRequest, domain: PlainDomain): void {
  const refuse = (why: string, hint: string): never => {
    throw new StateError(`cannot import ${name}: ${why}`, {actual: domain.state, required: ['shut off']}, {hint})
  }
  const {state, persistent, managedSave, snapshots, checkpoints, xml} = domain
  if (xml.includes('urn:colo:1')) refuse('it is a copy of a pair already', 'colo pair list')
  if (!persistent) refuse('it is transient: libvirt keeps no definition of it', 'virsh define it first')
  if (managedSave) {
    refuse('its memory is saved on disk (managed save)', `virsh start ${name}, or virsh managedsave-remove ${name}`)
  }
  if (snapshots.length > 0) {
    refuse(`it has snapshots (${snapshots.join(', ')}), which a pair cannot keep`, `virsh snapshot-delete ${name} NAME`)
  }
  if (checkpoints.length > 0) {
    refuse(`it has backup checkpoints (${checkpoints.join(', ')})`, `virsh checkpoint-delete ${name} NAME`)
  }
  if (state === 'shut off') return
  if (state !== 'running') refuse(`it is ${state}`, 'let it run, or shut it down')
  if (!restart) {
    refuse(
      'it runs, and was not started as one copy of a pair',
      'shut it down, or say --restart: colo shuts it down and starts it again',
    )
  }
  if (/<on_poweroff>\s*restart\s*</.test(xml)) {
    refuse('it starts again by itself when it is powered off', `shut it down with virsh destroy when nothing is lost`)
  }
}

function withImages(spec: PairSpec, images: ImportRequest['images']): PairSpec {
  const unknown = Object.keys(images).find((name) => !spec.disks.some((disk) => disk.name === name))
  if (unknown !== undefined) {
    throw new UsageError(`no disk is called ${unknown}`, {
      hint: `Its disks are ${spec.disks.map(({name}) => name).join(', ')}.`,
    })
  }
  const {secondary, ...others} = spec.hosts
  const disks = spec.disks.map((disk) => {
    const other = images[disk.name]
    if (other === undefined || !('same' in disk.image)) return disk
    const {same} = disk.image
    return {
      ...disk,
      image: {byHost: {...Object.fromEntries(Object.values(others).map((at) => [at, same])), [secondary]: other}},
    }
  })
  return {...spec, disks}
}

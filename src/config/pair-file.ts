import {dirname, isAbsolute, resolve} from 'node:path'

import {UsageError} from '../errors.js'
import {parseHostName, parsePairName, quote} from '../pair/names.js'
import type {DiskSpec, NicSpec, PairSpec, VmSpec} from '../pair/spec.js'
import {crossCheck} from './cross-check.js'
import {parseConfigDocument} from './document.js'
import {readDisks, readNics} from './device-fields.js'
import {checked, MapFields, oneOf, refuse, type Field, type Reader} from './fields.js'
import {readHeader} from './header.js'
import {fromOf, readImported, type DomainFile} from './imported-fields.js'
import {timeWithin} from './quantities.js'
import {readConfigText} from './read-text.js'
import {readVm} from './vm-fields.js'
import {
  checkXenName,
  readXenCheckpoint,
  readXenDisks,
  readXenNics,
  readXenVm,
  xenCheckpointDefaults,
} from './xen-fields.js'
import type {KnownHosts} from './per-host.js'

/**
 * Reads a pair's spec. Every problem is found in one pass, with file, line and column.
 *
 * @param text    YAML, as docs/spec.md describes it
 * @param file    name for messages
 * @param domain  what `vm.from` names; a spec that has it cannot be read without
 * @throws {ConfigProblems} the first problem as message, the others in the hint and in `problems`
 */
export function parsePairFile(text: string, file: string, domain?: DomainFile): PairSpec {
  const {root, report} = parseConfigDocument(text, file)
  const fields = MapFields.ofRoot(root, report)
  readHeader(fields, 'Pair')
  report.throwIfAny()
  const spec = readSpec(fields, domain)
  report.throwIfAny()
  if (spec === undefined) throw new Error(`${file}: nothing was read and nothing reported`)
  return spec
}

/**
 * As `parsePairFile`, from a file or, for `-`, standard input.
 *
 * @throws {ConfigProblems} the spec is wrong
 * @throws {NotFoundError} there is no such file
 * @throws {UsageError} the file cannot be read
 */
export async function readPairFile(path: string): Promise<PairSpec> {
  const text = await readConfigText(path)
  const file = path === '-' ? '<stdin>' : path
  const from = domainPath(text, file)
  if (from === undefined) return parsePairFile(text, file)
  if (path === '-' && !isAbsolute(from)) {
    throw new UsageError(`${file}: vm.from: ${quote(from)} is relative, and there is no file it could be relative to`, {
      hint: 'Give an absolute path.',
    })
  }
  const source = path === '-' ? from : resolve(dirname(path), from)
  return parsePairFile(text, file, {text: await readConfigText(source), source})
}

/** The path in `vm.from`; undefined for a spec that describes the machine itself. */
function domainPath(text: string, file: string): string | undefined {
  const {root, report} = parseConfigDocument(text, file)
  const from = fromOf(MapFields.ofRoot(root, report))
  return from?.path
}

function readSpec(fields: MapFields, domain: DomainFile | undefined): PairSpec | undefined {
  const name = fields.required('name', checked(parsePairName))
  const engine = fields.optional('engine', readEngine, 'qemu')
  const mode = fields.optional('mode', engine === 'xen' ? oneOf(['colo', 'checkpoint']) : readMode, 'colo')
  const hosts = fields.required('hosts', readHosts)
  const known = hosts === undefined ? undefined : Object.values(hosts).filter((host) => host !== undefined)
  const {vm, disks, nics, checkpoint} =
    engine === 'xen' ? readXenMachine(fields, mode, known) : readQemuMachine(fields, domain, known)
  const arbiter = fields.optional('arbiter', readArbiter, arbiterDefault)
  const resync = fields.optional('resync', oneOf(['auto', 'manual']), 'auto')
  fields.refused('tls', 'is reserved: encrypted links are not available in this version', 'remove it')
  fields.finish()
  if (engine === 'xen') checkXenName(fields.at('name'), name)
  else crossCheck({fields, vm, disks, nics, hosts: known})
  if (name === undefined || hosts === undefined || vm === undefined || disks === undefined || nics === undefined) {
    return undefined
  }
  return {apiVersion: 'colo/v1', name, engine, mode, hosts, vm, disks, nics, checkpoint, arbiter, resync}
}

interface Machine {
  readonly vm: VmSpec | undefined
  readonly disks: readonly DiskSpec[] | undefined
  readonly nics: readonly NicSpec[] | undefined
  readonly checkpoint: PairSpec['checkpoint']
}

/** The machine as the file describes it, or as the libvirt definition does that it names. */
function readQemuMachine(fields: MapFields, domain: DomainFile | undefined, known: KnownHosts): Machine {
  const checkpoint = fields.optional('checkpoint', readCheckpoint, checkpointDefaults)
  const from = fromOf(fields)
  if (domain === undefined && from !== undefined) {
    refuse(from.field, 'names a libvirt definition that is not at hand here', 'read the spec from its file')
    return {vm: undefined, disks: undefined, nics: undefined, checkpoint}
  }
  if (domain !== undefined) {
    const {vm, disks, nics} = readImported(fields, domain, known) ?? {}
    return {vm, disks, nics, checkpoint}
  }
  return {
    vm: fields.required('vm', readVm),
    disks: fields.required('disks', readDisks(known)),
    nics: fields.required('nics', readNics(known)),
    checkpoint,
  }
}

/** Remus may protect a guest that has no disk and no NIC of its own. */
function readXenMachine(fields: MapFields, mode: PairSpec['mode'], known: KnownHosts): Machine {
  const [disks, nics] = [readXenDisks(mode, known), readXenNics(mode, known)]
  return {
    vm: fields.required('vm', readXenVm(mode)),
    disks: mode === 'colo' ? fields.required('disks', disks) : fields.optional('disks', disks, []),
    nics: mode === 'colo' ? fields.required('nics', nics) : fields.optional('nics', nics, []),
    checkpoint: fields.optional('checkpoint', readXenCheckpoint(mode), xenCheckpointDefaults),
  }
}

const readEngine = oneOf(['qemu', 'xen'])
const readMode = oneOf(['colo'], {checkpoint: 'QEMU is run with the comparer only; engine: xen has it'})

const readHosts: Reader<PairSpec['hosts']> = (field) => {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const primary = fields.required('primary', checked(parseHostName))
  const secondary = fields.required('secondary', checked(parseHostName))
  const spare = fields.maybe('spare', checked(parseHostName))
  fields.finish()
  if (primary !== undefined && primary === secondary) {
    return sameHost(fields.at('secondary') ?? field, 'the primary')
  }
  if (spare !== undefined && (spare === primary || spare === secondary)) {
    return sameHost(fields.at('spare') ?? field, spare === primary ? 'the primary' : 'the secondary')
  }
  if (primary === undefined || secondary === undefined) return undefined
  return {primary, secondary, ...(spare === undefined ? {} : {spare})}
}

function sameHost(field: Field, other: string): undefined {
  return refuse(field, `is the host of ${other} too`, 'a pair needs different hosts')
}

export const checkpointDefaults: PairSpec['checkpoint'] = {intervalMs: 1000, compareTimeoutMs: 3000}

const readCheckpoint: Reader<PairSpec['checkpoint']> = (field) => {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const defaults = checkpointDefaults
  const intervalMs = fields.optional('interval', timeWithin({min: '50ms', max: '60s'}), defaults.intervalMs)
  const compareTimeoutMs = fields.optional(
    'compareTimeout',
    timeWithin({min: '100ms', max: '60s'}),
    defaults.compareTimeoutMs,
  )
  fields.finish()
  return {intervalMs, compareTimeoutMs}
}

const arbiterDefault: PairSpec['arbiter'] = {kind: 'manual'}

const readArbiter: Reader<PairSpec['arbiter']> = (field) => {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const later = 'failover is decided by the operator so far'
  const kind = fields.required('kind', oneOf(['manual'], {etcd: later, fence: later}))
  // keys of arbiters to come are not known yet, so only `kind` is complained about then
  if (kind === undefined) fields.reportMissing()
  else fields.finish()
  return kind === undefined ? undefined : {kind}
}

import {importDomain, type DomainImport} from '../libvirt/import.js'
import {refusals} from '../libvirt/import-pair.js'
import {parseImagePath} from '../libvirt/import-values.js'
import {bad, parseDirectoryPath, parseInterfaceName, type Checked} from '../pair/names.js'
import type {DiskSpec, NicSpec, PerHost, VmSpec} from '../pair/spec.js'
import {readForward} from './device-fields.js'
import {asItems, checked, listOf, MapFields, oneOf, refuse, type Field, type Reader} from './fields.js'
import {perHost, type KnownHosts} from './per-host.js'
import {sizeWithin} from './quantities.js'
import {suggestion} from './suggest.js'

/** `vm.from` as it stands in the pair file. */
export interface DomainFile {
  readonly text: string
  readonly source: string
}

/** What `vm`, `disks` and `nics` say together when the machine comes from a libvirt definition. */
export interface ImportedParts {
  readonly vm: VmSpec
  readonly disks: readonly DiskSpec[]
  readonly nics: readonly NicSpec[]
}

/** The path in `vm.from`, when there is one. */
export function fromOf(fields: MapFields): {readonly path: string; readonly field: Field} | undefined {
  const vm = fields.at('vm')
  if (vm === undefined) return undefined
  const field = MapFields.of(vm)?.at('from')
  if (field === undefined) return undefined
  const path = checked(parseFrom)(field)
  return path === undefined ? undefined : {path, field}
}

/** A definition is named as any file is: also relative to the pair file. */
function parseFrom(text: string): Checked<string> {
  if (text === '' || text.length > 1024 || /[\p{Cc}]/u.test(text)) return bad('is not a path', 'name an XML file')
  return {ok: true, value: text}
}

/**
 * Reads `vm: {from, drop}`, and of `disks` and `nics` what a definition cannot know: what differs by host. Everything else comes from the
 * definition; what is refused there is a problem of `vm.from`.
 */
export function readImported(fields: MapFields, file: DomainFile, hosts: KnownHosts): ImportedParts | undefined {
  const vmField = fields.at('vm')
  const vm = vmField === undefined ? undefined : MapFields.of(vmField)
  const from = vm?.at('from')
  if (vm === undefined || from === undefined) return undefined
  const drop = vm.optional('drop', listOf(checked(parseFrom)), [])
  const wanted = {
    disks: fields.optional('disks', list(diskChange(hosts)), []),
    nics: fields.optional('nics', list(nicChange(hosts)), []),
  }
  vm.finish()
  const imported = take(from, file, {drop, nics: wanted.nics})
  if (imported === undefined) return undefined
  const disks = applied(imported.disks, wanted.disks, (disk, {image, scratch, sizeBytes}) => ({
    ...disk,
    ...(image === undefined ? {} : {image}),
    ...(scratch === undefined ? {} : {scratch}),
    ...(sizeBytes === undefined ? {} : {sizeBytes}),
  }))
  const nics = applied(imported.nics, wanted.nics, (nic, {uncompared, forward}) => ({
    ...nic,
    ...(uncompared === undefined ? {} : {uncompared}),
    ...(forward === undefined ? {} : {forward}),
  }))
  return {vm: imported.vm, disks, nics}
}

function take(
  from: Field,
  {text, source}: DomainFile,
  {drop, nics}: {readonly drop: readonly string[]; readonly nics: readonly NicChange[]},
): DomainImport | undefined {
  const bridges = Object.fromEntries(nics.flatMap(({name, bridge}) => (bridge === undefined ? [] : [[name, bridge]])))
  try {
    const imported = importDomain(text, {source, drop, bridges, uncompared: 'drop'})
    for (const {place, value, why, final} of refusals(imported.findings)) {
      const what = value === undefined ? place : `${place} (${value})`
      refuse(from, `${what} ${why ?? 'is refused'}`, final === true ? undefined : `or leave it out: drop: ['${place}']`)
    }
    return imported
  } catch (error) {
    return refuse(from, error instanceof Error ? error.message : String(error))
  }
}

interface Named {
  readonly name: string
  readonly field: Field
}

interface DiskChange extends Named {
  readonly image: PerHost<string> | undefined
  readonly scratch: PerHost<string> | undefined
  readonly sizeBytes: number | undefined
}

interface NicChange extends Named {
  readonly bridge: PerHost<string> | undefined
  readonly uncompared: NicSpec['uncompared'] | undefined
  readonly forward: NicSpec['forward'] | undefined
}

function diskChange(hosts: KnownHosts): Reader<DiskChange> {
  return (field) => {
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    const name = fields.required('name', checked(parseFrom))
    const image = fields.maybe('image', perHost(checked(parseImagePath), hosts, 'every'))
    const scratch = fields.maybe('scratch', perHost(checked(parseDirectoryPath), hosts, 'some'))
    const sizeBytes = fields.maybe('size', sizeWithin({min: '1MiB', max: '64TiB'}, {bytes: 512, text: '512 bytes'}))
    fields.finish()
    return name === undefined ? undefined : {name, field, image, scratch, sizeBytes}
  }
}

function nicChange(hosts: KnownHosts): Reader<NicChange> {
  return (field) => {
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    const name = fields.required('name', checked(parseFrom))
    const bridge = fields.maybe('bridge', perHost(checked(parseInterfaceName), hosts, 'every'))
    const uncompared = fields.maybe('uncompared', oneOf(['drop', 'pass']))
    const forward = fields.maybe('forward', readForward(hosts))
    fields.finish()
    return name === undefined ? undefined : {name, field, bridge, uncompared, forward}
  }
}

function list<V>(read: Reader<V>): Reader<readonly V[]> {
  return (field) => asItems(field)?.flatMap((item) => read(item) ?? [])
}

/** Devices of the definition with what the file says of them; one the definition lacks is a problem. */
function applied<D extends {readonly name: string}, C extends Named>(
  devices: readonly D[],
  changes: readonly C[],
  apply: (device: D, change: C) => D,
): readonly D[] {
  const names = devices.map(({name}) => name)
  for (const {name, field} of changes) {
    if (!names.includes(name)) refuse(field, `the definition has no ${name}`, suggestion(name, names))
  }
  return devices.map((device) => {
    const change = changes.find(({name}) => name === device.name)
    return change === undefined ? device : apply(device, change)
  })
}

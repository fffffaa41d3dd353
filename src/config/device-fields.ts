import {
  bad,
  parseDirectoryPath,
  parseDiskName,
  parseFilePath,
  parseInterfaceName,
  parseMac,
  parseNicName,
  type Checked,
} from '../pair/names.js'
import type {DiskSpec, ForwardSpec, NicSpec} from '../pair/spec.js'
import {asItems, checked, MapFields, oneOf, refuse, wholeNumber, type Field, type Reader} from './fields.js'
import {perHost, type KnownHosts} from './per-host.js'
import {sizeWithin} from './quantities.js'

/** `disks:`, at least one. */
export function readDisks(hosts: KnownHosts): Reader<readonly DiskSpec[]> {
  return (field) => readList(field, readDisk(hosts), 'a pair needs at least one disk')
}

/** `nics:`, at least one. */
export function readNics(hosts: KnownHosts): Reader<readonly NicSpec[]> {
  return (field) =>
    readList(field, readNic(hosts), 'a pair needs at least one NIC: without one there is nothing to compare')
}

/** Undefined when any item has a problem, so that places and items stay in step for the checks across items. */
function readList<V>(field: Field, read: Reader<V>, whyEmpty: string): readonly V[] | undefined {
  const items = asItems(field)
  if (items === undefined) return undefined
  if (items.length === 0) return refuse(field, 'is empty', whyEmpty)
  const values = items.map((item) => read(item))
  return values.every((value) => value !== undefined) ? values : undefined
}

function readDisk(hosts: KnownHosts): Reader<DiskSpec> {
  return (field) => {
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    const name = fields.required('name', checked(parseDiskName))
    const image = fields.required('image', perHost(checked(parseImage), hosts, 'every'))
    const format = fields.optional('format', oneOf(['qcow2', 'raw']), 'qcow2')
    const sizeBytes = fields.required('size', sizeWithin({min: '1MiB', max: '64TiB'}, {bytes: 512, text: '512 bytes'}))
    const bus = fields.optional('bus', oneOf(['virtio', 'ide']), 'virtio')
    const scratch = fields.maybe('scratch', perHost(checked(parseDirectoryPath), hosts, 'some'))
    fields.finish()
    if (name === undefined || image === undefined || sizeBytes === undefined) return undefined
    return {name, image, format, sizeBytes, bus, ...(scratch === undefined ? {} : {scratch})}
  }
}

/** An image must not be named as overlays are: those are deleted and made anew. */
export function parseImage(text: string): Checked<string> {
  if (/\.(active|hidden)\.qcow2$/.test(text))
    return bad('has the name of an overlay', 'overlays are made anew: rename the image')
  return parseFilePath(text)
}

function readNic(hosts: KnownHosts): Reader<NicSpec> {
  return (field) => {
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    const name = fields.required('name', checked(parseNicName))
    const mac = fields.required('mac', checked(parseMac))
    const model = fields.optional('model', oneOf(['virtio', 'e1000', 'rtl8139']), 'virtio')
    const bridge = fields.required('bridge', perHost(checked(parseInterfaceName), hosts, 'every'))
    const uncompared = fields.optional('uncompared', oneOf(['drop', 'pass']), 'drop')
    const forward = fields.optional('forward', readForward(hosts), {via: 'socket'})
    fields.finish()
    if (name === undefined || mac === undefined || bridge === undefined) return undefined
    return {name, mac, model, bridge, uncompared, forward}
  }
}

/** `forward:` of one NIC. */
export function readForward(hosts: KnownHosts): Reader<ForwardSpec> {
  return (field) => {
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    const via = fields.required('via', oneOf(['socket', 'tc']))
    if (via === undefined) {
      fields.reportMissing()
      return undefined
    }
    if (via === 'socket') {
      for (const key of ['nic', 'vlan']) fields.refused(key, 'belongs to via: tc', 'remove it')
      fields.finish()
      return {via}
    }
    const nic = fields.required('nic', perHost(checked(parseInterfaceName), hosts, 'every'))
    const vlan = fields.maybe('vlan', wholeNumber({min: 1, max: 4094}))
    fields.finish()
    return nic === undefined ? undefined : {via, nic, ...(vlan === undefined ? {} : {vlan})}
  }
}

import {
  bad,
  parseDirectoryPath,
  parseDiskName,
  parseInterfaceName,
  parseMac,
  parseNicName,
  type Checked,
} from '../pair/names.js'
import type {DiskSpec, ForwardSpec, NicSpec, PairSpec, PerHost, VmSpec} from '../pair/spec.js'
import {parseImage} from './device-fields.js'
import {asItems, checked, MapFields, oneOf, refuse, wholeNumber, type Field, type Reader} from './fields.js'
import {perHost, type KnownHosts} from './per-host.js'
import {sizeWithin, timeWithin} from './quantities.js'
import {readKernel} from './vm-fields.js'

type Mode = PairSpec['mode']

/** `engine: xen`: one xl.cfg serves both sides, so whatever stands in it is the same on every host. */
const sameEverywhere = 'Xen sends its configuration to the other host: write one value for all hosts'

/** A pair's name becomes a domain that xl must not take for a number or for a receiving one. */
export function checkXenName(field: Field | undefined, name: string | undefined): void {
  if (field === undefined || name === undefined) return
  if (/^\d+$/.test(name)) refuse(field, `"${name}" is a number: xl takes it for a domain id`, 'add a letter')
  if (name.endsWith('--incoming')) refuse(field, `"${name}" ends as receiving domains do`, 'choose another name')
}

/** `vm:` of a Xen pair. */
export function readXenVm(mode: Mode): Reader<VmSpec> {
  return (field) => {
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    for (const key of ['machine', 'cpu', 'accel']) fields.refused(key, 'belongs to engine: qemu', 'remove it')
    for (const key of ['onPoweroff', 'onReboot', 'onCrash']) {
      fields.refused(key, 'cannot be chosen with engine: xen: a guest that ends is not started again', 'remove it')
    }
    const memoryBytes = fields.required(
      'memory',
      sizeWithin({min: '16MiB', max: '4TiB'}, {bytes: 1024 ** 2, text: '1MiB'}),
    )
    const vcpus = fields.optional('vcpus', wholeNumber({min: 1, max: 64}), 1)
    const hvmOnly = {pvh: 'COLO is for hvm guests; mode: checkpoint takes pvh'}
    const type = fields.optional('type', mode === 'colo' ? oneOf(['hvm'], hvmOnly) : oneOf(['hvm', 'pvh']), 'hvm')
    const kernel = fields.maybe('kernel', readKernel)
    fields.finish()
    if (type === 'pvh' && kernel === undefined) {
      return refuse(field, 'has no kernel: a pvh guest has no firmware that boots a disk', 'add kernel: {image: ...}')
    }
    if (memoryBytes === undefined) return undefined
    return {
      memoryBytes,
      vcpus,
      machine: type,
      cpu: 'host',
      accel: 'auto',
      onPoweroff: 'stop',
      onReboot: 'stop',
      type,
      ...(kernel === undefined ? {} : {kernel}),
    }
  }
}

/** `disks:` of a Xen pair: COLO replicates exactly one, Remus none. */
export function readXenDisks(mode: Mode, hosts: KnownHosts): Reader<readonly DiskSpec[]> {
  return (field) => {
    const items = asItems(field)
    if (items === undefined) return undefined
    if (mode === 'checkpoint' && items.length > 0) {
      return refuse(
        field,
        'mode checkpoint replicates no disk: Remus wants DRBD with "protocol D", which no released DRBD has',
        'use mode: colo, or a guest without disks of its own',
      )
    }
    if (mode === 'colo' && items.length !== 1) {
      return refuse(field, `has ${items.length} items`, 'COLO on Xen replicates exactly one disk')
    }
    const disks = items.map((item) => readXenDisk(item, hosts))
    return disks.every((disk) => disk !== undefined) ? disks : undefined
  }
}

function readXenDisk(field: Field, hosts: KnownHosts): DiskSpec | undefined {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const name = fields.required('name', checked(parseDiskName))
  const image = fields.required('image', same(checked(plainPath(parseImage)), hosts))
  const format = fields.optional('format', oneOf(['qcow2', 'raw']), 'qcow2')
  const sizeBytes = fields.required('size', sizeWithin({min: '1MiB', max: '64TiB'}, {bytes: 512, text: '512 bytes'}))
  const bus = fields.optional('bus', oneOf(['ide'], {virtio: 'Xen replicates emulated IDE disks'}), 'ide')
  const scratch = fields.maybe('scratch', same(checked(plainPath(parseDirectoryPath)), hosts))
  fields.finish()
  if (name === undefined || image === undefined || sizeBytes === undefined) return undefined
  return {name, image, format, sizeBytes, bus, ...(scratch === undefined ? {} : {scratch})}
}

/** `nics:` of a Xen pair: COLO compares exactly one. */
export function readXenNics(mode: Mode, hosts: KnownHosts): Reader<readonly NicSpec[]> {
  return (field) => {
    const items = asItems(field)
    if (items === undefined) return undefined
    if (mode === 'colo' && items.length !== 1) {
      return refuse(field, `has ${items.length} items`, 'COLO on Xen compares exactly one NIC')
    }
    const nics = items.map((item) => readXenNic(item, mode, hosts))
    if (!nics.every((nic) => nic !== undefined)) return undefined
    for (const key of ['name', 'mac'] as const) {
      const values = nics.map((nic) => nic[key])
      if (new Set(values).size < values.length)
        return refuse(field, `has two NICs with one ${key}`, 'give each its own')
    }
    return nics
  }
}

function readXenNic(field: Field, mode: Mode, hosts: KnownHosts): NicSpec | undefined {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const name = fields.required('name', checked(parseNicName))
  const mac = fields.required('mac', checked(parseMac))
  const model = fields.optional(
    'model',
    oneOf(['e1000', 'rtl8139'], {virtio: 'Xen emulates e1000 or rtl8139'}),
    'e1000',
  )
  const bridge = fields.required('bridge', same(checked(parseInterfaceName), hosts))
  const drop = {drop: 'frames that cannot be compared (IPv6, VLAN tags, fragments) pass on Xen'}
  const uncompared =
    mode === 'colo'
      ? fields.required('uncompared', oneOf(['pass'], drop))
      : fields.optional('uncompared', oneOf(['pass'], {drop: 'mode checkpoint compares nothing'}), 'pass')
  const forward = fields.optional('forward', readXenForward(mode, hosts), {via: 'socket'})
  fields.finish()
  if (name === undefined || mac === undefined || bridge === undefined || uncompared === undefined) return undefined
  return {name, mac, model, bridge, uncompared, forward}
}

/** `via: socket` is Xen's userspace proxy, `via: tc` its kernel proxy on the named NIC. */
function readXenForward(mode: Mode, hosts: KnownHosts): Reader<ForwardSpec> {
  return (field) => {
    if (mode !== 'colo') return refuse(field, 'belongs to mode: colo', 'remove it')
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    const via = fields.required('via', oneOf(['socket', 'tc']))
    if (via !== 'tc') {
      fields.refused('nic', 'belongs to via: tc', 'remove it')
      fields.finish()
      return via === undefined ? undefined : {via}
    }
    fields.refused('vlan', 'is not known to the kernel proxy of Xen', 'name the VLAN interface itself as nic')
    const nic = fields.required('nic', same(checked(parseInterfaceName), hosts))
    fields.finish()
    return nic === undefined ? undefined : {via, nic}
  }
}

/** COLO on Xen checkpoints when answers differ and at least every 5 s, which cannot be set; Remus has an interval. */
export function readXenCheckpoint(mode: Mode): Reader<PairSpec['checkpoint']> {
  return (field) => {
    if (mode === 'colo') {
      return refuse(field, 'cannot be set: Xen checkpoints when answers differ, and at least every 5 s', 'remove it')
    }
    const fields = MapFields.of(field)
    if (fields === undefined) return undefined
    fields.refused('compareTimeout', 'belongs to mode: colo with engine: qemu', 'remove it')
    const intervalMs = fields.optional(
      'interval',
      timeWithin({min: '50ms', max: '60s'}),
      xenCheckpointDefaults.intervalMs,
    )
    fields.finish()
    return {intervalMs, compareTimeoutMs: xenCheckpointDefaults.compareTimeoutMs}
  }
}

export const xenCheckpointDefaults: PairSpec['checkpoint'] = {intervalMs: 1000, compareTimeoutMs: 3000}

/** A value that may not differ from host to host. */
function same<V>(read: Reader<V>, hosts: KnownHosts): Reader<PerHost<V>> {
  const readAny = perHost(read, hosts, 'every')
  return (field) => {
    const value = readAny(field)
    if (value === undefined || 'same' in value) return value
    return refuse(field, 'differs from host to host', sameEverywhere)
  }
}

/** Paths stand between single quotes and commas in xl.cfg, and xl reads `=` and blanks in its own way. */
function plainPath(parse: (text: string) => Checked<string>): (text: string) => Checked<string> {
  return (text) => {
    const wrong = /[^A-Za-z0-9/._+-]/.exec(text)
    if (wrong !== null)
      return bad(`contains ${JSON.stringify(wrong[0])}`, 'with engine: xen use letters, digits and / . _ - +')
    return parse(text)
  }
}

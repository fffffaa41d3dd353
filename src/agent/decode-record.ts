import * as v from 'valibot'
import {ColoError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import {parseHostName, parsePairName} from '../pair/names.js'
import {recordFormat, type Generation, type Origin, type PairRecord} from '../pair/record.js'
import {crashActions, type DiskDevice, type HostName, type PairName, type PairSpec, type PerHost} from '../pair/spec.js'
import {decode, integer, parseJson, path, port, word} from './decode.js'

/** The file was written by a newer release; it is neither used nor rewritten. Exit 1. */
export class NewerFormatError extends ColoError {
  constructor(file: string, format: number) {
    super(
      'newer-format',
      exitCodes.internal,
      `${file}: format ${format} is newer than this release reads (${recordFormat})`,
      {
        hint: 'install the release of colo that wrote it',
      },
    )
  }
}

export const pairName = v.custom<PairName>(
  (value) => typeof value === 'string' && parsePairName(value).ok,
  'the name of a pair',
)
export const hostName = v.custom<HostName>(
  (value) => typeof value === 'string' && parseHostName(value).ok,
  'the name of a host',
)

function perHost(value: v.GenericSchema<unknown, string>): v.GenericSchema<unknown, PerHost<string>> {
  return v.union([v.strictObject({same: value}), v.strictObject({byHost: v.record(v.string(), value)})])
}

const diskDevice = v.strictObject({
  serial: v.exactOptional(v.string()),
  bootIndex: v.exactOptional(integer(1)),
  address: v.exactOptional(
    v.union([
      v.strictObject({ideBus: integer(), ideUnit: integer()}),
      v.strictObject({
        bus: integer(),
        slot: integer(),
        function: integer(),
        multifunction: v.exactOptional(v.literal(true)),
      }),
    ]),
  ),
  cache: v.exactOptional(v.picklist(['none', 'writeback', 'writethrough', 'directsync'])),
  io: v.exactOptional(v.picklist(['native', 'threads', 'io_uring'])),
  discard: v.exactOptional(v.picklist(['unmap', 'ignore'])),
  detectZeroes: v.exactOptional(v.picklist(['on', 'off', 'unmap'])),
  queues: v.exactOptional(integer(1)),
  queueSize: v.exactOptional(integer(1)),
  logicalBlockSize: v.exactOptional(integer(1)),
  physicalBlockSize: v.exactOptional(integer(1)),
  rotationRate: v.exactOptional(integer()),
}) satisfies v.GenericSchema<unknown, DiskDevice>

export const specSchema = v.strictObject({
  apiVersion: v.literal('colo/v1'),
  name: pairName,
  engine: v.picklist(['qemu', 'xen']),
  mode: v.picklist(['colo', 'checkpoint']),
  hosts: v.strictObject({primary: hostName, secondary: hostName, spare: v.exactOptional(hostName)}),
  vm: v.strictObject({
    memoryBytes: integer(1),
    vcpus: integer(1),
    machine: word,
    cpu: word,
    accel: v.picklist(['auto', 'kvm', 'tcg']),
    onPoweroff: v.picklist(['stop', 'restart']),
    onReboot: v.picklist(['restart', 'stop']),
    onCrash: v.exactOptional(v.picklist(crashActions)),
    kernel: v.exactOptional(v.strictObject({image: path, initrd: v.exactOptional(path), cmdline: v.string()})),
    imported: v.exactOptional(
      v.strictObject({
        uuid: v.exactOptional(word),
        skeleton: v.string(),
        dropped: v.array(v.string()),
        files: v.array(path),
      }),
    ),
    type: v.exactOptional(v.picklist(['hvm', 'pvh'])),
  }),
  disks: v.array(
    v.strictObject({
      name: word,
      image: perHost(path),
      format: v.picklist(['qcow2', 'raw']),
      sizeBytes: integer(1),
      bus: v.picklist(['virtio', 'ide']),
      scratch: v.exactOptional(perHost(path)),
      device: v.exactOptional(diskDevice),
    }),
  ),
  nics: v.array(
    v.strictObject({
      name: word,
      mac: v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'a MAC address in lower case')),
      model: v.picklist(['virtio', 'e1000', 'rtl8139']),
      bridge: perHost(word),
      uncompared: v.picklist(['drop', 'pass']),
      forward: v.variant('via', [
        v.strictObject({via: v.literal('socket')}),
        v.strictObject({via: v.literal('tc'), nic: perHost(word), vlan: v.exactOptional(integer(1))}),
      ]),
    }),
  ),
  checkpoint: v.strictObject({intervalMs: integer(1), compareTimeoutMs: integer(1)}),
  arbiter: v.strictObject({kind: v.literal('manual')}),
  resync: v.picklist(['auto', 'manual']),
}) satisfies v.GenericSchema<unknown, PairSpec>

export const generationSchema = v.strictObject({
  epoch: integer(1),
  id: word,
  ancestors: v.array(word),
}) satisfies v.GenericSchema<unknown, Generation>

export const roleSchema = v.picklist(['primary', 'secondary'])

export const marksSchema = v.strictObject({
  stale: v.exactOptional(v.string()),
  incomplete: v.exactOptional(
    v.strictObject({
      why: v.picklist(['resync', 'commit']),
      detail: v.string(),
      disks: v.exactOptional(v.array(word)),
    }),
  ),
  notPromotable: v.exactOptional(v.string()),
  suspended: v.exactOptional(v.string()),
})

export const imageSchema = v.strictObject({
  disk: word,
  path,
  inode: word,
  device: word,
  sizeBytes: integer(),
  modifiedNs: v.exactOptional(word),
})

const originSchema = v.strictObject({
  domain: v.string(),
  uuid: word,
  host: word,
  xml: v.string(),
  autostart: v.boolean(),
}) satisfies v.GenericSchema<unknown, Origin>

export const recordSchema = v.strictObject({
  format: v.literal(recordFormat),
  uuid: word,
  spec: specSchema,
  host: word,
  peer: word,
  role: roleSchema,
  generation: generationSchema,
  alone: v.boolean(),
  wasProtected: v.boolean(),
  clean: v.boolean(),
  startAtBoot: v.exactOptional(v.boolean()),
  marks: marksSchema,
  ports: v.strictObject({
    migration: port,
    nbd: port,
    nics: v.array(v.strictObject({mirror: port, compare: port})),
    xen: v.exactOptional(v.strictObject({compareIn: port, compareOut: port, notify: port})),
  }),
  addresses: v.record(v.string(), word),
  beaconPorts: v.record(v.string(), port),
  beaconKey: v.pipe(v.string(), v.regex(/^([0-9a-f]{2})+$/, 'hex')),
  machine: word,
  accel: v.picklist(['kvm', 'tcg']),
  images: v.array(imageSchema),
  origin: v.exactOptional(originSchema),
  updatedAtMs: v.number(),
}) satisfies v.GenericSchema<unknown, PairRecord>

/**
 * Reads a record file.
 *
 * @throws {NewerFormatError} when a newer release wrote it
 * @throws {DecodeError} when it is broken; a broken record is never taken for an absent one
 */
export function decodeRecord(text: string, source: string): PairRecord {
  const value = parseJson(text, source)
  refuseNewer(value, source)
  return decode(recordSchema, value, source)
}

/** @throws {NewerFormatError} */
export function refuseNewer(value: unknown, source: string): void {
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
  if (typeof format === 'number' && format > recordFormat) throw new NewerFormatError(source, format)
}

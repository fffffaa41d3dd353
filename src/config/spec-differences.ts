import type {PairSpec, PerHost} from '../pair/spec.js'
import {pairObject} from './pair-document.js'

/** What stands in a field that has no fields of its own. */
export type Scalar = string | number | boolean | null

/** One field of a spec that is not as wanted, named as in the file: `checkpoint.interval`, `nics[net0].uncompared`. */
export interface SpecDifference {
  readonly field: string
  /** as written in a file; undefined: absent */
  readonly before: Scalar | undefined
  readonly after: Scalar | undefined
  /** `live`: while the guest runs; `stopped`: only while it does not; `fixed`: not for a pair that exists */
  readonly how: 'live' | 'stopped' | 'fixed'
}

const live =
  /^(checkpoint\.(interval|compareTimeout)|nics\[[^\]]*\]\.uncompared|vm\.on(Poweroff|Reboot|Crash)|resync|arbiter\..*|hosts\.spare)$/
const stopped = /^vm\.(memory|vcpus|cpu|kernel(\..*)?)$/
/** first placement only: where the copies are is not the spec's to say */
const placement = /^hosts\.(primary|secondary)$/

/**
 * What differs between the spec a pair has and the one a file asks for. Where the copies are does not count, nor what the file leaves to
 * the hosts (scratch), nor whether a value is written once or for each host.
 *
 * @param hosts  of the pair as it is
 */
export function specDifferences(before: PairSpec, after: PairSpec, hosts: readonly string[]): SpecDifference[] {
  const [was, wanted] = [before, withUnsaid(after, before)].map((spec) => flat(pairObject(canonical(spec, hosts))))
  const fields = [...new Set([...(was?.keys() ?? []), ...(wanted?.keys() ?? [])])]
  return fields
    .filter((field) => !placement.test(field) && was?.get(field) !== wanted?.get(field))
    .map((field) => ({field, before: was?.get(field), after: wanted?.get(field)}))
    .map((difference) => ({...difference, how: howOf(difference)}))
}

function howOf({field, before}: Omit<SpecDifference, 'how'>): SpecDifference['how'] {
  if (field === 'vm.onCrash' && before === undefined) return 'stopped' // the guest gets a panic device
  if (live.test(field)) return 'live'
  return stopped.test(field) ? 'stopped' : 'fixed'
}

/**
 * The record says where the scratch of each host is, and how large an image was; a file may leave both open. A pair that has no panic device
 * reports no panic.
 */
function withUnsaid(spec: PairSpec, known: PairSpec): PairSpec {
  const {onCrash, ...vm} = spec.vm
  const isUnsaid = onCrash === 'report' && known.vm.onCrash === undefined
  return {
    ...spec,
    vm: isUnsaid ? vm : spec.vm,
    disks: spec.disks.map((disk) => {
      const own = known.disks.find(({name}) => name === disk.name)
      if (own === undefined) return disk
      const sizeBytes = disk.sizeBytes === 0 ? own.sizeBytes : disk.sizeBytes
      const scratch = disk.scratch ?? own.scratch
      return {...disk, sizeBytes, ...(scratch === undefined ? {} : {scratch})}
    }),
  }
}

function canonical(spec: PairSpec, hosts: readonly string[]): PairSpec {
  const per = (value: PerHost<string>): PerHost<string> => perHostOf(value, hosts)
  return {
    ...spec,
    disks: spec.disks.map((disk) => ({
      ...disk,
      image: per(disk.image),
      ...(disk.scratch === undefined ? {} : {scratch: per(disk.scratch)}),
    })),
    nics: spec.nics.map((nic) => ({
      ...nic,
      bridge: per(nic.bridge),
      forward: nic.forward.via === 'tc' ? {...nic.forward, nic: per(nic.forward.nic)} : nic.forward,
    })),
  }
}

/** By host for exactly these hosts; hosts that the map does not name are left out. */
function perHostOf(value: PerHost<string>, hosts: readonly string[]): PerHost<string> {
  const entries = hosts.flatMap((host) => {
    const own = 'same' in value ? value.same : value.byHost[host]
    return own === undefined ? [] : [[host, own] as const]
  })
  return {byHost: Object.fromEntries(entries)}
}

/** `{a: {b: 1}, c: [{name: 'x', d: 2}]}` becomes `a.b` and `c[x].d`. */
function flat(value: unknown, at = ''): Map<string, Scalar> {
  if (Array.isArray(value)) {
    return new Map(value.flatMap((item: unknown, index) => [...flat(item, `${at}[${nameOf(item) ?? index}]`)]))
  }
  if (typeof value !== 'object' || value === null) return new Map([[at, value as Scalar]])
  return new Map(Object.entries(value).flatMap(([key, item]) => [...flat(item, at === '' ? key : `${at}.${key}`)]))
}

function nameOf(item: unknown): string | undefined {
  return typeof item === 'object' && item !== null && 'name' in item ? String(item.name) : undefined
}

/** The spec a pair gets: what may be changed from `after`, everything else as it is. */
export function withChanges(before: PairSpec, after: PairSpec, differences: readonly SpecDifference[]): PairSpec {
  if (differences.length === 0) return before
  const {onPoweroff, onReboot, memoryBytes, vcpus, cpu, kernel} = after.vm
  const {onCrash = before.vm.onCrash} = differences.some(({field}) => field === 'vm.onCrash') ? after.vm : {}
  const ends = {onPoweroff, onReboot, ...(onCrash === undefined ? {} : {onCrash})}
  const {kernel: _, ...vm} = before.vm
  const {spare: __, ...hosts} = before.hosts
  const {spare} = after.hosts
  return {
    ...before,
    hosts: {...hosts, ...(spare === undefined ? {} : {spare})},
    vm: {...vm, ...ends, memoryBytes, vcpus, cpu, ...(kernel === undefined ? {} : {kernel})},
    nics: before.nics.map((nic) => ({
      ...nic,
      uncompared: after.nics.find(({name}) => name === nic.name)?.uncompared ?? nic.uncompared,
    })),
    checkpoint: after.checkpoint,
    arbiter: after.arbiter,
    resync: after.resync,
  }
}

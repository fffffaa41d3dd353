import {Document} from 'yaml'

import type {DiskSpec, NicSpec, PairSpec, PerHost, VmSpec} from '../pair/spec.js'
import {formatSize, formatTime} from './units.js'

/** The canonical YAML of a spec: every field written out, in the order of docs/spec.md; `parsePairFile` reads it back. */
export function pairDocument(spec: PairSpec): string {
  return new Document(pairObject(spec), {aliasDuplicateObjects: false}).toString({lineWidth: 0})
}

/** The same as plain data: what `pairDocument` writes down. */
export function pairObject(spec: PairSpec): Readonly<Record<string, unknown>> {
  const {checkpoint} = spec
  return {
    apiVersion: spec.apiVersion,
    kind: 'Pair',
    name: spec.name,
    engine: spec.engine,
    mode: spec.mode,
    hosts: hosts(spec.hosts),
    vm: spec.engine === 'xen' ? xenVm(spec.vm) : vm(spec.vm),
    disks: spec.disks.map(disk),
    nics: spec.nics.map((each) => nic(spec.mode, each)),
    ...(spec.engine === 'xen' && spec.mode === 'colo'
      ? {}
      : {
          checkpoint: {
            interval: formatTime(checkpoint.intervalMs),
            ...(spec.engine === 'xen' ? {} : {compareTimeout: formatTime(checkpoint.compareTimeoutMs)}),
          },
        }),
    arbiter: spec.arbiter,
    resync: spec.resync,
  }
}

function hosts({primary, secondary, spare}: PairSpec['hosts']): object {
  return {primary, secondary, ...(spare === undefined ? {} : {spare})}
}

function vm({memoryBytes, vcpus, machine, cpu, accel, onPoweroff, onReboot, onCrash, kernel}: VmSpec): object {
  const memory = formatSize(memoryBytes)
  const ends = {onPoweroff, onReboot, ...(onCrash === undefined ? {} : {onCrash})}
  const boot = kernel === undefined ? {} : {kernel: kernelOf(kernel)}
  return {memory, vcpus, machine, cpu, accel, ...ends, ...boot}
}

function xenVm({memoryBytes, vcpus, type, kernel}: VmSpec): object {
  const boot = kernel === undefined ? {} : {kernel: kernelOf(kernel)}
  return {memory: formatSize(memoryBytes), vcpus, type, ...boot}
}

function kernelOf({image, initrd, cmdline}: NonNullable<VmSpec['kernel']>): object {
  return {image, ...(initrd === undefined ? {} : {initrd}), cmdline}
}

function disk({name, image, format, sizeBytes, bus, scratch}: DiskSpec): object {
  const overlays = scratch === undefined ? {} : {scratch: perHost(scratch)}
  return {name, image: perHost(image), format, size: formatSize(sizeBytes), bus, ...overlays}
}

function nic(mode: PairSpec['mode'], {name, mac, model, bridge, uncompared, forward}: NicSpec): object {
  const via = forward.via === 'tc' ? {...forward, nic: perHost(forward.nic)} : forward
  return {name, mac, model, bridge: perHost(bridge), uncompared, ...(mode === 'colo' ? {forward: via} : {})}
}

function perHost<V>(value: PerHost<V>): V | Readonly<Record<string, V>> {
  return 'same' in value ? value.same : value.byHost
}

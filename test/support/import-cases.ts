import {readFileSync, readdirSync} from 'node:fs'

import {importDomain, type DomainImport} from '../../src/libvirt/import.js'
import {pairOfImport} from '../../src/libvirt/import-pair.js'
import type {HostName, PairName, PerHost} from '../../src/pair/spec.js'
import type {MemberCase} from './member-cases.js'

/** What a user adds so that a definition can be imported; none: it cannot be. */
export interface ImportCase {
  readonly name: string
  readonly drop: readonly string[]
  readonly bridges?: Readonly<Record<string, PerHost<string>>>
  readonly importable: boolean
  /** pulled from `machine: q35` and the like, which a host resolves */
  readonly machine?: string
}

const given: Readonly<Record<string, Omit<ImportCase, 'name' | 'importable'>>> = {
  'virt-install': {drop: ['memballoon']},
  'virt-manager-spice': {
    drop: ['disk[2]', 'graphics', 'sound', 'audio', 'video', 'redirdev', 'memballoon', 'channel[2]'],
  },
  nova: {
    drop: ['cputune', 'iotune', 'disk[2]', 'driver/name', 'rx_queue_size', 'graphics', 'memballoon'],
  },
  proxmox: {drop: ['genid', 'graphics', 'watchdog']},
  ovirt: {
    drop: [
      ...['maxMemory', 'vcpu/@current', 'iothreads', 'cpu/feature', 'startupPolicy', 'source/seclabel', 'error_policy'],
      ...['iothread', 'controller/driver', 'interface/driver/name', 'queues', 'filterref', 'memballoon'],
    ],
  },
  'cloud-init': {drop: ['disk'], bridges: {net0: {byHost: {alpha: 'br0', beta: 'vmbr7'}}}, machine: 'pc-q35-11.0'},
  'windows-bios': {drop: ['graphics']},
  multiqueue: {
    drop: ['iothreads', 'iothread', 'interface[1]/driver/@name', 'queues', 'tx_queue_size', 'bandwidth', 'link/@state'],
  },
  virtiofs: {drop: ['memoryBacking', 'filesystem', 'vsock']},
  'direct-kernel': {drop: [], bridges: {'52:54:00:d0:01:15': {same: 'br1'}}},
  'pxe-first': {drop: []},
}

const directory = new URL('../fixtures/domains/', import.meta.url)

/** Definitions in the style of the tools that make them. */
export const importCases: readonly ImportCase[] = readdirSync(directory)
  .sort()
  .map((file) => {
    const name = file.replace(/\.xml$/, '')
    return {name, importable: name in given, ...(given[name] ?? {drop: []})}
  })

export function readFixture(name: string): string {
  return readFileSync(new URL(`${name}.xml`, directory), 'utf8')
}

/** @param words `plain`: as it is; `accepted`: with what the user drops and names */
export function importCase(each: ImportCase, words: 'plain' | 'accepted'): DomainImport {
  const {name, drop, bridges} = each
  const options = {source: `${name}.xml`, uncompared: 'drop'} as const
  if (words === 'plain') return importDomain(readFixture(name), {...options, drop: []})
  return importDomain(readFixture(name), {...options, drop, ...(bridges && {bridges})})
}

/** The pair of an importable definition, for the builder of members. */
export function memberCaseOf(each: ImportCase): MemberCase {
  const imported = importCase(each, 'accepted')
  const spec = pairOfImport(imported, {
    name: imported.name as PairName,
    hosts: {primary: 'alpha' as HostName, secondary: 'beta' as HostName},
    checkpoint: {intervalMs: 1000, compareTimeoutMs: 3000},
  })
  return {
    name: each.name,
    machine: each.machine ?? imported.vm.machine,
    spec: {...spec, disks: spec.disks.map((disk) => ({...disk, sizeBytes: 64 * 1024 ** 2}))},
    accel: imported.vm.accel === 'kvm' ? 'kvm' : 'tcg',
  }
}

import {readFileSync} from 'node:fs'
import type {HostFacts, QemuFacts} from '../../../src/host/facts.js'
import {readQemuProbe} from '../../../src/host/probe/qemu.js'
import type {HostEntry} from '../../../src/pair/inventory.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {HostName, PairName, PairSpec} from '../../../src/pair/spec.js'

const fixtures = new URL('../../fixtures/', import.meta.url)

export function fixture(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8')
}

export function probedQemu(version: '7.2.22' | '11.1.3'): Promise<QemuFacts> {
  return readQemuProbe('/usr/bin/qemu-system-x86_64', fixture(`host/qemu-${version}-probe.txt`))
}

export function entryOf(name: string, more: Partial<HostEntry> = {}): HostEntry {
  return {
    name: name as HostName,
    connection: {kind: 'local'},
    replication: name === 'alpha' ? '10.88.0.1' : '10.88.0.2',
    ports: {from: 9100, to: 9999},
    scratch: '/run/colo/scratch',
    images: '/var/lib/colo/images',
    bridges: ['br0'],
    forward: ['fwd0'],
    limits: {},
    ...more,
  }
}

const gib = 1024 ** 3

export const imagePath = '/var/lib/colo/images/web1.qcow2'

/** A host on which everything is right. */
export function factsOf(name: string, qemu: QemuFacts, more: Partial<HostFacts> = {}): HostFacts {
  const directory = {path: '/var/lib/colo/images', exists: true, memoryBacked: false, availableBytes: 100 * gib}
  const scratch = {path: '/run/colo/scratch', exists: true, memoryBacked: true, availableBytes: 4 * gib}
  return {
    host: name,
    atMs: 0,
    agentVersion: '0.1.0',
    kernel: '6.18',
    qemu,
    libvirt: {version: '11.3.0'},
    cpu: {model: 'AMD EPYC', count: 8},
    memory: {totalBytes: 64 * gib, availableBytes: 60 * gib},
    kvm: 'usable',
    addresses: [
      {dev: 'repl0', address: name === 'alpha' ? '10.88.0.1' : '10.88.0.2', up: true, mtu: 1500},
      {dev: 'fwd0', address: 'fe80::1', up: true, mtu: 1500},
    ],
    bridges: [{name: 'br0', up: true, stp: false, ports: ['up0']}],
    links: [{name: 'fwd0', kind: 'veth', carrier: true, mtu: 1500, master: undefined}],
    scratch,
    listening: [22],
    allotted: [],
    committedMemoryBytes: 0,
    images:
      name === 'alpha'
        ? [
            {
              path: imagePath,
              exists: true,
              format: 'qcow2',
              virtualSizeBytes: 20 * gib,
              inUse: false,
              snapshots: 0,
              directory,
            },
            {path: '/run/colo/scratch/x', exists: false, directory: scratch},
          ]
        : [
            {path: imagePath, exists: false, directory},
            {path: '/run/colo/scratch/x', exists: false, directory: scratch},
          ],
    tools: {virsh: true, 'qemu-img': true, nft: true, ip: true},
    nftNetdev: true,
    domains: ['other'],
    clock: {offsetMs: 5, uncertaintyMs: 2},
    ...more,
  }
}

export function specOf(more: Partial<PairSpec> = {}): PairSpec {
  return {
    apiVersion: 'colo/v1',
    name: 'web1' as PairName,
    engine: 'qemu',
    mode: 'colo',
    hosts: {primary: 'alpha' as HostName, secondary: 'beta' as HostName},
    vm: {
      memoryBytes: 2 * gib,
      vcpus: 2,
      machine: 'pc',
      cpu: 'qemu64',
      accel: 'auto',
      onPoweroff: 'stop',
      onReboot: 'restart',
    },
    disks: [{name: 'root', image: {same: imagePath}, format: 'qcow2', sizeBytes: 20 * gib, bus: 'virtio'}],
    nics: [
      {
        name: 'net0',
        mac: '52:54:00:12:34:56',
        model: 'virtio',
        bridge: {same: 'br0'},
        uncompared: 'drop',
        forward: {via: 'socket'},
      },
    ],
    checkpoint: {intervalMs: 1000, compareTimeoutMs: 3000},
    arbiter: {kind: 'manual'},
    resync: 'auto',
    ...more,
  }
}

/** A record as far as the preflight looks at it. */
export function recordOf(host: string, spec: PairSpec): PairRecord {
  return {
    format: 1,
    uuid: '00000000-0000-4000-8000-000000000000',
    spec,
    host,
    peer: host === 'alpha' ? 'beta' : 'alpha',
    role: host === 'alpha' ? 'primary' : 'secondary',
    generation: {epoch: 1, id: 'g1', ancestors: []},
    alone: false,
    wasProtected: true,
    clean: false,
    marks: {},
    ports: {migration: 9101, nbd: 9102, nics: [{mirror: 9103, compare: 9104}]},
    addresses: {alpha: '10.88.0.1', beta: '10.88.0.2'},
    beaconPorts: {alpha: 9100, beta: 9100},
    beaconKey: '00',
    machine: 'pc-i440fx-11.1',
    accel: 'kvm',
    images: [],
    updatedAtMs: 0,
  }
}

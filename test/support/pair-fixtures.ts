import type {MemberObservation, NicObservation} from '../../src/pair/observation.js'
import {firstGeneration} from '../../src/pair/generation.js'
import {layoutOf} from '../../src/pair/layout.js'
import {recordFormat, type PairRecord, type Role} from '../../src/pair/record.js'
import type {HostName, PairName, PairSpec} from '../../src/pair/spec.js'
import type {Seen} from '../../src/pair/status.js'

/** A two-disk, two-NIC pair on alpha and beta; every test starts from this and changes what it is about. */
export function specOf(change: Partial<PairSpec> = {}): PairSpec {
  return {
    apiVersion: 'colo/v1',
    name: 'web1' as PairName,
    engine: 'qemu',
    mode: 'colo',
    hosts: {primary: 'alpha' as HostName, secondary: 'beta' as HostName},
    vm: {
      memoryBytes: 128 * 1024 ** 2,
      vcpus: 1,
      machine: 'pc',
      cpu: 'qemu64',
      accel: 'auto',
      onPoweroff: 'stop',
      onReboot: 'restart',
    },
    disks: ['root', 'data'].map((name) => ({
      name,
      image: {same: `/var/lib/colo/images/web1-${name}.qcow2`},
      format: 'qcow2',
      sizeBytes: 64 * 1024 ** 2,
      bus: 'virtio',
      scratch: {same: '/run/colo/scratch'},
    })),
    nics: [
      {
        name: 'net0',
        mac: '52:54:00:00:00:10',
        model: 'virtio',
        bridge: {same: 'br0'},
        uncompared: 'drop',
        forward: {via: 'socket'},
      },
      {
        name: 'net1',
        mac: '52:54:00:00:00:11',
        model: 'e1000',
        bridge: {same: 'br1'},
        uncompared: 'drop',
        forward: {via: 'socket'},
      },
    ],
    checkpoint: {intervalMs: 1000, compareTimeoutMs: 3000},
    arbiter: {kind: 'manual'},
    resync: 'auto',
    ...change,
  }
}

/** Record of one side of a protected pair. */
export function recordOf(role: Role, change: Partial<PairRecord> = {}): PairRecord {
  const spec = change.spec ?? specOf()
  const [host, peer] = role === 'primary' ? ['alpha', 'beta'] : ['beta', 'alpha']
  return {
    format: recordFormat,
    uuid: '6d1f7a52-0000-4000-8000-000000000001',
    spec,
    host,
    peer,
    role,
    generation: firstGeneration('gen-1'),
    alone: false,
    wasProtected: true,
    clean: false,
    marks: {},
    ports: {migration: 9101, nbd: 9102, nics: spec.nics.map((_, i) => ({mirror: 9103 + 2 * i, compare: 9104 + 2 * i}))},
    addresses: {alpha: '10.88.0.1', beta: '10.88.0.2'},
    beaconPorts: {alpha: 9100, beta: 9100},
    beaconKey: '00'.repeat(32),
    machine: 'pc-i440fx-11.0',
    accel: 'tcg',
    images: [],
    updatedAtMs: 0,
    ...change,
  }
}

/** What the agent sees of a healthy member in lock-step, at time 1 000 000 ms. */
export function memberOf(role: Role, change: Partial<MemberObservation> = {}): MemberObservation {
  const record = 'record' in change ? change.record : recordOf(role)
  const spec = record?.spec ?? specOf()
  const layout = layoutOf(spec)
  const nics = layout.nics.map((nic): NicObservation => {
    const {objects, chardevs} = nic
    const object = (id: string, type: string) => ({
      id,
      type,
      on: type === 'colo-compare' ? undefined : true,
      vnetHdr: nic.vnetHdr,
    })
    const chardev = (id: string, frontendOpen = true) => ({id, connected: true, frontendOpen})
    return role === 'primary'
      ? {
          index: nic.index,
          tap: nic.tap,
          tapState: 'up',
          bridge: 'br0',
          tapFilter: true,
          objects: [
            object(objects.mirror, 'filter-mirror'),
            object(objects.release, 'filter-redirector'),
            object(objects.capture, 'filter-redirector'),
            object(objects.compare, 'colo-compare'),
          ],
          chardevs: [
            chardev(chardevs.mirrorLink),
            chardev(chardevs.compareLink),
            chardev(chardevs.captureServer),
            chardev(chardevs.captureClient),
            chardev(chardevs.releaseServer),
            chardev(chardevs.releaseClient),
          ],
        }
      : {
          index: nic.index,
          tap: nic.tap,
          tapState: 'down',
          bridge: 'br0',
          tapFilter: true,
          objects: [
            object(objects.inject, 'filter-redirector'),
            object(objects.divert, 'filter-redirector'),
            object(objects.rewriter, 'filter-rewriter'),
          ],
          chardevs: [chardev(chardevs.mirrorLink), chardev(chardevs.compareLink, false)],
        }
  })
  return {
    host: role === 'primary' ? 'alpha' : 'beta',
    atMs: 1_000_000,
    agent: {version: '0.1.0', startedAtMs: 0},
    record,
    lock: undefined,
    intent: undefined,
    domain: 'running',
    qmp: 'connected',
    vm: {status: 'running', coloMode: role, migration: 'colo', qemuVersion: '11.1.3'},
    nics,
    disks: layout.disks.map((disk, index) => ({
      index,
      quorum: true,
      children: role === 'primary' ? [disk.parent, disk.nbd] : [disk.replication],
      overlays: role === 'secondary',
      replication: 'connected',
      exported: role === 'secondary',
    })),
    checkpoints: {count: 3, lastAtMs: 999_500, lastPauseMs: 40, openForMs: undefined},
    latched: [],
    blindSince: undefined,
    peer: undefined,
    jobs: [],
    ...change,
  }
}

export function seen(...members: readonly MemberObservation[]): Seen[] {
  return members.map((member) => ({host: member.host, member}))
}

import {recordFormat, type PairRecord} from '../../src/pair/record.js'
import type {HostName, PairName, PairSpec} from '../../src/pair/spec.js'

export const sampleSpec: PairSpec = {
  apiVersion: 'colo/v1',
  name: 'web1' as PairName,
  engine: 'qemu',
  mode: 'colo',
  hosts: {primary: 'alpha' as HostName, secondary: 'beta' as HostName},
  vm: {
    memoryBytes: 134_217_728,
    vcpus: 1,
    machine: 'pc',
    cpu: 'qemu64',
    accel: 'auto',
    onPoweroff: 'stop',
    onReboot: 'restart',
    kernel: {image: '/boot/vmlinuz', cmdline: 'console=ttyS0'},
  },
  disks: [
    {
      name: 'root',
      image: {same: '/var/lib/colo/images/web1.qcow2'},
      format: 'qcow2',
      sizeBytes: 67_108_864,
      bus: 'virtio',
      scratch: {byHost: {alpha: '/run/colo/scratch', beta: '/run/colo/scratch'}},
    },
  ],
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
}

/** A record of pair web1 between alpha and beta. */
export function sampleRecord(change: Partial<PairRecord> = {}): PairRecord {
  return {
    format: recordFormat,
    uuid: '6a2c6f0e-6d3f-4f0f-8a1a-0c5c0f3c7d10',
    spec: sampleSpec,
    host: 'alpha',
    peer: 'beta',
    role: 'primary',
    generation: {epoch: 1, id: 'g1', ancestors: []},
    alone: false,
    wasProtected: true,
    clean: false,
    marks: {},
    ports: {migration: 9101, nbd: 9102, nics: [{mirror: 9103, compare: 9104}]},
    addresses: {alpha: '10.88.0.1', beta: '10.88.0.2'},
    beaconPorts: {alpha: 9100, beta: 9100},
    beaconKey: '00112233445566778899aabbccddeeff',
    machine: 'pc-i440fx-9.0',
    accel: 'tcg',
    images: [],
    updatedAtMs: 1,
    ...change,
  }
}

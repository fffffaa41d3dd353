import {readFileSync} from 'node:fs'

import {buildMemberXml, skeletonName, type MemberXmlInput} from '../../src/libvirt/member-xml.js'
import {layoutOf} from '../../src/pair/layout.js'
import type {Role} from '../../src/pair/record.js'
import type {DiskSpec, NicSpec, PairName, PairSpec} from '../../src/pair/spec.js'
import {recordOf, specOf} from './pair-fixtures.js'

/** Pairs whose domains are golden files, are validated by libvirt's schema and started on a real QEMU. */
export interface MemberCase {
  readonly name: string
  readonly machine: string
  readonly spec: PairSpec
  readonly reconnect?: 'ms' | 'seconds'
  readonly accel?: 'kvm' | 'tcg'
}

const disk = (name: string, change: Partial<DiskSpec> = {}): DiskSpec => ({
  name,
  image: {same: `/var/lib/colo/images/${name}.qcow2`},
  format: 'qcow2',
  sizeBytes: 64 * 1024 ** 2,
  bus: 'virtio',
  ...change,
})

const nic = (index: number, change: Partial<NicSpec> = {}): NicSpec => ({
  name: `net${index}`,
  mac: `52:54:00:00:00:${(0x10 + index).toString(16)}`,
  model: 'virtio',
  bridge: {same: `br${index}`},
  uncompared: 'drop',
  forward: {via: 'socket'},
  ...change,
})

const kernel = {image: '/boot/vmlinuz', initrd: '/boot/initrd.img', cmdline: 'console=ttyS0 root="a b" <&>'}

function caseOf(name: string, machine: string, change: Partial<PairSpec>, more: Partial<MemberCase> = {}): MemberCase {
  return {name, machine, spec: specOf({name: name as PairName, ...change}), ...more}
}

export const memberCases: readonly MemberCase[] = [
  caseOf(
    'one-e1000',
    'pc-i440fx-7.2',
    {disks: [disk('root')], nics: [nic(0, {model: 'e1000'})]},
    {reconnect: 'seconds'},
  ),
  caseOf('two-virtio', 'pc-i440fx-7.2', {
    disks: [disk('root'), disk('data', {format: 'raw', image: {same: '/srv/a,b "c".raw'}})],
    nics: [nic(0), nic(1)],
    vm: {...specOf().vm, vcpus: 2, kernel, onPoweroff: 'restart'},
  }),
  caseOf('ide', 'pc-i440fx-7.2', {
    disks: ['a', 'b', 'c', 'd'].map((name) => disk(name, {bus: 'ide'})),
    nics: [nic(0, {model: 'rtl8139'})],
    vm: {...specOf().vm, cpu: 'max', onReboot: 'stop', onCrash: 'restart'},
  }),
  caseOf(
    'q35',
    'pc-q35-7.2',
    {
      disks: [disk('root'), disk('sata', {bus: 'ide'}), disk('sata2', {bus: 'ide'})],
      nics: [nic(0), nic(1, {model: 'e1000'})],
      vm: {...specOf().vm, cpu: 'host-passthrough', memoryBytes: 96 * 1024 ** 2},
    },
    {accel: 'kvm'},
  ),
  caseOf('per-host', 'pc-i440fx-7.2', {
    disks: [
      disk('root', {
        image: {byHost: {alpha: '/srv/alpha.qcow2', beta: '/mnt/beta.qcow2'}},
        scratch: {byHost: {beta: '/dev/shm/beta'}},
      }),
    ],
    nics: [
      nic(0, {bridge: {byHost: {alpha: 'lan', beta: 'vmbr7'}}, forward: {via: 'tc', nic: {same: 'eth2'}}}),
      nic(1),
    ],
  }),
  caseOf('many-disks', 'pc-i440fx-7.2', {
    disks: Array.from({length: 15}, (_, index) => disk(`a-disk-with-a-long-name-${index}`)),
    nics: Array.from({length: 12}, (_, index) => nic(index)),
  }),
]

export function memberInput({spec, machine, reconnect = 'ms', accel = 'tcg'}: MemberCase, role: Role): MemberXmlInput {
  return {
    spec,
    layout: layoutOf(spec),
    record: recordOf(role, {spec, machine, accel}),
    role,
    host: role === 'primary' ? 'alpha' : 'beta',
    peer: role === 'primary' ? 'beta' : 'alpha',
    scratchRoot: '/run/colo/scratch',
    capabilities: {reconnect},
    template: readSkeleton(skeletonName(machine)),
  }
}

export function readSkeleton(name: string): string {
  return readFileSync(new URL(`../../templates/domain/${name}`, import.meta.url), 'utf8')
}

export function memberXml(each: MemberCase, role: Role): string {
  return buildMemberXml(memberInput(each, role))
}

export const roles = ['primary', 'secondary'] as const

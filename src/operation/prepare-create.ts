import {PreflightError} from '../errors.js'
import {allotPorts} from '../host/allot-ports.js'
import {chooseMachine} from '../host/choose-machine.js'
import {chooseAccel} from '../host/preflight.js'
import type {HostFacts} from '../host/facts.js'
import type {PairIdentity} from '../pair/identity.js'
import type {HostEntry} from '../pair/inventory.js'
import {onHost, type PairSpec} from '../pair/spec.js'

/** One side before the pair exists. */
export interface CandidateSide {
  readonly entry: HostEntry
  readonly facts: HostFacts
}

/** Random parts of an identity, made by the caller so that this stays pure. */
export interface FreshIds {
  readonly uuid: string
  /** 32 bytes, hex */
  readonly beaconKey: string
}

/**
 * Decides what a new pair gets from its hosts: ports, the common machine type, the accelerator, scratch directories.
 *
 * @throws {PreflightError} when the hosts have no ports or machine type in common
 */
export function identityFor(
  spec: PairSpec,
  {primary, secondary}: {readonly primary: CandidateSide; readonly secondary: CandidateSide},
  ids: FreshIds,
): PairIdentity {
  const sides = [primary, secondary] as const
  const ports = allotPorts([primary, secondary], spec)
  if ('problem' in ports) {
    throw new PreflightError('ports', `cannot create ${spec.name}: ${ports.problem}`, {
      hint: 'give the hosts a larger common range in hosts.yaml, or end pairs that are not needed',
    })
  }
  return {
    uuid: ids.uuid,
    spec: withScratch(spec, [primary.entry, secondary.entry]),
    ports: ports.ports,
    addresses: Object.fromEntries(sides.map(({entry}) => [entry.name, entry.replication])),
    beaconPorts: Object.fromEntries(sides.map(({entry}) => [entry.name, entry.ports.from])),
    beaconKey: ids.beaconKey,
    ...(spec.engine === 'xen'
      ? {machine: spec.vm.machine, accel: 'kvm' as const} // no emulation: Xen runs guests on the hardware
      : {
          machine: machineFor(spec, primary, secondary),
          accel: acceleratorFor(spec, primary.facts, secondary.facts),
        }),
  }
}

function machineFor(spec: PairSpec, primary: CandidateSide, secondary: CandidateSide): string {
  const none = {machines: []}
  const choice = chooseMachine(spec.vm.machine, primary.facts.qemu ?? none, secondary.facts.qemu ?? none)
  if ('machine' in choice) return choice.machine
  throw new PreflightError('machine', `cannot create ${spec.name}: ${choice.problem}`, {
    hint: 'set vm.machine to a type both hosts have: qemu-system-x86_64 -machine help',
  })
}

function acceleratorFor(spec: PairSpec, a: HostFacts, b: HostFacts): 'kvm' | 'tcg' {
  const choice = chooseAccel(spec.vm.accel, [a, b])
  if ('accel' in choice) return choice.accel
  // whoever creates has refused this already, unless it was forced
  return spec.vm.accel === 'kvm' ? 'kvm' : 'tcg'
}

/** The record names the scratch directory of every host, so that it does not depend on an inventory that changes later. */
export function withScratch(spec: PairSpec, entries: readonly HostEntry[]): PairSpec {
  return {
    ...spec,
    disks: spec.disks.map((disk) => ({
      ...disk,
      scratch: {
        byHost: Object.fromEntries(
          entries.map((entry) => [
            entry.name,
            (disk.scratch === undefined ? undefined : onHost(disk.scratch, entry.name)) ?? entry.scratch,
          ]),
        ),
      },
    })),
  }
}

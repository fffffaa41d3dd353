import type {PairSpec} from '../../pair/spec.js'
import {capabilitiesOf, ruleFor} from '../capabilities.js'
import {fail, failUnlessForced, pass, warn, type Check} from '../check.js'
import {chooseMachine} from '../choose-machine.js'
import type {HostFacts, QemuFacts} from '../facts.js'
import {parseVersion} from '../version.js'

const upgrade = 'install QEMU 11.1 or newer (Debian 13: trixie-backports), or 10.0.7 or newer with KVM'

/** The build has COLO, and its release is not one of the broken ones. */
export function checkQemu(facts: HostFacts): Check[] {
  const {host, qemu} = facts
  const about = {id: 'qemu', host}
  const problem = facts.problems?.find(({probe}) => probe === 'qemu')
  if (qemu === undefined && problem !== undefined) {
    return [
      fail(
        about,
        `QEMU is installed, but what it can do could not be asked: ${problem.message}`,
        problem.timedOut === true
          ? 'the host is busy: try again; if it stays so, see what loads it (`top`)'
          : 'try again; if it stays so, start it by hand: `qemu-system-x86_64 -M none -display none -qmp stdio </dev/null`',
      ),
    ]
  }
  if (qemu === undefined) {
    return [fail(about, 'QEMU is not installed', 'install it: `apt-get install qemu-system-x86 qemu-utils`')]
  }
  const {colo, reason, missing} = capabilitiesOf(qemu)
  const version = {id: 'qemu-version', host}
  switch (colo) {
    case 'absent':
      return [
        fail(
          {id: 'qemu-colo', host},
          `QEMU ${qemu.version} lacks ${missing.join(', ')}`,
          'use a QEMU built with replication (Debian builds have it)',
        ),
      ]
    case 'broken':
      return [failUnlessForced(version, `QEMU ${qemu.version}: ${reason} [${sourceOf(qemu)}]`, upgrade)]
    case 'untested':
      return [
        warn(
          version,
          `QEMU ${qemu.version}: ${reason} [${sourceOf(qemu)}]`,
          `test failover before you rely on it, or ${upgrade}`,
        ),
      ]
    case 'works':
      return [pass(version, `QEMU ${qemu.version} runs COLO`)]
  }
}

/** What the host can run guests with. */
export function checkAcceleration(facts: HostFacts): Check[] {
  const {host, kvm, qemu} = facts
  const about = {id: 'accelerator', host}
  if (kvm === 'usable') return [pass(about, 'KVM runs guests')]
  const why = kvm === 'absent' ? 'there is no /dev/kvm' : '/dev/kvm is there, but does not run a guest'
  if (qemu !== undefined && capabilitiesOf(qemu).tcg)
    return [warn(about, `${why}: TCG only, good for tests`, kvmRemedy)]
  return [
    fail(about, `${why}, and TCG deadlocks or loses memory under COLO before QEMU 11.1`, `${kvmRemedy}; or ${upgrade}`),
  ]
}

const kvmRemedy = 'switch on virtualisation in the firmware (or nested virtualisation), and load kvm_intel or kvm_amd'

/** Which accelerator both members run with, or why none will do. */
export type AccelChoice =
  {readonly accel: 'kvm' | 'tcg'} | {readonly problem: string; readonly host: string | undefined}

/** `auto` takes KVM when it runs guests on both hosts, else TCG; never a mixture. */
export function chooseAccel(wanted: PairSpec['vm']['accel'], sides: readonly [HostFacts, HostFacts]): AccelChoice {
  const without = sides.find(({kvm}) => kvm !== 'usable')
  if (wanted !== 'tcg' && without === undefined) return {accel: 'kvm'}
  if (wanted === 'kvm') return {problem: `KVM does not run guests on ${without?.host ?? '?'}`, host: without?.host}
  const old = sides.find(({qemu}) => qemu === undefined || !capabilitiesOf(qemu).tcg)
  if (old === undefined) return {accel: 'tcg'}
  const version = old.qemu === undefined ? 'no QEMU' : `QEMU ${old.qemu.version}`
  return {
    problem: `${wanted === 'auto' ? `KVM does not run guests on ${without?.host ?? '?'}, and ` : ''}${old.host} has ${version}: TCG deadlocks or loses memory under COLO before 11.1`,
    host: old.host,
  }
}

export function checkPairAcceleration(spec: PairSpec, sides: readonly [HostFacts, HostFacts]): Check[] {
  const choice = chooseAccel(spec.vm.accel, sides)
  const about = {id: 'accelerator'}
  // that it is missing, or does not answer, is a finding of its own
  if (sides.some(({qemu}) => qemu === undefined)) return []
  if ('problem' in choice) return [fail(about, choice.problem, `${kvmRemedy}; or ${upgrade}`)]
  if (choice.accel === 'kvm') return [pass(about, 'both members run with KVM')]
  return [
    spec.vm.accel === 'tcg'
      ? pass(about, 'both members run with TCG, as the spec says')
      : warn(about, 'both members run with TCG: KVM does not run guests on both hosts', kvmRemedy),
  ]
}

/** A versioned machine type that both hosts know, and that survives COLO. */
export function checkMachine(spec: PairSpec, sides: readonly [HostFacts, HostFacts]): Check[] {
  const [a, b] = [sides[0].qemu, sides[1].qemu]
  if (a === undefined || b === undefined) return []
  const about = {id: 'machine'}
  const choice = chooseMachine(spec.vm.machine, a, b)
  if ('problem' in choice) {
    return [
      fail(about, choice.problem, 'set vm.machine to one that `qemu-system-x86_64 -machine help` shows on both hosts'),
    ]
  }
  const old = sides.find(({qemu}) => qemu !== undefined && !capabilitiesOf(qemu).q35)
  if (choice.machine.includes('q35') && old !== undefined) {
    const message = `${choice.machine}: the secondary aborts at the first checkpoint with QEMU ${old.qemu?.version ?? '?'} on ${old.host} (q35 needs 11.0)`
    return [fail(about, message, 'set vm.machine to pc')]
  }
  return [pass(about, `machine type ${choice.machine}`)]
}

/** May be overridden: versioned machine types are made to migrate between releases. */
export function checkSameQemu(a: HostFacts, b: HostFacts): Check[] {
  if (a.qemu === undefined || b.qemu === undefined) return []
  const about = {id: 'same-qemu'}
  if (a.qemu.version === b.qemu.version) return [pass(about, `both hosts have QEMU ${a.qemu.version}`)]
  return [
    failUnlessForced(
      about,
      `${a.host} has QEMU ${a.qemu.version}, ${b.host} has ${b.qemu.version}`,
      'install the same version on both; for an upgrade with running pairs see the upgrade chapter of the manual',
    ),
  ]
}

/** The named CPU model of the spec hides most differences; passing the host's through does not. */
export function checkSameCpu(a: HostFacts, b: HostFacts, spec?: PairSpec): Check[] {
  const about = {id: 'same-cpu'}
  if (a.cpu.model === b.cpu.model) return [pass(about, `both hosts have ${a.cpu.model || 'the same CPU'}`)]
  const message = `${a.host} has ${a.cpu.model || 'an unknown CPU'}, ${b.host} has ${b.cpu.model || 'an unknown CPU'}`
  const passesThrough = spec !== undefined && /^(host|host-passthrough|host-model|max)$/.test(spec.vm.cpu)
  if (passesThrough) {
    return [
      failUnlessForced(
        about,
        `${message}, and vm.cpu is ${spec.vm.cpu}`,
        'set vm.cpu to a model that both have, such as qemu64',
      ),
    ]
  }
  return [warn(about, message, 'set vm.cpu to a model that both have, such as qemu64; answers may differ more often')]
}

/** More virtual than real CPUs make the two copies run unevenly. */
export function checkVcpus(spec: PairSpec, facts: HostFacts): Check[] {
  const about = {id: 'vcpus', host: facts.host}
  if (facts.cpu.count === 0 || spec.vm.vcpus <= facts.cpu.count) return []
  return [
    warn(
      about,
      `${spec.vm.vcpus} virtual CPUs on ${facts.cpu.count} real ones`,
      'lower vm.vcpus: copies that run at different speed answer differently',
    ),
  ]
}

function sourceOf(qemu: QemuFacts): string {
  return ruleFor(parseVersion(qemu.version) ?? [0, 0, 0]).source
}

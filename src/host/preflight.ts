import type {HostEntry} from '../pair/inventory.js'
import type {PairRecord} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import {fail, pass, type Check} from './check.js'
import {chooseMachine} from './choose-machine.js'
import type {HostFacts} from './facts.js'
import {checkXenHostAlone, checkXenPairOnHosts} from './preflight-xen.js'
import * as forwarding from './rules/forwarding.js'
import * as host from './rules/host.js'
import * as images from './rules/images.js'
import * as network from './rules/network.js'
import * as qemu from './rules/qemu.js'
import * as resources from './rules/resources.js'
import * as services from './rules/services.js'
import {checkSameXen, isXenHost, xenProblem} from './rules/xen.js'

export {blocking, worst, type Check} from './check.js'
export {hostPathsToProbe, pathsToProbe} from './rules/resources.js'
export {chooseAccel} from './rules/qemu.js'

/** Everything that can be said of one host alone. Pure. */
export function checkHost(told: HostFacts, entry: HostEntry): Check[] {
  if (isXenHost(told) || xenProblem(told) !== undefined) return checkXenHostAlone(told, entry)
  const facts = named(told, entry)
  return [
    ...services.checkHostName(told, entry),
    pass({id: 'agent', host: facts.host}, `colo ${facts.agentVersion} answers`),
    ...qemu.checkQemu(facts),
    ...qemu.checkAcceleration(facts),
    ...services.checkLibvirt(facts),
    ...services.checkTools(facts),
    ...network.checkReplicationAddress(facts, entry),
    ...network.checkInventoryBridges(facts, entry),
    ...network.checkInventoryForward(facts, entry),
    ...forwarding.checkForwarding(facts, entry),
    ...network.checkTapFilter(facts),
    ...host.checkHostMemory(facts, entry),
    ...resources.checkScratch(facts, entry),
    ...host.checkHostImages(facts, entry),
    ...host.checkHostPorts(facts, entry),
    ...services.checkProbes(facts),
  ]
}

/** Everything that two hosts must have in common. Pure. */
export function checkTwoHosts(a: HostFacts, b: HostFacts): Check[] {
  if ([a, b].some((facts) => isXenHost(facts) || xenProblem(facts) !== undefined)) {
    return [...services.checkSameAgent(a, b), ...checkSameXen(a, b), ...services.checkClocks(a, b)]
  }
  return [
    ...services.checkSameAgent(a, b),
    ...qemu.checkSameQemu(a, b),
    ...qemu.checkSameCpu(a, b),
    ...checkCommonMachine(a, b),
    ...services.checkClocks(a, b),
  ]
}

export interface PairCheckInput {
  readonly spec: PairSpec
  readonly entries: {readonly primary: HostEntry; readonly secondary: HostEntry}
  /** with `images` asked for by `pathsToProbe` */
  readonly facts: {readonly primary: HostFacts; readonly secondary: HostFacts}
  /** of all hosts that could be asked; they tell what is taken */
  readonly records: readonly PairRecord[]
  /** the user said that existing images of the secondary may be overwritten */
  readonly reuseSecondaryImages?: boolean
  /** the plain domain on the primary's host that the pair takes the place of */
  readonly adopts?: {readonly domain: string; readonly running: boolean}
}

/** Everything that must hold before a pair is created: both hosts, both together, and the spec against them. Pure. */
export function checkPair(input: PairCheckInput): Check[] {
  const {spec, entries, records} = input
  if (spec.engine === 'xen') return checkXenPairOnHosts(input)
  const primary = named(input.facts.primary, entries.primary)
  const secondary = named(input.facts.secondary, entries.secondary)
  const both = [primary, secondary] as const
  const sides = [
    {role: 'primary', facts: primary, entry: entries.primary},
    {role: 'secondary', facts: secondary, entry: entries.secondary},
  ] as const
  return [
    ...checkEngine(spec),
    ...services.checkHostName(input.facts.primary, entries.primary),
    ...services.checkHostName(input.facts.secondary, entries.secondary),
    ...services.checkPairName(spec, records),
    ...sides.flatMap(({role, facts, entry}) => [
      ...qemu.checkQemu(facts),
      ...services.checkLibvirt(facts),
      ...services.checkTools(facts),
      ...services.checkDomainName(spec, facts, role === 'primary' ? input.adopts?.domain : undefined),
      ...network.checkReplicationAddress(facts, entry),
      ...network.checkPairBridges(spec, facts),
      ...network.checkPairForward(spec, facts),
      ...forwarding.checkPairForwarding(spec, facts, records),
      ...network.checkTapFilter(facts, spec),
      ...resources.checkMemory(spec, role, facts, entry),
      ...resources.checkPairLimit(spec, records, entry),
      ...resources.checkPairScratch(spec, role, facts, entry),
      ...qemu.checkVcpus(spec, facts),
      ...images.checkKernelFiles(spec, facts),
      ...services.checkProbes(facts),
    ]),
    ...images.checkPrimaryImages(spec, primary, {records, runs: input.adopts?.running ?? false}),
    ...images.checkSecondaryImages(spec, secondary, {records, reuse: input.reuseSecondaryImages ?? false}),
    ...services.checkSameAgent(primary, secondary),
    ...qemu.checkSameQemu(primary, secondary),
    ...qemu.checkSameCpu(primary, secondary, spec),
    ...qemu.checkPairAcceleration(spec, both),
    ...qemu.checkMachine(spec, both),
    ...services.checkClocks(primary, secondary),
    ...network.checkPorts(spec, sides),
    ...network.checkMacs(spec, records),
  ]
}

/** Rules look things up by the inventory's name, whatever the agent calls itself. */
function named(facts: HostFacts, entry: HostEntry): HostFacts {
  return {...facts, host: entry.name}
}

function checkCommonMachine(a: HostFacts, b: HostFacts): Check[] {
  if (a.qemu === undefined || b.qemu === undefined) return []
  const about = {id: 'machine'}
  const choice = chooseMachine('pc', a.qemu, b.qemu)
  if ('machine' in choice) return [pass(about, `newest machine type of both: ${choice.machine}`)]
  return [fail(about, choice.problem, 'install the same QEMU on both hosts')]
}

function checkEngine({mode}: PairSpec): Check[] {
  const about = {id: 'engine'}
  if (mode === 'checkpoint') return [fail(about, 'mode checkpoint cannot be run yet', 'set `mode: colo`')]
  return []
}

import type {HostEntry} from '../pair/inventory.js'
import type {PairRecord} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import {pass, type Check} from './check.js'
import type {HostFacts} from './facts.js'
import * as host from './rules/host.js'
import * as network from './rules/network.js'
import * as resources from './rules/resources.js'
import * as services from './rules/services.js'
import * as xen from './rules/xen.js'

/** What the rules of two hosts need to know of a pair. */
interface PairOnHosts {
  readonly spec: PairSpec
  readonly entries: {readonly primary: HostEntry; readonly secondary: HostEntry}
  readonly facts: {readonly primary: HostFacts; readonly secondary: HostFacts}
  readonly records: readonly PairRecord[]
}

/** As `checkHost`, for a dom0: libvirt and KVM mean nothing there. Pure. */
export function checkXenHostAlone(told: HostFacts, entry: HostEntry): Check[] {
  const facts = {...told, host: entry.name}
  return [
    ...services.checkHostName(told, entry),
    pass({id: 'agent', host: facts.host}, `colo ${facts.agentVersion} answers`),
    ...xen.checkXenHost(facts),
    ...network.checkReplicationAddress(facts, entry),
    ...network.checkInventoryBridges(facts, entry),
    ...network.checkInventoryForward(facts, entry),
    ...host.checkHostPorts(facts, entry),
    ...services.checkProbes(facts),
  ]
}

/** As `checkPair`, for a spec with `engine: xen`. Pure. */
export function checkXenPairOnHosts({spec, entries, facts, records}: PairOnHosts): Check[] {
  const primary = {...facts.primary, host: entries.primary.name}
  const secondary = {...facts.secondary, host: entries.secondary.name}
  const sides = [
    {facts: primary, entry: entries.primary},
    {facts: secondary, entry: entries.secondary},
  ] as const
  return [
    ...services.checkHostName(facts.primary, entries.primary),
    ...services.checkHostName(facts.secondary, entries.secondary),
    ...services.checkPairName(spec, records),
    ...sides.flatMap((side) => [
      ...xen.checkXenPair(spec, side.facts),
      ...network.checkReplicationAddress(side.facts, side.entry),
      ...network.checkPairBridges(spec, side.facts),
      ...resources.checkPairLimit(spec, records, side.entry),
      ...services.checkProbes(side.facts),
    ]),
    ...xen.checkSameXen(primary, secondary),
    ...services.checkSameAgent(primary, secondary),
    ...services.checkClocks(primary, secondary),
    ...network.checkPorts(spec, sides),
    ...network.checkMacs(spec, records),
  ]
}

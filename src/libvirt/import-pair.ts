import type {HostName, PairName, PairSpec} from '../pair/spec.js'
import type {DomainImport} from './import.js'
import type {Finding} from './import-sieve.js'

/** What a definition does not say of a pair. */
export interface PairFrame {
  readonly name: PairName
  readonly hosts: {readonly primary: HostName; readonly secondary: HostName; readonly spare?: HostName}
  readonly checkpoint: PairSpec['checkpoint']
}

/** The spec of a pair made from a definition; sizes of disks are still those of the images, see `DiskSpec.sizeBytes`. */
export function pairOfImport({vm, disks, nics}: DomainImport, {name, hosts, checkpoint}: PairFrame): PairSpec {
  return {
    apiVersion: 'colo/v1',
    name,
    engine: 'qemu',
    mode: 'colo',
    hosts,
    vm,
    disks,
    nics,
    checkpoint,
    arbiter: {kind: 'manual'},
    resync: 'auto',
  }
}

/** What is still in the way: refused, and not dropped by name. */
export function refusals(findings: readonly Finding[]): Finding[] {
  return findings.filter(({outcome}) => outcome === 'refused')
}

/** One refusal as a sentence, with the word that accepts it. */
export function refusalText({place, value, why, final}: Finding): string {
  const what = value === undefined ? place : `${place} (${value})`
  return `${what}: ${why ?? 'refused'}${final === true ? '' : `; --drop '${place}' leaves it out`}`
}

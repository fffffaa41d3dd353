import type {HostEntry} from '../pair/inventory.js'
import type {PairPorts} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import type {HostFacts} from './facts.js'

export type PortChoice = {readonly ports: PairPorts} | {readonly problem: string}

/** What decides how many ports a pair needs. */
export type PortUser = Pick<PairSpec, 'nics'> & Partial<Pick<PairSpec, 'engine' | 'mode'>>

/** One side of the search. */
export interface PortSide {
  readonly entry: Pick<HostEntry, 'name' | 'ports'>
  readonly facts: Pick<HostFacts, 'listening' | 'allotted'>
}

/**
 * Ports of a pair: the lowest block that both hosts' ranges contain and that is free on both, so that roles can be
 * exchanged. Migration, NBD, then mirror and compare of each NIC. The first port of each range is the agents' beacon.
 *
 * Ports that records hold count as taken also while nobody listens: the pair may be stopped.
 */
export function allotPorts(sides: readonly [PortSide, PortSide], spec: Pick<PairSpec, 'name'> & PortUser): PortChoice {
  const count = portsNeeded(spec)
  const from = Math.max(...sides.map(({entry}) => entry.ports.from + 1))
  const to = Math.min(...sides.map(({entry}) => entry.ports.to))
  const names = sides.map(({entry}) => `${entry.name} ${entry.ports.from}-${entry.ports.to}`).join(', ')
  if (to < from) return {problem: `the port ranges have nothing in common (${names})`}
  const taken = new Set(sides.flatMap(({facts}) => takenPorts(facts, spec.name)))
  for (let first = from; first + count - 1 <= to; first++) {
    const block = Array.from({length: count}, (_, index) => first + index)
    const last = block.filter((port) => taken.has(port)).at(-1)
    if (last === undefined) return {ports: portsFrom(first, spec)}
    first = last
  }
  return {
    problem: `no ${count} free ports in a row in ${from}-${to} (${names}; the first of each range is the beacon's)`,
  }
}

/** Two for the pair and two for each NIC; three more on loopback for Xen's userspace proxy. */
export function portsNeeded(spec: PortUser): number {
  return 2 + 2 * spec.nics.length + (hasXenProxy(spec) ? 3 : 0)
}

function takenPorts(facts: PortSide['facts'], pair: string): number[] {
  return [...facts.listening, ...facts.allotted.filter((held) => held.pair !== pair).flatMap((held) => held.ports)]
}

function hasXenProxy({engine, mode, nics}: PortUser): boolean {
  return engine === 'xen' && mode === 'colo' && nics.every(({forward}) => forward.via === 'socket')
}

function portsFrom(first: number, spec: PortUser): PairPorts {
  const next = first + 2 + 2 * spec.nics.length
  return {
    ...(hasXenProxy(spec) ? {xen: {compareIn: next, compareOut: next + 1, notify: next + 2}} : {}),
    migration: first,
    nbd: first + 1,
    nics: spec.nics.map((_, index) => ({mirror: first + 2 + 2 * index, compare: first + 3 + 2 * index})),
  }
}

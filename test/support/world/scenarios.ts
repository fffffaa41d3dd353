import {probedQemu} from '../../unit/host/samples.js'
import {Operator} from './operator.js'
import {followRemedies, type Goal} from './recover.js'
import {gist, Violation, World, type Fault} from './world.js'

/** An operation, and the state of the world in which it is begun. */
export interface Scenario {
  readonly name: string
  /** command lines and faults that lead to it; `power-on`: everything is switched on again */
  readonly before: ReadonlyArray<string | Fault>
  readonly line: string
  readonly goal: Goal
  /** faults of this kind are left out, and why */
  readonly pending?: {readonly kinds: ReadonlyArray<Fault['kind']>; readonly why: string}
}

const created = ['create web1 -f FILE'] as const
const failedOver = [...created, 'failover web1 --to beta', 'wait'] as const
const off = (host: string): Fault => ({kind: 'power', host})
const dead = (host: string): Fault => ({kind: 'qemu', host})

/** Every plan, from each of the states that make another plan of it. */
export const scenarios: readonly Scenario[] = [
  {name: 'create', before: [], line: 'create web1 -f FILE', goal: 'protected'},
  {name: 'planned failover', before: created, line: 'failover web1', goal: 'protected'},
  {
    name: 'failover, primary dead',
    before: [...created, dead('alpha')],
    line: 'failover web1',
    goal: 'protected',
  },
  {
    name: 'failover, primary without power',
    before: [...created, off('alpha')],
    line: 'failover web1 --force peer-unknown',
    goal: 'protected',
  },
  {
    name: 'failover to the primary, secondary dead',
    before: [...created, dead('beta')],
    line: 'failover web1',
    goal: 'protected',
  },
  {name: 'resync', before: failedOver, line: 'resync web1', goal: 'protected'},
  {name: 'resync, still in lock-step', before: [...created, dead('beta')], line: 'resync web1', goal: 'protected'},
  {
    name: 'start, both without power',
    before: [...created, off('alpha'), off('beta'), 'power-on'],
    line: 'start web1',
    goal: 'protected',
  },
  {
    name: 'start, commit interrupted',
    before: [...created, dead('alpha'), 'failover web1', dead('beta')],
    line: 'start web1',
    goal: 'protected',
  },
  {name: 'destroy', before: created, line: 'destroy web1', goal: 'gone'},
]

/** What can strike, with two hosts. */
export const faults: readonly Fault[] = [
  {kind: 'command'},
  {kind: 'interrupt'},
  ...['alpha', 'beta'].flatMap((host): Fault[] =>
    (['agent', 'agent-late', 'qemu', 'power'] as const).map((kind) => ({kind, host})),
  ),
]

const qemuFacts = probedQemu('11.1.3')

/** A world in which the scenario is about to begin. */
export async function prepared(scenario: Scenario, seed: number): Promise<Operator> {
  const world = new World({seed, qemuFacts: await qemuFacts})
  world.host('alpha').files.image = [0, 0]
  const operator = new Operator(world)
  for (const each of scenario.before) {
    if (each === 'power-on') await world.repairHosts()
    else if (typeof each === 'string') {
      const {error} = await operator.run(each)
      if (error !== undefined) throw new Error(`${scenario.name}: ${each} failed`, {cause: error})
    } else await world.apply(each)
  }
  return operator
}

/** What may strike this scenario. */
export function faultsOf({pending}: Scenario): readonly Fault[] {
  return faults.filter(({kind}) => pending?.kinds.includes(kind) !== true)
}

/** How many places there are at which a fault can strike. */
export async function placesIn(scenario: Scenario): Promise<number> {
  const operator = await prepared(scenario, 1)
  const before = operator.world.trace.length
  const {error} = await operator.run(scenario.line)
  if (error !== undefined) throw error
  return operator.world.trace.length - before
}

/** One run: a fault strikes at a place of the operation, then the person follows what `status` prints until all is well. */
export async function runStruck(
  scenario: Scenario,
  {at, fault, seed}: {readonly at: number; readonly fault: Fault; readonly seed: number},
): Promise<void> {
  const operator = await prepared(scenario, seed)
  const {world} = operator
  const from = world.trace.length
  try {
    await operator.run(scenario.line, {at, fault})
    await world.repairHosts()
    const again = seed % 2 === 0 || scenario.goal === 'gone'
    await followRemedies(operator, scenario.goal, again ? [scenario.line] : [])
  } catch (error) {
    const where = `${scenario.name}, ${JSON.stringify({at, fault, seed})}`
    const trace = world.trace.slice(from).join('\n    ')
    const hosts = world.hosts.map((host) => JSON.stringify(gist(host))).join('\n  ')
    const told = error instanceof Violation ? error.message : ((error as Error).stack ?? String(error))
    throw new Error(`${where}: ${told}\n  ${operator.log.join('\n  ')}\n  ${hosts}\n    ${trace}`, {cause: error})
  }
}

import type {PairSpec} from '../../../src/pair/spec.js'
import {probedQemu} from '../../unit/host/samples.js'
import {Operator} from './operator.js'
import {plainDomain} from './plain.js'
import {leftovers} from './leftovers.js'
import {followRemedies, type Goal} from './recover.js'
import {gist, Violation, World, type Fault} from './world.js'

/** What leads to the state in which an operation is begun: a command line, a fault, or something outside of colo. */
type Before =
  | string
  | Fault
  /** everything is switched on again, or one host */
  | {readonly kind: 'power-on'; readonly host?: string}
  /** a person says that what only the lost copy had is lost */
  | {readonly kind: 'accept-loss'}
  /** the person's file says something else from now on */
  | {readonly kind: 'edit'; readonly change: (spec: PairSpec) => PairSpec}
  /** somebody flushed the rules of a host */
  | {readonly kind: 'rules-lost'; readonly host: string}
  /** a libvirt domain that is no pair runs on a host */
  | {readonly kind: 'plain'; readonly host: string}
  /** what this copy answers from now on is given up */
  | {readonly kind: 'give-up'; readonly host: string}

/** An operation, and the state of the world in which it is begun. */
export interface Scenario {
  readonly name: string
  readonly before: readonly Before[]
  readonly line: string
  readonly goal: Goal
  /** where all was taken back, or nothing was begun: from there the line is run again, and must come to the goal */
  readonly undone?: readonly Goal[]
  /** at the goal the line can be run once more, or the one that is told: it succeeds and leaves the goal as it is */
  readonly again?: true | ((world: World) => string)
  /** hosts of the inventory; alpha and beta unless told */
  readonly hosts?: readonly string[]
  /** what must hold in the end; an error says why not */
  readonly holds?: (world: World) => void
  /** faults of this kind are left out, and why */
  readonly pending?: {readonly kinds: ReadonlyArray<Fault['kind']>; readonly why: string}
}

const created = ['create web1 -f FILE'] as const
const imported = 'create web1 --from-domain vm1 --secondary beta'
const failedOver = [...created, 'failover web1 --to beta', 'wait'] as const
const off = (host: string): Fault => ({kind: 'power', host})
const dead = (host: string): Fault => ({kind: 'qemu', host})
const on = {kind: 'power-on'} as const satisfies Before
const three = ['alpha', 'beta', 'gamma'] as const
/** beta went on after alpha's host had failed, then alpha alone without beta's knowledge */
const split = [
  ...created,
  off('alpha'),
  'failover web1 --force peer-unknown',
  'wait',
  off('beta'),
  {kind: 'power-on', host: 'alpha'},
] as const
const slower = (spec: PairSpec): PairSpec => ({
  ...spec,
  nics: spec.nics.map((nic) => ({...nic, uncompared: 'pass'})),
  checkpoint: {intervalMs: 2000, compareTimeoutMs: 5000},
})

/** Every plan, from each of the states that make another plan of it. */
export const scenarios: readonly Scenario[] = [
  {name: 'create', before: [], line: 'create web1 -f FILE', goal: 'protected'},
  {
    name: 'create from a running domain',
    before: [{kind: 'plain', host: 'alpha'}],
    line: imported,
    goal: 'protected',
    undone: ['gone'],
    holds: ({hosts}) => {
      if (hosts.some(({plain}) => plain !== undefined)) throw new Error('libvirt has the plain domain still')
    },
  },
  {
    name: 'destroy, imported',
    before: [{kind: 'plain', host: 'alpha'}, imported],
    line: 'destroy web1',
    goal: 'gone',
    holds: (world) => {
      if (world.host('alpha').plain === undefined) throw new Error('the plain domain was not given back')
    },
  },
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
  {name: 'test-failover', before: created, line: 'test-failover web1', goal: 'protected'},
  {name: 'resync', before: failedOver, line: 'resync web1', goal: 'protected', again: true},
  {
    name: 'resync, still in lock-step',
    before: [...created, dead('beta')],
    line: 'resync web1',
    goal: 'protected',
    again: true,
  },
  {name: 'stop', before: created, line: 'stop web1', goal: 'stopped', undone: ['protected'], again: true},
  {
    name: 'stop, roles swapped',
    before: [...failedOver, 'resync web1'],
    line: 'stop web1',
    goal: 'stopped',
    undone: ['protected'],
    again: true,
  },
  {
    name: 'stop, power cut',
    before: created,
    line: 'stop web1 --force power-cut',
    goal: 'stopped',
    undone: ['protected'],
    again: true,
  },
  {name: 'stop, one copy', before: failedOver, line: 'stop web1', goal: 'stopped', undone: ['protected'], again: true},
  {
    name: 'start of two equal copies',
    before: [...created, 'stop web1'],
    line: 'start web1',
    goal: 'protected',
    undone: ['stopped'],
    again: true,
  },
  {
    name: 'start of two equal copies, roles swapped',
    before: [...created, 'stop web1'],
    line: 'start web1 --on beta',
    goal: 'protected',
    undone: ['stopped'],
    again: () => 'start web1', // the remedies may have started the other one as the primary
  },
  {
    name: 'start --alone',
    before: [...created, 'stop web1', off('beta')],
    line: 'start web1 --alone alpha',
    goal: 'protected',
    undone: ['stopped'],
  },
  {
    name: 'start, both without power',
    before: [...created, off('alpha'), off('beta'), on],
    line: 'start web1',
    goal: 'protected',
  },
  {
    name: 'start, commit interrupted',
    before: [...created, dead('alpha'), 'failover web1', dead('beta')],
    line: 'start web1',
    goal: 'protected',
  },
  {
    name: 'suspend',
    before: created,
    line: 'suspend web1',
    goal: 'suspended',
    undone: ['protected'],
    again: true,
  },
  {
    name: 'resume',
    before: [...created, 'suspend web1'],
    line: 'resume web1',
    goal: 'protected',
    undone: ['suspended'],
    again: true,
  },
  {
    name: 'disk clean',
    before: [...created, 'suspend web1'],
    line: 'disk clean web1',
    goal: 'suspended',
    again: true,
    holds: noOverlays,
  },
  {
    name: 'replace, secondary alive',
    before: created,
    line: 'replace web1 --secondary gamma',
    hosts: three,
    goal: 'protected',
    again: settledOnGamma,
    holds: onGamma,
  },
  {
    name: 'replace, secondary dead',
    before: [...created, off('beta')],
    line: 'replace web1 --secondary gamma --force peer-unknown',
    hosts: three,
    goal: 'protected',
    again: settledOnGamma,
    holds: onGamma,
  },
  {
    name: 'replace after a failover',
    before: failedOver,
    line: 'replace web1 --secondary gamma',
    hosts: three,
    goal: 'protected',
    again: settledOnGamma,
    holds: onGamma,
  },
  {
    name: 'repair',
    before: [...created, {kind: 'rules-lost', host: 'beta'}],
    line: 'status web1 --repair',
    goal: 'protected',
    again: true,
  },
  {
    name: 'apply',
    before: [...created, {kind: 'edit', change: slower}],
    line: 'apply web1 -f FILE',
    goal: 'protected',
    again: true,
    holds: bothSayTheSame,
  },
  {
    name: 'apply --move',
    before: [...failedOver, 'resync web1'],
    line: 'apply web1 -f FILE --move',
    goal: 'protected',
    again: true,
  },
  {
    name: 'resolve, discarding the copy that does not run',
    before: [...split, {kind: 'accept-loss'}, 'start web1 --alone alpha', on],
    line: 'resolve web1 --discard beta',
    goal: 'protected',
  },
  {
    name: 'resolve, discarding the copy that runs',
    before: [...split, {kind: 'give-up', host: 'alpha'}, 'start web1 --alone alpha', on],
    line: 'resolve web1 --discard alpha',
    goal: 'protected',
  },
  {name: 'destroy', before: created, line: 'destroy web1', goal: 'gone'},
  {name: 'destroy, stopped', before: [...created, 'stop web1'], line: 'destroy web1', goal: 'gone'},
]

/** An import that was taken back gives the domain back. */
function mustBeAsBefore({imported: wasThere, hosts}: World): void {
  if (wasThere && !hosts.some(({plain}) => plain !== undefined)) throw new Error('the plain domain was not given back')
}

function noOverlays(world: World): void {
  for (const {name, files} of world.hosts)
    if (files.active !== undefined || files.hidden !== undefined) throw new Error(`overlays are left on ${name}`)
}

/** A failover may have made it the primary since. */
function onGamma(world: World): void {
  if (world.host('gamma').record === undefined) throw new Error('gamma has no part in the pair')
}

/** The same words, or what they are called after gamma has become the primary: what a former member has is removed. */
function settledOnGamma(world: World): string {
  const gamma = world.host('gamma').record
  return `replace web1 --secondary ${gamma?.role === 'primary' ? gamma.peer : 'gamma'}`
}

function bothSayTheSame(world: World): void {
  for (const {name, record} of world.hosts)
    if (record?.spec.checkpoint.intervalMs !== world.spec.checkpoint.intervalMs) throw new Error(`old spec on ${name}`)
}

/** What can strike the hosts of a scenario. */
export function faultsOf({hosts = ['alpha', 'beta'], pending}: Scenario): readonly Fault[] {
  const faults: readonly Fault[] = [
    {kind: 'command'},
    {kind: 'interrupt'},
    ...hosts.flatMap((host): Fault[] =>
      (['agent', 'agent-soon', 'agent-late', 'both', 'qemu', 'power'] as const).map((kind) => ({kind, host})),
    ),
  ]
  return faults.filter(({kind}) => pending?.kinds.includes(kind) !== true)
}

const qemuFacts = probedQemu('11.1.3')

/** A world in which the scenario is about to begin. */
export async function prepared(scenario: Scenario, seed: number): Promise<Operator> {
  const {hosts} = scenario
  const world = new World({seed, qemuFacts: await qemuFacts, ...(hosts === undefined ? {} : {hosts})})
  world.host('alpha').files.image = [0, 0]
  const operator = new Operator(world)
  for (const each of scenario.before) {
    if (typeof each === 'string') {
      const {error} = await operator.run(each)
      if (error !== undefined) throw new Error(`${scenario.name}: ${each} failed`, {cause: error})
    } else await happens(world, each)
  }
  return operator
}

async function happens(world: World, event: Exclude<Before, string>): Promise<void> {
  switch (event.kind) {
    case 'power-on':
      return world.repairHosts(event.host === undefined ? undefined : [event.host])
    case 'accept-loss':
      world.acceptLoss()
      return
    case 'edit':
      world.spec = event.change(world.spec)
      return
    case 'rules-lost':
      world.host(event.host).tapTables.clear()
      return
    case 'plain':
      world.host(event.host).plain = plainDomain()
      world.imported = true
      return
    case 'give-up':
      world.discarded = event.host
      return
    default:
      return world.apply(event)
  }
}

/** How many places there are at which a fault can strike. */
export async function placesIn(scenario: Scenario): Promise<number> {
  return (await labelsIn(scenario)).length
}

/** What they are called, in order, when nothing strikes. */
export async function labelsIn(scenario: Scenario): Promise<readonly string[]> {
  const operator = await prepared(scenario, 1)
  const before = operator.world.trace.length
  const {error} = await operator.run(scenario.line)
  if (error !== undefined) throw error
  return operator.world.trace.slice(before)
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
    await putRight(operator, scenario, seed % 2 === 0)
  } catch (error) {
    const where = `${scenario.name}, ${JSON.stringify({at, fault, seed})}`
    const trace = world.trace.slice(from).join('\n    ')
    const hosts = world.hosts.map((host) => JSON.stringify(gist(host))).join('\n  ')
    const told = error instanceof Violation ? error.message : ((error as Error).stack ?? String(error))
    throw new Error(`${where}: ${told}\n  ${operator.log.join('\n  ')}\n  ${hosts}\n    ${trace}`, {cause: error})
  }
}

/** Run again it finishes, or everything was taken back: the remedies lead there, and nothing is left behind. */
async function putRight(operator: Operator, scenario: Scenario, runsAgain: boolean): Promise<void> {
  const {goal, line, undone = [], again, holds} = scenario
  const first = runsAgain || goal === 'gone' ? [line] : []
  const [, discard] = /--discard (\S+)/.exec(line) ?? []
  const names = discard === undefined ? {} : {discard}
  const reached = await followRemedies(operator, [goal, ...undone], {first, ...names})
  if (reached === 'gone') mustBeAsBefore(operator.world)
  if (reached !== goal) await followRemedies(operator, [goal], {first: [line], ...names})
  if (again !== undefined) {
    const {error} = await operator.run(again === true ? line : again(operator.world))
    if (error !== undefined) throw new Error(`${line} cannot be run once more: ${error.message}`, {cause: error})
    await followRemedies(operator, [goal])
  }
  holds?.(operator.world)
  const [left] = leftovers(operator.world, goal)
  if (left !== undefined) throw new Error(left)
}

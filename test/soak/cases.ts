import {labHosts, type LabHost} from '../../src/lab/index.js'
import {operations, type Operation} from './operations.js'
import type {Outline} from './session.js'
import type {Strike} from './strike.js'

/** A strike as it can be told before anybody knows on which host what will be. */
export interface Case {
  readonly operation: Operation
  /** the point of no return, or another step, which is drawn */
  readonly where: 'near' | 'other'
  readonly state: Strike['state']
  /** `own`, `peer`: the agent of the host of that step, or of another one; `both`: its own agent and the command */
  readonly victim: 'command' | 'interrupt' | 'own' | 'peer' | 'both'
}

const victims = ['command', 'interrupt', 'own', 'peer', 'both'] as const

/** Around the point of no return: before its agent began, and after it was done. */
const around: ReadonlyArray<Pick<Case, 'state' | 'victim'>> = [
  {state: 'started', victim: 'command'},
  {state: 'started', victim: 'own'},
  {state: 'done', victim: 'command'},
  {state: 'done', victim: 'interrupt'},
  {state: 'done', victim: 'both'},
]

/** Everything that a whole soak does: around each point of no return, Ctrl-C at a drawn place, and `others` drawn places of every plan. */
export function allCases(
  only: readonly Operation[],
  {others}: {readonly others: number},
  random: () => number,
): Case[] {
  const state = (): Strike['state'] => draw(['started', 'done'] as const, random)
  const cases = only.flatMap((operation): Case[] => [
    ...around.map((each): Case => ({operation, where: 'near', ...each})),
    {operation, where: 'other', state: state(), victim: 'interrupt'},
    ...Array.from({length: others}, (): Case => ({
      operation,
      where: 'other',
      state: state(),
      victim: draw(victims, random),
    })),
  ])
  return shuffled(cases, random)
}

/** Where that is in a plan as it would be run now. */
export function strikeOf({where, state, victim}: Case, plan: Outline, random: () => number): Strike {
  const {steps, pointOfNoReturn} = plan
  const isNear = ({id}: Outline['steps'][number]): boolean => id === pointOfNoReturn
  const {id, host} = draw(
    steps.filter((step) => isNear(step) === (where === 'near')),
    random,
  )
  const own = hostNamed(host)
  const peer = steps.map((step) => step.host).find((name) => name !== host)
  if (victim === 'own' || victim === 'both')
    return {step: id, state, victim: own, ...(victim === 'both' && {both: true})}
  return {step: id, state, victim: victim === 'peer' ? hostNamed(peer ?? host) : victim}
}

/**
 * A strike that was printed, for a plan of now: with the hosts in each other's place when its step is of the other one.
 *
 * @throws {Error} when the plan has no such step
 */
export function strikeAgain(printed: Strike, {title, steps}: Outline): Strike {
  if (steps.some(({id}) => id === printed.step)) return printed
  const swapped = swap(printed)
  if (steps.some(({id}) => id === swapped.step)) return swapped
  throw new Error(`"${title}" has no step ${printed.step}: ${steps.map(({id}) => id).join(' ')}`)
}

function swap({victim, ...printed}: Strike): Strike {
  const of = (name: string): string => (name === 'alpha' ? 'beta' : name === 'beta' ? 'alpha' : name)
  const [host = '', step = ''] = printed.step.split('/')
  return {...printed, step: `${of(host)}/${step}`, victim: of(victim) as Strike['victim']}
}

/** @throws {Error} when it is not one */
export function operationNamed(name: string): Operation {
  const found = operations.find((each) => each === name)
  if (found === undefined) throw new Error(`no operation ${name}; there are ${operations.join(', ')}`)
  return found
}

function hostNamed(name: string): LabHost {
  const found = labHosts.find((host) => host === name)
  if (found === undefined) throw new Error(`the lab has no host ${name}`)
  return found
}

/** @throws {Error} when there is nothing to draw from */
export function draw<E>(list: readonly E[], random: () => number): E {
  const drawn = list[Math.floor(random() * list.length)]
  if (drawn === undefined) throw new Error('nothing to draw from')
  return drawn
}

/** Fisher and Yates. */
export function shuffled<E>(list: readonly E[], random: () => number): E[] {
  const all = [...list]
  for (let left = all.length - 1; left > 0; left--) {
    const at = Math.floor(random() * (left + 1))
    const [a, b] = [all[left], all[at]] as [E, E]
    all[left] = b
    all[at] = a
  }
  return all
}

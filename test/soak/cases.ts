import type {Outline} from './session.js'
import type {Strike} from './strike.js'

const victims = ['command', 'interrupt', 'alpha', 'beta'] as const

/** Every place of a plan at which something can be killed; `near`: at its point of no return. */
export function placesOf({steps, pointOfNoReturn}: Outline): {readonly near: Strike[]; readonly others: Strike[]} {
  const all = steps.flatMap(({id}) =>
    (['started', 'done'] as const).flatMap((state) => victims.map((victim): Strike => ({step: id, state, victim}))),
  )
  const isNear = ({step}: Strike): boolean => step === pointOfNoReturn
  return {near: all.filter(isNear), others: all.filter((each) => !isNear(each))}
}

/** @throws {Error} when there is nothing to draw from */
export function draw<E>(list: readonly E[], random: () => number): E {
  const drawn = list[Math.floor(random() * list.length)]
  if (drawn === undefined) throw new Error('nothing to draw from')
  return drawn
}

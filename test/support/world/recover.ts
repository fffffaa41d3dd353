import {ColoError} from '../../../src/errors.js'
import type {Operator} from './operator.js'
import {commandsIn} from '../remedies.js'

/** Where the remedies must lead. `gone`: no host knows the pair any more. */
export type Goal = 'protected' | 'stopped' | 'suspended' | 'gone'

const attempts = 14
/** hints that lead elsewhere: to look, or to give the pair up */
const other = /^(status|destroy)/
/** what a person accepts by name when a refusal says why */
const accepted = ['overlays-lost', 'unwatched']

/**
 * Does what a person does after a fault: reads `colo pair status`, runs the first command that it names, and again, until one of the goals is
 * reached and nothing is left interrupted. A command that is refused names the next one in its hint.
 *
 * @returns the goal that was reached
 * @throws {Error} with everything that was tried when the remedies lead nowhere
 */
export async function followRemedies(
  operator: Operator,
  goals: readonly Goal[],
  {first = [], discard = 'HOST'}: {readonly first?: readonly string[]; readonly discard?: string} = {},
): Promise<Goal> {
  const {world} = operator
  const open = [...first]
  for (let attempt = 0; attempt < attempts; attempt++) {
    const status = open.length > 0 ? undefined : await operator.status()
    if (open.length === 0) {
      const state = status === undefined ? 'gone' : status.qualifier === 'suspended' ? 'suspended' : status.state
      const reasons = status?.reasons ?? []
      operator.log.push(`status: ${state}: ${reasons.map(({message}) => message).join('; ')}`)
      const reached = goals.find((goal) => goal === state)
      if (reached !== undefined && reasons.every(({code}) => code !== 'interrupted')) return reached
      if (status === undefined) open.push('create web1 -f FILE')
      open.push(...reasons.flatMap(({remedy}) => commandsIn(remedy)))
    }
    const line = (open.shift() ?? 'wait').replace('HOST', discard) // what goes on by itself ends by itself
    open.length = 0
    const {error} = await operator.run(line)
    if (!(error instanceof ColoError)) continue
    const word = /--force ([a-z-]+)/.exec(error.hint ?? '')?.[1]
    if (word === 'overlays-lost') {
      if (!world.scratchLost) throw new Error(`${line}: ${error.message}, although no memory was lost`)
      world.acceptLoss()
    }
    if (word === undefined)
      open.push(...commandsIn(error.hint).filter((each) => !other.test(each) || goals.includes('gone')))
    else if (accepted.includes(word)) open.push(`${line} --force ${word}`)
  }
  throw new Error(`the remedies do not lead to "${goals.join()}"`)
}

import {ColoError} from '../../../src/errors.js'
import type {Operator} from './operator.js'
import {commandsIn} from '../remedies.js'

/** Where the remedies must lead. `gone`: no host knows the pair any more. */
export type Goal = 'protected' | 'stopped' | 'gone'

const attempts = 14
/** hints that lead elsewhere: to look, or to give the pair up */
const other = /^(status|destroy)/
/** what a person accepts by name when a refusal says why */
const accepted = ['overlays-lost', 'unwatched']

/**
 * Does what a person does after a fault: reads `colo pair status`, runs the first command that it names, and again, until the goal is
 * reached. A command that is refused names the next one in its hint.
 *
 * @throws {Error} with everything that was tried when the remedies lead nowhere
 */
export async function followRemedies(operator: Operator, goal: Goal, first: readonly string[] = []): Promise<void> {
  const {world} = operator
  const open = [...first]
  for (let attempt = 0; attempt < attempts; attempt++) {
    const status = open.length > 0 ? undefined : await operator.status()
    if (open.length === 0) {
      const reached = status === undefined ? 'gone' : status.state
      operator.log.push(`status: ${reached}: ${status?.reasons.map(({message}) => message).join('; ') ?? ''}`)
      if (reached === goal) return
      if (status === undefined && goal === 'protected') open.push('create web1 -f FILE')
      open.push(...(status?.reasons.flatMap(({remedy}) => commandsIn(remedy)) ?? []))
    }
    const line = open.shift() ?? 'wait' // what goes on by itself ends by itself
    open.length = 0
    const {error} = await operator.run(line)
    if (!(error instanceof ColoError)) continue
    const word = /--force ([a-z-]+)/.exec(error.hint ?? '')?.[1]
    if (word === 'overlays-lost') {
      if (!world.scratchLost) throw new Error(`${line}: ${error.message}, although no memory was lost`)
      world.acceptLoss()
    }
    if (word === undefined) open.push(...commandsIn(error.hint).filter((each) => !other.test(each) || goal === 'gone'))
    else if (accepted.includes(word)) open.push(`${line} --force ${word}`)
  }
  throw new Error(`the remedies do not lead to "${goal}"`)
}

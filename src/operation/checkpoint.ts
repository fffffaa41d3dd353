import {StateError} from '../errors.js'
import {assess, authorityOf} from '../pair/assess.js'
import {otherRemedy} from '../pair/remedy.js'
import type {Plan} from '../plan/plan.js'
import {step} from '../plan/parts/steps.js'
import type {OperationContext} from './context.js'
import {finalStatus} from './final-status.js'
import type {OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf} from './sides.js'

/** Forces a checkpoint and waits until it is complete. */
export async function checkpointPair(
  context: OperationContext,
  pair: string,
  options: {readonly timeoutMs: number},
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const seen = found.sides.map(seenOf)
    const {primary} = authorityOf(seen)
    const status = assess(pair, seen, context.clock.now())
    if (primary?.vm?.coloMode !== 'primary') {
      throw new StateError(
        `cannot make a checkpoint of ${pair}: it is ${status.state}`,
        {actual: status.state, required: ['protected']},
        {hint: otherRemedy(status, `colo pair checkpoint ${pair}`)},
      )
    }
    const {intervalMs} = primary.record.spec.checkpoint
    const plan: Plan = {
      id: context.newId(),
      kind: 'checkpoint',
      pair,
      title: `checkpoint of ${pair}`,
      finish: `colo pair checkpoint ${pair}`,
      steps: [
        step(primary.host, 'checkpoint', 'bring the secondary level', [
          {kind: 'checkpoint', intervalMs, timeoutMs: options.timeoutMs},
        ]),
      ],
    }
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    return {pair, changed: true, dryRun: false, plan, status: await finalStatus(context, found), timeline}
  } finally {
    found.close()
  }
}

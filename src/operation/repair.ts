import {assess, authorityOf, knownOf} from '../pair/assess.js'
import {identityOf} from '../pair/identity.js'
import {otherRemedy} from '../pair/remedy.js'
import {mendedInPlace, planRepair} from '../plan/repair.js'
import {StateError} from '../errors.js'
import type {OperationContext} from './context.js'
import {settle} from './final-status.js'
import {forgetInterruption, isCutOff, isOnlyInterrupted} from './interruption.js'
import {dryRunOf, type OperationResult} from './result.js'
import {resyncPair, settleMs} from './resync.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf} from './sides.js'

export interface RepairOptions {
  readonly dryRun: boolean
  readonly timeoutMs: number
}

/** Mends what can be mended: small faults in place while the pair goes on, the others by a resync. */
export async function repairPair(
  context: OperationContext,
  pair: string,
  options: RepairOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const seen = found.sides.map(seenOf)
    const status = assess(pair, seen, context.clock.now())
    const {primary, other} = authorityOf(seen)
    const known = knownOf(seen)
    if (isOnlyInterrupted(status) && isCutOff(known, 'repair')) {
      const done = {title: `repair ${pair}`, finish: `colo pair status ${pair} --repair`, steps: []}
      return await forgetInterruption(context, found, {id: context.newId(), kind: 'repair', pair, ...done}, options)
    }
    const repairable = status.reasons.filter(({repairable}) => repairable)
    if (primary === undefined || other === undefined || (status.state !== 'protected' && repairable.length === 0)) {
      throw new StateError(
        `nothing of ${pair} can be repaired: it is ${status.state}`,
        {actual: status.state, required: []},
        {
          hint: otherRemedy(status, `colo pair status ${pair} --repair`),
        },
      )
    }
    const inPlace = repairable.every(({code}) => (mendedInPlace as readonly string[]).includes(code))
    if (!inPlace) {
      found.close()
      return await resyncPair(context, pair, {...options, force: []})
    }
    const plan = planRepair({
      planId: context.newId(),
      identity: identityOf(primary.record),
      primary: primary.host,
      secondary: other.host,
      reasons: repairable,
    })
    if (options.dryRun) return dryRunOf(plan)
    if (plan.steps.length === 0) return {pair, changed: false, dryRun: false, plan, status, timeline: []}
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {...options, premise: found.sides})
    const after = await settle(context, found, {states: ['protected'], timeoutMs: settleMs})
    return {pair, changed: true, dryRun: false, plan, status: after, timeline}
  } finally {
    found.close()
  }
}

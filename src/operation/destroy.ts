import {RefusedError, StateError} from '../errors.js'
import {authorityOf, knownOf} from '../pair/assess.js'
import {identityOf} from '../pair/identity.js'
import {planDestroy} from '../plan/destroy.js'
import type {OperationContext} from './context.js'
import {plainDefinition} from './plain-definition.js'
import {dryRunOf, type OperationResult} from './result.js'
import {runPlan} from './run-plan.js'
import {clientsOf, findPair, seenOf} from './sides.js'
import {isXenPair, xenDestroyPlan} from './xen/life.js'

export interface DestroyOptions {
  readonly dryRun: boolean
  readonly deleteCopies: boolean
  /** `peer-unknown`: the other host does not answer; `committing`: overlays not merged yet */
  readonly force: readonly string[]
}

const destroyLimitMs = 120_000

/** Ends a pair; the disks of its current side stay where they are. */
export async function destroyPair(
  context: OperationContext,
  pair: string,
  options: DestroyOptions,
): Promise<OperationResult> {
  const found = await findPair(context, pair)
  try {
    const seen = found.sides.map(seenOf)
    const known = knownOf(seen)
    const {primary, splitBrain} = authorityOf(seen)
    const keep = primary ?? known[0]
    if (keep === undefined) throw new StateError(`no record of ${pair}`, {actual: 'absent', required: []})
    if (splitBrain)
      throw new RefusedError(`cannot destroy ${pair}: both copies went on alone; discard one by name first`)
    if (keep.record.marks.incomplete?.why === 'commit' && !options.force.includes('committing')) {
      throw new StateError(
        `cannot destroy ${pair}: ${keep.host} still has acknowledged writes in its overlays`,
        {actual: 'committing', required: ['unprotected', 'protected', 'stopped']},
        {hint: `colo pair wait ${pair} --for unprotected; when its QEMU is gone: colo pair start ${pair}`},
      )
    }
    const silent = found.sides.find((side) => 'problem' in side)
    const plan = isXenPair(found)
      ? xenDestroyPlan(context, found, keep)
      : planDestroy({
          planId: context.newId(),
          identity: identityOf(keep.record),
          keep: keep.host,
          hosts: known.map(({host}) => host),
          deleteCopies: options.deleteCopies,
          plain: await plainDefinition(keep.record, keep.host),
        })
    if (options.dryRun) return dryRunOf(plan)
    await context.confirm({
      text:
        `${pair} is ended on ${plan.steps
          .map(({host}) => host)
          .filter(unique)
          .join(' and ')}; the disks on ${keep.host} are kept.` +
        (keep.record.origin === undefined
          ? ''
          : ` ${keep.host} then has the domain ${keep.record.origin.domain} again, shut off.`) +
        (silent === undefined ? '' : `\n${silent.host} does not answer: its copy and record stay there.`),
      expected: pair,
      ...(silent === undefined ? {} : {force: 'peer-unknown'}),
    })
    const timeline = await runPlan(context, clientsOf(found.sides), plan, {
      timeoutMs: destroyLimitMs,
      premise: found.sides,
    })
    return {pair, changed: true, dryRun: false, plan, timeline}
  } finally {
    found.close()
  }
}

function unique(value: string, index: number, all: readonly string[]): boolean {
  return all.indexOf(value) === index
}

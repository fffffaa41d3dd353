import {NotFoundError, TimedOutError} from '../../errors.js'
import {powerButton} from '../../net/migration.js'
import {cleanStopOf} from '../../pair/clean-stop.js'
import {currencyOf, type PairRecord} from '../../pair/record.js'
import type {ActionContext, ActionOutcome} from '../action-context.js'
import {cutPower} from '../cut-power.js'
import {makeCheckpointsRare} from '../rare-checkpoints.js'
import {send, type ActionOf, type Perform} from './common.js'
import {destroyDomain} from './domain.js'
import {imagesNow} from './records.js'

/** See the action `power-button`. */
export const pressPowerButton: Perform<ActionOf<'power-button'>> = async (_, context) => {
  await send(await context.vm.qmp(), powerButton)
  return 'changed'
}

/** See the action `power-off`. */
export const powerOff: Perform<ActionOf<'power-off'>> = async ({how, timeoutMs}, context) => {
  const record = await recordOf(context)
  if (cleanStopOf(record) !== undefined) return 'unchanged'
  const qmp = await context.vm.qmp()
  if (how === 'cut') {
    await cutPower(qmp, {...context, cut: () => context.vm.powerCut()})
    return untilStopped(timeoutMs, how, context)
  }
  const asBefore = await makeCheckpointsRare(qmp, record.spec.checkpoint.intervalMs)
  try {
    await send(qmp, powerButton)
    return await untilStopped(timeoutMs, how, context)
  } finally {
    await asBefore()
  }
}

async function untilStopped(
  timeoutMs: number,
  how: ActionOf<'power-off'>['how'],
  context: ActionContext,
): Promise<ActionOutcome> {
  try {
    // a guest that ignores its button would keep the pair for as long as the command wanted to wait, with nobody there
    const signals = [context.signal, ...(context.gone === undefined || how === 'cut' ? [] : [context.gone])]
    await context.vm.stopped(timeoutMs, AbortSignal.any(signals))
  } catch (error) {
    if (!(error instanceof TimedOutError)) throw error
    throw new TimedOutError(
      `the guest of ${context.pair} did not power off within ${timeoutMs / 1000} s`,
      error.waitedMs,
      {
        hint: `it may ignore its power button, or need longer (--timeout); when it powers off after all, both copies are stopped. To cut its power, as virsh destroy does: colo pair stop ${context.pair} --force power-cut`,
        cause: error,
      },
    )
  }
  return 'changed'
}

/** See the action `stop-follow`. The mark that forbids goes before the end of the copy, the one that allows after it. */
export const followStop: Perform<ActionOf<'stop-follow'>> = async ({domain, images, timeoutMs}, context) => {
  const before = await recordOf(context)
  if (before.clean) return destroyDomain({kind: 'domain-destroy', domain}, context)
  const how = await context.vm.peerStopped(timeoutMs, context.signal)
  const isEqual = how === 'equal' && currencyOf(before) === 'promotable'
  if (!isEqual) await markStale(before, context)
  await destroyDomain({kind: 'domain-destroy', domain}, context)
  if (isEqual) await context.record.change({clean: true, images: await imagesNow(context, images)})
  return 'changed'
}

async function markStale({marks}: PairRecord, context: ActionContext): Promise<ActionOutcome> {
  if (marks.stale !== undefined || marks.incomplete !== undefined) return 'unchanged'
  const stale = 'the primary was stopped cleanly, but a write may not have arrived here'
  await context.record.change({marks: {...marks, stale}})
  return 'changed'
}

async function recordOf(context: ActionContext): Promise<PairRecord> {
  const found = await context.record.read()
  if (found !== undefined) return found
  throw new NotFoundError(`${context.pair}: this host has no record of it`)
}

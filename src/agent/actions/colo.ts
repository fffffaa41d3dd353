import {ColoError, RefusedError, StateError} from '../../errors.js'
import {exitCodes} from '../../exit-codes.js'
import {
  checkpointDelay,
  coloCapabilities,
  continueVm,
  incoming as incomingCommand,
  lostHeartbeat,
  setCapabilities,
  yank,
  yankable,
} from '../../net/migration.js'
import {queryColoStatus} from '../../qmp/commands/colo.js'
import {queryMigrate, queryMigrateCapabilities} from '../../qmp/commands/migration.js'
import {queryStatus} from '../../qmp/commands/status.js'
import {queryYank} from '../../qmp/commands/yank.js'
import {QmpCommandError} from '../../qmp/errors.js'
import {isRecord} from '../../qmp/messages.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionContext} from '../action-context.js'
import {readTap} from '../tap.js'
import {send, settle, type ActionOf, type Perform} from './common.js'

const FAILOVER_MS = 30_000
/** after the mode is `none` a guest that was not in a checkpoint is running within milliseconds */
const FROZEN_MS = 500
const YANK_MS = 2000

/**
 * See the action `colo-capabilities`: without `return-path` first, as QEMU up to 10 needs it; refused, with it, as 11.1 does. Nothing
 * tells the two refusals apart but their text, so the second one is reported with both.
 */
export const setColoCapabilities: Perform<ActionOf<'colo-capabilities'>> = async ({side}, context) => {
  const qmp = await context.vm.qmp()
  const {version} = qmp.greeting
  const now = await queryMigrateCapabilities(qmp)
  const wanted = coloCapabilities(side, version, now['return-path'] === true)
  if (now['x-colo'] === true && Object.entries(wanted).every(([name, state]) => now[name] === state)) return 'unchanged'
  const first = await refusalOf(() => send(qmp, setCapabilities(coloCapabilities(side, version, false))))
  if (first === undefined) return 'changed'
  const second = await refusalOf(() => send(qmp, setCapabilities(coloCapabilities(side, version, true))))
  if (second === undefined) return 'changed'
  throw new ColoError(
    'no-colo',
    exitCodes.preflight,
    `QEMU of ${context.pair} refuses COLO: ${first.desc}; with return-path: ${second.desc}`,
    {cause: second, hint: 'see colo host check: is this QEMU built with replication?'},
  )
}

/** See the action `incoming`. QEMU refuses a second one; what it tells of the first depends on its version. */
export const incoming: Perform<ActionOf<'incoming'>> = async ({address, port}, context) => {
  const qmp = await context.vm.qmp()
  if (await isListening(qmp)) return 'unchanged'
  await send(qmp, incomingCommand(address, port))
  return 'changed'
}

async function isListening(qmp: QmpSession): Promise<boolean> {
  const info = await qmp.execute('query-migrate')
  return (
    isRecord(info) &&
    (info['socket-address'] !== undefined || ['setup', 'active', 'colo'].includes(String(info['status'])))
  )
}

/** See the action `colo-await`. */
export const awaitColo: Perform<ActionOf<'colo-await'>> = async ({role, timeoutMs}, context) => {
  const qmp = await context.vm.qmp()
  const wait = {
    what: `${context.pair} to run in lock-step as ${role}`,
    events: ['MIGRATION', 'STOP', 'RESUME', 'COLO_EXIT'],
    timeoutMs,
    signal: context.signal,
  }
  await settle(context, qmp, wait, async () => {
    const migration = await queryMigrate(qmp)
    if (['failed', 'completed', 'cancelled'].includes(migration.status)) {
      const why = migration.errorDesc ?? `migration ${migration.status}`
      throw new ColoError(
        'migration-failed',
        exitCodes.internal,
        `${context.pair} did not become ${role} in lock-step: ${why}`,
      )
    }
    const {mode} = await queryColoStatus(qmp)
    const {running} = await queryStatus(qmp)
    return migration.status === 'colo' && mode === role && running ? true : undefined
  })
  return 'unchanged'
}

/** See the action `checkpoint`. Set again, the delay forces one, whatever its value. */
export const checkpoint: Perform<ActionOf<'checkpoint'>> = async ({intervalMs, timeoutMs}, context) => {
  const qmp = await context.vm.qmp()
  const {mode} = await queryColoStatus(qmp)
  if (mode !== 'primary') {
    throw new StateError(`${context.pair} is not the primary of a pair in lock-step here`, {
      actual: mode,
      required: ['primary'],
    })
  }
  const after = await completedBeforeNow(qmp, context)
  await send(qmp, checkpointDelay(intervalMs))
  await context.vm.awaitCheckpoint(after, timeoutMs)
  return 'changed'
}

/** See the action `checkpoint-await`. */
export const awaitCheckpoint: Perform<ActionOf<'checkpoint-await'>> = async ({timeoutMs}, context) => {
  await context.vm.awaitCheckpoint(await completedBeforeNow(await context.vm.qmp(), context), timeoutMs)
  return 'unchanged'
}

/** How many checkpoints have begun; more than these are complete only when one that begins from now on is. */
async function completedBeforeNow(qmp: QmpSession, {vm}: ActionContext): Promise<number> {
  const inCheckpoint = (await queryStatus(qmp)).status === 'colo'
  return vm.checkpoints() + (inCheckpoint ? 1 : 0)
}

/** See the action `yank`. Losing the peer is expected from here on. */
export const yankConnections: Perform<ActionOf<'yank'>> = async ({instances}, context) => {
  await context.vm.endProtection()
  return context.vm.withYank(async (session) => {
    for (let triesLeft = 2; ; triesLeft--) {
      const options = {oob: true, timeoutMs: YANK_MS}
      const existing = yankable(instances, await queryYank(session, options))
      if (existing.length === 0) return 'unchanged'
      try {
        await send(session, yank(existing), options)
        return 'changed'
      } catch (error) {
        const vanished = error instanceof QmpCommandError && error.class === 'DeviceNotFound'
        if (!vanished || triesLeft === 0) throw error // one of them ended between the question and the command
      }
    }
  })
}

/** See the action `lost-heartbeat`. It releases what the comparer held: never before the record says that this side is alone (S1). */
export const loseHeartbeat: Perform<ActionOf<'lost-heartbeat'>> = async ({unheard}, context) => {
  const qmp = await context.vm.qmp()
  if ((await queryColoStatus(qmp)).mode === 'none') {
    return (await thaw(qmp)) ? 'changed' : 'unchanged'
  }
  await assertMayLeave(context, unheard === true)
  await context.vm.endProtection()
  const refusal = await refusalOf(() => send(qmp, lostHeartbeat))
  if (refusal !== undefined && (await queryColoStatus(qmp)).mode !== 'none') throw refusal
  const events = ['COLO_EXIT', 'MIGRATION', 'RESUME', 'STOP']
  const leave = {what: `${context.pair} to leave lock-step`, events, timeoutMs: FAILOVER_MS}
  await settle(context, qmp, leave, async () => ((await queryColoStatus(qmp)).mode === 'none' ? true : undefined))
  const endMs = context.clock.monotonic() + FROZEN_MS
  const run = {what: `${context.pair} to run after leaving lock-step`, events, timeoutMs: FAILOVER_MS}
  await settle(context, qmp, run, async () => {
    if ((await queryStatus(qmp)).running) return true
    if (context.clock.monotonic() >= endMs) await thaw(qmp)
    return undefined
  })
  return 'changed'
}

/** @throws {RefusedError} when the guest would be heard without a grant, or the record would not tell that its overlays are being merged */
async function assertMayLeave({pair, record: access, layout, files}: ActionContext, unheard: boolean): Promise<void> {
  const record = await access.read()
  if (record === undefined || record.alone) return
  if (!unheard) {
    throw new RefusedError(`${pair} is not let go on ${record.host}: its record does not say that it goes on alone`)
  }
  if (record.role !== 'secondary' || record.marks.incomplete?.why !== 'commit') {
    throw new RefusedError(
      `${pair} is not let go on ${record.host}: its record does not say that its overlays are merged`,
    )
  }
  for (const {tap} of layout.nics) {
    if ((await readTap(files, tap)) !== 'up') continue
    throw new RefusedError(`${pair} is not let go on ${record.host}: tap ${tap} is up, so that it would be heard`, {
      hint: `colo pair status ${pair} --repair`,
    })
  }
}

/** A guest whose peer died inside a checkpoint stays frozen in run state `colo`. @see facts/qemu-colo.md section 5.1, step 5 */
async function thaw(qmp: QmpSession): Promise<boolean> {
  if ((await queryStatus(qmp)).status !== 'colo') return false
  await send(qmp, continueVm)
  return true
}

async function refusalOf(attempt: () => Promise<void>): Promise<QmpCommandError | undefined> {
  try {
    await attempt()
    return undefined
  } catch (error) {
    if (error instanceof QmpCommandError) return error
    throw error
  }
}

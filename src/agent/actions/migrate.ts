import {ColoError} from '../../errors.js'
import {exitCodes} from '../../exit-codes.js'
import {
  checkpointDelay,
  continueVm,
  migrate,
  migrateCancel,
  migrateContinue,
  migrationParameters,
  pausesBeforeSwitchover,
  stopVm,
} from '../../net/migration.js'
import {filterOff, filterOn, objectPath} from '../../net/objects.js'
import type {ForwardPath} from '../../plan/action.js'
import {queryMigrate, type MigrationInfo} from '../../qmp/commands/migration.js'
import {qomGet} from '../../qmp/commands/objects.js'
import {queryStatus} from '../../qmp/commands/status.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionContext} from '../action-context.js'
import {mirrorsOff, mirrorsOn} from './forward.js'
import {send, settle, type ActionOf, type Perform} from './common.js'

const migrationEvents = ['MIGRATION', 'STOP', 'RESUME', 'COLO_EXIT']
const RUNNING_MS = 20_000
const CANCEL_MS = 20_000

/**
 * See the action `migrate` (facts/qemu-colo.md section 4, recipe D, step 6). Every state is looked up, so that a run that was cut off
 * is taken up where it is. Until COLO is entered an error takes all of it back and the guest goes on alone.
 */
export const migrateIntoColo: Perform<ActionOf<'migrate'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  const before = (await queryMigrate(qmp)).status
  if (before === 'colo') return (await switchOn(action, context, qmp)) ? 'changed' : 'unchanged'
  const status = await queryStatus(qmp)
  try {
    if (!isUnderWay(before)) {
      await send(qmp, migrationParameters(action.intervalMs))
      if (action.guest === 'stands-still' && status.running) await send(qmp, stopVm)
      await send(qmp, migrate(action.address, action.port))
    }
    await enterColo(action, context, qmp)
  } catch (error) {
    const began = {filters: action.filtersOn, mirrors: action.mirrorsOn ?? [], ran: status.running}
    await takeBack(context, qmp, began).catch((failure: unknown) => {
      context.report(`the migration of ${context.pair} could not be taken back: ${String(failure)}`)
    })
    throw error
  }
  if (!pausesBeforeSwitchover(qmp.greeting.version)) {
    await switchOn(action, context, qmp)
    await send(qmp, checkpointDelay(action.intervalMs)) // until this checkpoint packets went out uncompared
  }
  const wait = {what: `${context.pair} to run in lock-step`, events: migrationEvents, timeoutMs: RUNNING_MS}
  await settle(context, qmp, wait, async () => ((await queryStatus(qmp)).running ? true : undefined))
  return 'changed'
}

/** See the action `migrate-cancel`. */
export const cancelMigration: Perform<ActionOf<'migrate-cancel'>> = async (_, context) => {
  const qmp = await context.vm.qmp()
  const {status} = await queryMigrate(qmp)
  const ended = (await queryStatus(qmp)).status === 'postmigrate' // a plain migration: the guest stands still
  if (!isUnderWay(status) && !ended) return 'unchanged'
  await takeBack(context, qmp, {filters: [], mirrors: [], ran: true})
  return 'changed'
}

async function enterColo(action: ActionOf<'migrate'>, context: ActionContext, qmp: QmpSession): Promise<void> {
  let continued = false
  const wait = {
    what: `${context.pair} to enter lock-step with ${action.address}:${action.port}`,
    events: migrationEvents,
    timeoutMs: action.timeoutMs,
    signal: context.signal,
  }
  await settle(context, qmp, wait, async () => {
    const info = await queryMigrate(qmp)
    if (info.status === 'colo') return true
    if (!isUnderWay(info.status)) throw migrationError(action, context, info)
    if (info.status === 'pre-switchover' && !continued) {
      continued = true
      await switchOn(action, context, qmp)
      await send(qmp, migrateContinue)
    }
    reportRam(context, info)
    return undefined
  })
}

function reportRam(context: ActionContext, {ram, status}: MigrationInfo): void {
  if (ram === undefined) return
  const done = Math.min(ram.totalBytes, Math.max(0, ram.totalBytes - ram.remainingBytes))
  context.report(`memory, ${status}`, {done, total: ram.totalBytes})
}

function migrationError(action: ActionOf<'migrate'>, context: ActionContext, info: MigrationInfo): ColoError {
  const what = `migration of ${context.pair} to ${action.address}:${action.port}`
  const own = info.errorDesc === undefined ? '' : `: ${info.errorDesc}`
  if (info.status === 'completed') {
    return new ColoError('migration-failed', exitCodes.internal, `${what} completed instead of entering COLO${own}`, {
      hint: 'the capability x-colo was not in force, or this QEMU release is one in which COLO is broken: see colo host check',
    })
  }
  return new ColoError('migration-failed', exitCodes.internal, `${what}: ${info.status}${own}`)
}

/** @returns whether one of them was off */
async function switchOn(
  {filtersOn, mirrorsOn: paths}: ActionOf<'migrate'>,
  context: ActionContext,
  qmp: QmpSession,
): Promise<boolean> {
  let changed = await mirrorsOn(paths ?? [], context)
  for (const id of filtersOn) {
    if ((await qomGet(qmp, {path: objectPath(id), property: 'status'})) === 'on') continue
    await send(qmp, filterOn(id))
    changed = true
  }
  return changed
}

/** Ends a migration that is not COLO and lets the guest run as before: filters off first, since they hold its output. */
async function takeBack(
  context: ActionContext,
  qmp: QmpSession,
  {
    filters,
    mirrors,
    ran,
  }: {
    readonly filters: readonly string[]
    readonly mirrors: readonly ForwardPath[]
    readonly ran: boolean
  },
): Promise<void> {
  const {status} = await queryMigrate(qmp)
  if (status === 'colo') return // too late: it ends as a failover does
  if (isUnderWay(status)) await send(qmp, migrateCancel)
  const wait = {what: `the migration of ${context.pair} to end`, events: migrationEvents, timeoutMs: CANCEL_MS}
  await settle(context, qmp, wait, async () => (isUnderWay((await queryMigrate(qmp)).status) ? undefined : true))
  for (const id of filters) await send(qmp, filterOff(id))
  await mirrorsOff(mirrors, context)
  if (!ran) return
  const {running} = await queryStatus(qmp)
  if (!running) await send(qmp, continueVm) // the other copy is paused and has no tap
}

/** Between `migrate` and its outcome. `failing` and `cancelling` are on the way to one. */
function isUnderWay(status: string): boolean {
  return !['none', 'cancelled', 'completed', 'failed', 'colo'].includes(status)
}

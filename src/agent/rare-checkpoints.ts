import {queryColoStatus} from '../qmp/commands/colo.js'
import {migrateSetParameters, queryMigrateParameters} from '../qmp/commands/migration.js'
import type {QmpSession} from '../qmp/session.js'

/** Between two checkpoints at most, milliseconds, while a guest powers off; a number that nobody else sets. */
const RARE_MS = 21_000

/**
 * From now on, on a primary in lock-step, hardly anything but an answer that differs makes a checkpoint. A secondary whose guest is off first is reset by
 * libvirt, which ends that copy when it meets a checkpoint (docs/limits.md).
 *
 * @param ownMs  the interval of the spec
 * @returns makes them as frequent as before; never rejects: a QEMU that has ended has no checkpoints
 */
export async function makeCheckpointsRare(qmp: QmpSession, ownMs: number): Promise<() => Promise<void>> {
  const {mode} = await queryColoStatus(qmp)
  if (mode !== 'primary' || ownMs >= RARE_MS) return () => Promise.resolve()
  await migrateSetParameters(qmp, {checkpointDelayMs: RARE_MS})
  return () => migrateSetParameters(qmp, {checkpointDelayMs: ownMs}).catch(() => undefined)
}

/** An agent that died while a guest was to power off left them rare. */
export async function endRareCheckpoints(qmp: QmpSession, ownMs: number): Promise<void> {
  const {checkpointDelayMs} = await queryMigrateParameters(qmp)
  if (checkpointDelayMs === RARE_MS) await migrateSetParameters(qmp, {checkpointDelayMs: ownMs})
}

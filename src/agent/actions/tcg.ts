import {humanMonitorCommand} from '../../qmp/commands/trace.js'
import {QmpCommandError} from '../../qmp/errors.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionOf, Perform} from './common.js'

/** A guest that boots translates thousands of blocks a second, an idle one up to a few hundred. */
const NEW_BLOCKS = 400
const WINDOW_MS = 1200
/** Firmware and boot loader have some 6000, and read disks for many seconds without a new one; a booted Linux has more than 100 000. */
const BOOTED_BLOCKS = 20_000
const FIRMWARE_MS = 120_000

/** See the action `tcg-settle`. */
export const settleGuest: Perform<ActionOf<'tcg-settle'>> = async ({timeoutMs, boots}, context) => {
  const qmp = await context.vm.qmp()
  const {clock, signal} = context
  let endMs = clock.monotonic() + timeoutMs
  const firmwareEndMs = clock.monotonic() + (boots === undefined ? 0 : FIRMWARE_MS)
  let before = await translated(qmp)
  while (before !== undefined && clock.monotonic() < endMs) {
    await clock.sleep(WINDOW_MS, signal)
    const now = await translated(qmp)
    const inFirmware = now !== undefined && now.blocks < BOOTED_BLOCKS && clock.monotonic() < firmwareEndMs
    if (inFirmware) endMs = clock.monotonic() + timeoutMs
    else if (now === undefined || isSettled(before, now)) return 'unchanged'
    context.report('the guest still boots')
    before = now
  }
  if (before !== undefined) context.report('the guest keeps running new code; going on all the same')
  return 'unchanged'
}

/** What TCG has translated so far, and thrown away because the guest wrote to it. */
export interface Translated {
  readonly blocks: number
  readonly invalidated: number
}

export function isSettled(before: Translated, now: Translated): boolean {
  // fewer than before: the cache was emptied, which tells nothing
  const fresh = now.blocks - before.blocks
  return fresh >= 0 && fresh < NEW_BLOCKS && now.invalidated - before.invalidated < NEW_BLOCKS
}

/**
 * Reads the text of HMP `info jit`.
 *
 * @returns undefined when it has not these counters: no TCG
 * @see qemu/qemu accel/tcg/tcg-stats.c
 */
export function parseJit(text: string): Translated | undefined {
  const blocks = /^TB count\s+(\d+)/m.exec(text)?.[1]
  const invalidated = /^TB invalidate count\s+(\d+)/m.exec(text)?.[1]
  if (blocks === undefined || invalidated === undefined) return undefined
  return {blocks: Number(blocks), invalidated: Number(invalidated)}
}

async function translated(qmp: QmpSession): Promise<Translated | undefined> {
  try {
    return parseJit(await humanMonitorCommand(qmp, 'info jit'))
  } catch (error) {
    if (error instanceof QmpCommandError) return undefined
    throw error
  }
}

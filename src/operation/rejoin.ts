import {ColoError, isConflict, StateError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import type {OperationContext} from './context.js'
import {resyncPair} from './resync.js'
import {findPair, type FoundPair} from './sides.js'

/** `busy`: it is not the time yet; `failed`: worth another try; `refused`: for a person to decide. */
export type RejoinOutcome =
  {readonly kind: 'protected'} | {readonly kind: 'busy' | 'failed' | 'refused'; readonly why: string}

const factsMs = 10_000
/** Whole disks are copied. */
const resyncMs = 24 * 3600_000
/** What passes by itself, or is somebody's work. */
const passing: readonly string[] = ['committing', 'syncing', 'resyncing', 'starting', 'failing-over', 'stopping']

/**
 * Makes the outdated copy of a host that is back the secondary again, with nobody at the keyboard: the resync of `colo pair resync`, run by
 * that host's agent over its own inventory. Never across two versions of QEMU, for which nobody gives a promise; a person may.
 *
 * @param host  the host that is back
 */
export async function rejoinPair(context: OperationContext, pair: string, host: string): Promise<RejoinOutcome> {
  try {
    const other = await otherVersion(context, pair, host)
    if (other !== undefined) return {kind: 'refused', why: other}
    await resyncPair(context, pair, {dryRun: false, timeoutMs: resyncMs, force: []})
    return {kind: 'protected'}
  } catch (error) {
    if (!(error instanceof ColoError) || context.signal.aborted) throw error
    return {kind: kindOf(error), why: error.message}
  }
}

function kindOf(error: ColoError): 'busy' | 'failed' | 'refused' {
  if (isConflict(error)) return 'busy'
  if (error instanceof StateError) return passing.includes(error.actual) ? 'busy' : 'refused'
  return error.exit === exitCodes.refused ? 'refused' : 'failed'
}

/** The guest runs in another QEMU than the one this host would start. */
async function otherVersion(context: OperationContext, pair: string, host: string): Promise<string | undefined> {
  const found = await findPair(context, pair)
  try {
    const [here, there] = [await installedVersion(found, host), runningVersion(found, host)]
    if (here === undefined || there === undefined || here === there) return undefined
    return `QEMU on ${host} is ${here}, and the guest runs in ${there}`
  } finally {
    found.close()
  }
}

async function installedVersion({sides}: FoundPair, host: string): Promise<string | undefined> {
  const own = sides.find((side) => side.host === host)
  if (own === undefined || !('client' in own)) return undefined
  const {qemu} = await own.client.call('host.facts', {want: ['qemu']}, {timeoutMs: factsMs})
  return qemu?.version
}

function runningVersion({sides}: FoundPair, host: string): string | undefined {
  const peer = sides.find((side) => side.host !== host)
  return peer !== undefined && 'member' in peer ? peer.member.vm?.qemuVersion : undefined
}

import * as v from 'valibot'

import type {Files} from '../../os/files.js'
import {isAlive, type ProcessId} from '../../os/proc.js'
import type {Run} from '../../os/process.js'
import type {XenLayout} from '../../xen/layout.js'
import {parseXlList, type XlDomain} from '../../xen/read.js'
import {listArgv} from '../../xen/xl.js'
import {decodeJson, integer} from '../decode.js'

const XL_MS = 15_000

const processId = v.strictObject({pid: v.number(), startTicks: v.number()})

const relayState = v.strictObject({
  phase: v.picklist(['connecting', 'listening', 'streaming', 'held', 'granted', 'released', 'ended', 'failed']),
  pid: integer(),
  startTicks: integer(),
  reason: v.exactOptional(v.string()),
  atMs: v.number(),
  checkpoints: v.exactOptional(integer()),
  lastCheckpointMs: v.exactOptional(v.number()),
  receiver: v.exactOptional(processId),
  holder: v.exactOptional(processId),
})

/** What a side of the relay says, and whether it still lives. */
export type RelaySeen = v.InferOutput<typeof relayState> & {readonly alive: boolean}

/** Undefined when none was started since the host did. */
export async function readRelay(files: Files, file: string): Promise<RelaySeen | undefined> {
  const text = await files.readText(file)
  if (text === undefined) return undefined
  const state = decodeJson(relayState, text, file)
  return {...state, alive: await isAlive(state)}
}

const domainNote = v.strictObject({domid: integer(1)})

/** The pair's domain is known by its number: during protection on one Xen two domains have nearly the same name. */
export async function noteDomain(files: Files, layout: XenLayout, domid: number): Promise<void> {
  await files.makeDirectory(layout.directory, 0o700)
  await files.writeAtomic(layout.domainState, `${JSON.stringify({domid})}\n`, 0o600)
}

/** The domain that is noted, as xl sees it now; undefined when none is, or it has ended. */
export async function ownDomain(deps: {run: Run; files: Files}, layout: XenLayout): Promise<XlDomain | undefined> {
  const text = await deps.files.readText(layout.domainState)
  if (text === undefined) return undefined
  const {domid} = decodeJson(domainNote, text, layout.domainState)
  const found = (await listDomains(deps.run)).find((domain) => domain.domid === domid)
  // numbers are given again after a restart of Xen: the name must fit, too
  return found !== undefined && [layout.domain, layout.incoming].includes(found.name) ? found : undefined
}

export async function listDomains(run: Run): Promise<XlDomain[]> {
  return parseXlList((await run(listArgv(), {timeoutMs: XL_MS})).stdout)
}

/** Whose a domain is, by its uuid. */
export async function uuidOf(run: Run, domid: number): Promise<string | undefined> {
  const {stdout} = await run(['xenstore-read', `/local/domain/${domid}/vm`], {timeoutMs: XL_MS}).catch(() => ({
    stdout: '',
  }))
  return /^\/vm\/([0-9a-f-]{36})\s*$/.exec(stdout)?.[1]
}

/** The supervised `xl remus`. */
export async function remusProcess(
  files: Files,
  layout: XenLayout,
): Promise<(ProcessId & {alive: boolean}) | undefined> {
  const text = await files.readText(layout.remusState)
  if (text === undefined) return undefined
  const id = decodeJson(processId, text, layout.remusState)
  return {...id, alive: await isAlive(id)}
}

/** Ends the supervised `xl remus` with what it started. Only when no primary is left that it could let go on. */
export function endGroup({pid}: ProcessId): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

import {ConflictError, StateError, TimedOutError, ToolError} from '../../errors.js'
import {xenLayoutAt, type XenLayout} from '../../xen/layout.js'
import type {XlDomain} from '../../xen/read.js'
import {createArgv, destroyArgv, pauseArgv, shutdownArgv, unpauseArgv} from '../../xen/xl.js'
import type {ActionContext} from '../action-context.js'
import {seconds, type ActionOf, type Perform} from '../actions/common.js'
import {endGroup, listDomains, noteDomain, ownDomain, remusProcess, uuidOf} from './state.js'

const CREATE_MS = 120_000
const DESTROY_MS = 60_000
const XL_MS = 20_000
const POLL_MS = 300
/** A guest that boots or powers off needs the processor more than xl does. */
const GUEST_POLL_MS = 1000
/** Looks in a row at which a guest waits for work: then it has booted. */
const IDLE_LOOKS = 6

export function layoutIn(context: ActionContext): XenLayout {
  return xenLayoutAt(context.pair, context.layout.runDir)
}

/** See the action `xen-domain`. */
export const xenDomain: Perform<ActionOf<'xen-domain'>> = async (action, context) => {
  return action.ensure === 'created' ? create(action.config, context) : destroyOwn(context)
}

async function create(config: string, context: ActionContext): Promise<'changed' | 'unchanged'> {
  const {run, files, pair} = context
  const layout = layoutIn(context)
  if ((await ownDomain(context, layout)) !== undefined) return 'unchanged'
  const known = await adopt(context, layout)
  if (known) return 'changed'
  await files.makeDirectory(context.layout.runDir, 0o711)
  await files.makeDirectory(layout.directory, 0o700)
  await files.writeAtomic(layout.configFile, config, 0o600)
  await run(createArgv(layout.configFile), {timeoutMs: CREATE_MS, signal: context.signal}).catch((error: unknown) => {
    throw createFailure(pair, error)
  })
  if (!(await adopt(context, layout))) {
    throw new StateError(`${pair}: xl created no domain of that name`, {actual: 'absent', required: ['paused']})
  }
  return 'changed'
}

/** xl says first what it reads, and last what it could not clean up; the cause stands where it first says `error`. */
function createFailure(pair: string, error: unknown): unknown {
  if (!(error instanceof ToolError) || error.failure.kind !== 'exit') return error
  const said = error.cause instanceof Error ? error.cause.message : ''
  const [cause] = said.split('\n').filter((line) => / error: /.test(line))
  if (cause === undefined) return error
  return new StateError(
    `xl could not create ${pair}: ${cause.replace(/^.* error: /, '')}`,
    {actual: 'absent', required: ['paused']},
    {cause: error, hint: `see /var/log/xen/qemu-dm-${pair}.log and /var/log/xen/xen-hotplug.log there`},
  )
}

/** Takes note of a domain of the pair's own name and uuid. @throws {ConflictError} when it is somebody else's */
async function adopt(context: ActionContext, layout: XenLayout): Promise<boolean> {
  const found = (await listDomains(context.run)).find(({name}) => name === layout.domain)
  if (found === undefined) return false
  const record = await context.record.read()
  if ((await uuidOf(context.run, found.domid)) !== record?.uuid) {
    throw new ConflictError(`Xen has a domain ${layout.domain} that is not the pair's`, {
      hint: `see it: xl list ${layout.domain}; rename the pair, or end that domain`,
    })
  }
  await noteDomain(context.files, layout, found.domid)
  return true
}

/** Destroys what is noted; on the primary also what a crash between creating and noting left. */
export async function destroyOwn(context: ActionContext): Promise<'changed' | 'unchanged'> {
  const layout = layoutIn(context)
  const record = await context.record.read()
  if (record?.role === 'primary' && (await ownDomain(context, layout)) === undefined) {
    await adopt(context, layout).catch((error: unknown) => {
      if (!(error instanceof ConflictError)) throw error
    })
  }
  const own = await ownDomain(context, layout)
  if (own !== undefined) {
    // xl remus holds pages of the domain: it would stay as a shell of itself while the relay holds xl
    const remus = await remusProcess(context.files, layout)
    await destroy(context, own, () => {
      if (remus?.alive === true) endGroup(remus)
    })
  }
  await context.files.remove(layout.domainState)
  await context.files.remove(layout.configFile)
  return own === undefined ? 'unchanged' : 'changed'
}

/**
 * Ends a domain and waits until it is gone.
 *
 * @param ended  called once Xen ends it, before the wait
 * @throws what xl says, when the domain is still there
 */
export async function destroy(
  context: ActionContext,
  {domid, name}: XlDomain,
  ended: () => void = () => undefined,
): Promise<void> {
  await context.run(destroyArgv(domid), {timeoutMs: DESTROY_MS}).catch(async (error: unknown) => {
    if ((await listDomains(context.run)).some((domain) => domain.domid === domid)) throw error
  })
  ended()
  await poll(context, {what: `domain ${name} to be gone`, timeoutMs: DESTROY_MS}, async () =>
    (await listDomains(context.run)).every((domain) => domain.domid !== domid),
  )
}

/** See the action `xen-run`. */
export const xenRun: Perform<ActionOf<'xen-run'>> = async ({state}, context) => {
  const own = await requireOwn(context)
  if ((own.state === 'paused') === (state === 'paused')) return 'unchanged'
  await context.run(state === 'paused' ? pauseArgv(own.domid) : unpauseArgv(own.domid), {timeoutMs: XL_MS})
  return 'changed'
}

/** See the action `xen-fence`. */
export const xenFence: Perform<ActionOf<'xen-fence'>> = async ({ensure}, context) => {
  const own = await ownDomain(context, layoutIn(context))
  if (own === undefined) return 'unchanged'
  const isPaused = own.state === 'paused'
  if (isPaused === (ensure === 'present')) return 'unchanged'
  await context.run(ensure === 'present' ? pauseArgv(own.domid) : unpauseArgv(own.domid), {timeoutMs: XL_MS})
  return 'changed'
}

/** See the action `xen-booted`. */
export const xenBooted: Perform<ActionOf<'xen-booted'>> = async ({timeoutMs}, context) => {
  const {domid} = await requireOwn(context)
  const path = `/local/domain/${domid}/control/feature-suspend`
  let idle = 0
  await poll(context, {what: 'the guest to boot', timeoutMs, everyMs: GUEST_POLL_MS}, async () => {
    const {stdout} = await context.run(['xenstore-read', path], {timeoutMs: XL_MS}).catch(() => ({stdout: ''}))
    if (stdout.trim() === '1') return true
    // without PV drivers a guest says nothing
    idle = (await isIdle(context, domid)) ? idle + 1 : 0
    return idle >= IDLE_LOOKS
  })
  return 'unchanged'
}

/** @throws {StateError} when it has ended */
async function isIdle(context: ActionContext, domid: number): Promise<boolean> {
  const {stdout} = await context
    .run(['xl', 'list', String(domid)], {timeoutMs: XL_MS})
    .catch(async (error: unknown) => {
      if ((await ownDomain(context, layoutIn(context))) !== undefined) throw error
      throw new StateError(
        `the guest of ${context.pair} ended while it booted`,
        {actual: 'absent', required: ['running']},
        {
          cause: error,
          hint: 'see its console under /var/log/xen/console there; a kernel needs more memory than it takes on disk',
        },
      )
    })
  return / -b---- /.test(stdout.replace(/\s+/g, ' '))
}

/** See the action `xen-shutdown`. */
export const xenShutdown: Perform<ActionOf<'xen-shutdown'>> = async ({timeoutMs}, context) => {
  const layout = layoutIn(context)
  const own = await ownDomain(context, layout)
  if (own === undefined) return 'unchanged'
  await context.run(shutdownArgv(own.domid), {timeoutMs: XL_MS})
  const wait = {what: `the guest of ${context.pair} to power off; it goes on`, timeoutMs, everyMs: GUEST_POLL_MS}
  await poll(context, wait, async () => {
    const now = await ownDomain(context, layout)
    return now === undefined || now.state === 'shutdown'
  })
  const left = await ownDomain(context, layout)
  if (left !== undefined) await destroy(context, left)
  await context.files.remove(layout.domainState)
  return 'changed'
}

export async function requireOwn(context: ActionContext): Promise<XlDomain> {
  const own = await ownDomain(context, layoutIn(context))
  if (own !== undefined) return own
  throw new StateError(`${context.pair}: its domain is not there`, {actual: 'absent', required: ['running', 'paused']})
}

/** Asks again until it is so. @throws {TimedOutError}, or the signal's reason */
export async function poll(
  context: Pick<ActionContext, 'clock' | 'signal'>,
  wait: {readonly what: string; readonly timeoutMs: number; readonly everyMs?: number},
  done: () => Promise<boolean>,
): Promise<void> {
  const endMs = context.clock.monotonic() + wait.timeoutMs
  while (!(await done())) {
    if (context.clock.monotonic() > endMs) {
      throw new TimedOutError(`waited ${seconds(wait.timeoutMs)} for ${wait.what}`, wait.timeoutMs)
    }
    await context.clock.sleep(wait.everyMs ?? POLL_MS, context.signal)
  }
}

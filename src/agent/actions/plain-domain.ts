import {ConflictError, StateError, TimedOutError} from '../../errors.js'
import {
  autostartArgv,
  defineArgv,
  definitionArgv,
  dominfoArgv,
  domstateArgv,
  parseDominfo,
  parseDomstate,
  shutdownArgv,
  snapshotsArgv,
  parseList,
  startArgv,
  undefineArgv,
} from '../../libvirt/virsh.js'
import type {Argv} from '../../os/process.js'
import type {ActionContext} from '../action-context.js'
import {saysNoDomain} from '../read-domain.js'
import {seconds, type ActionOf, type Perform} from './common.js'

/** The libvirt domain that a pair takes the place of, by its uuid: a name of digits would be taken for a number. */

const START_MS = 60_000
const POLL_MS = 300
/** states in which libvirt refuses to ask a guest for anything */
const STANDING_STILL: ReadonlySet<string> = new Set(['paused', 'crashed', 'pmsuspended'])

/** See the action `domain-shutdown`. */
export const shutdownDomain: Perform<ActionOf<'domain-shutdown'>> = async ({uuid, timeoutMs, must}, context) => {
  const state = await stateOf(context, uuid)
  if (isOff(state)) return 'unchanged'
  const name = await nameOf(context, uuid)
  if (state !== undefined && STANDING_STILL.has(state)) {
    // libvirt presses no button of a guest that stands still, and nobody would hear it
    const message = `domain ${name} is ${state}: its guest cannot power off`
    if (must) {
      const hint = 'let it go on (virsh resume, virsh dompmwakeup) or end it, then run the command again'
      throw new StateError(message, {actual: state, required: ['running', 'shut off']}, {hint})
    }
    context.report(message)
    return 'unchanged'
  }
  if (name === context.layout.domain) await context.vm.release() // its end is no fault
  await context.run(shutdownArgv(uuid))
  const endMs = context.clock.monotonic() + timeoutMs
  for (;;) {
    context.signal.throwIfAborted()
    if (isOff(await stateOf(context, uuid))) return 'changed'
    if (context.clock.monotonic() >= endMs) break
    context.report(`waiting until the guest of ${name} is off`)
    await context.clock.sleep(POLL_MS, context.signal)
  }
  const message = `domain ${name}: its guest was told to power off and still runs after ${seconds(timeoutMs)}`
  if (must) {
    throw new TimedOutError(message, timeoutMs, {
      hint: 'it may still power off later; shut it down from inside, then import it while it is off',
    })
  }
  context.report(message)
  return 'unchanged'
}

/** See the action `domain-start`. */
export const startDomain: Perform<ActionOf<'domain-start'>> = async ({uuid}, context) => {
  if ((await stateOf(context, uuid)) !== 'shut off') return 'unchanged'
  await context.run(startArgv(uuid), {timeoutMs: START_MS})
  return 'changed'
}

/** See the action `domain-undefine`. */
export const undefineDomain: Perform<ActionOf<'domain-undefine'>> = async ({uuid, xml}, context) => {
  const {origin} = (await context.record.read()) ?? {}
  if (origin?.xml !== xml) throw new ConflictError(`domain ${uuid}: its definition is not in the record of the pair`)
  const found = await textOf(context, definitionArgv(uuid))
  if (found === undefined) return 'unchanged'
  const {domain} = origin
  if (!isSame(found, xml)) {
    throw new ConflictError(`domain ${domain}: its definition was changed after it was looked at`, {
      hint: 'nothing is lost; run the command again to import it as it is now',
    })
  }
  await requireFree(context, uuid, domain)
  await context.run(undefineArgv(uuid))
  if ((await stateOf(context, uuid)) === undefined) return 'changed'
  // somebody started it between the look and the act: it goes on as before
  await defineDomain({kind: 'domain-define', uuid, xml, autostart: origin.autostart}, context)
  throw new ConflictError(`domain ${domain}: was started while it was being imported`)
}

/** See the action `domain-define`. */
export const defineDomain: Perform<ActionOf<'domain-define'>> = async ({uuid, xml, autostart}, context) => {
  const info = await textOf(context, dominfoArgv(uuid))
  const before = info === undefined ? undefined : parseDominfo(info)
  if (before?.persistent !== true) {
    const file = `${context.layout.stateDir}/plain.xml`
    await context.files.makeDirectory(context.layout.stateDir, 0o700)
    await context.files.writeAtomic(file, xml, 0o600)
    await context.run(defineArgv(file))
    await context.files.remove(file)
  }
  if (autostart && before?.autostart !== true) await context.run(autostartArgv(uuid))
  else if (before?.persistent === true) return 'unchanged'
  return 'changed'
}

async function requireFree(context: ActionContext, uuid: string, domain: string): Promise<void> {
  const state = await stateOf(context, uuid)
  const {managedSave} = parseDominfo((await context.run(dominfoArgv(uuid))).stdout)
  const snapshots = parseList((await context.run(snapshotsArgv(uuid))).stdout)
  const why =
    state !== 'shut off'
      ? `is ${state ?? 'gone'}`
      : managedSave
        ? 'has a managed save'
        : snapshots.length > 0
          ? 'has snapshots'
          : undefined
  if (why !== undefined)
    throw new StateError(`domain ${domain} ${why}`, {actual: state ?? 'absent', required: ['shut off']})
}

/** A guest that sets its clock changes `<clock adjustment>` of an offset that is variable. */
function isSame(a: string, b: string): boolean {
  const [one, other] = [a, b].map((xml) => xml.replace(/ adjustment='-?\d+'/, '').trim())
  return one === other
}

function isOff(state: string | undefined): boolean {
  return state === undefined || state === 'shut off'
}

async function nameOf(context: ActionContext, uuid: string): Promise<string> {
  return /^Name:\s+(.*\S)\s*$/m.exec((await textOf(context, dominfoArgv(uuid))) ?? '')?.[1] ?? uuid
}

async function stateOf(context: ActionContext, uuid: string): Promise<string | undefined> {
  const stdout = await textOf(context, domstateArgv(uuid))
  return stdout === undefined ? undefined : parseDomstate(stdout).state
}

/** Output of virsh, undefined when there is no such domain. */
async function textOf({run}: ActionContext, argv: Argv): Promise<string | undefined> {
  try {
    return (await run(argv)).stdout
  } catch (error) {
    if (saysNoDomain(error)) return undefined
    throw error
  }
}

import {randomBytes} from 'node:crypto'
import {ConflictError, TimedOutError, ToolError} from '../../errors.js'
import {
  createArgv,
  destroyArgv,
  domstateArgv,
  dumpxmlArgv,
  isNoDomain,
  isNotRunning,
  lifecycleArgvs,
  parseDomstate,
} from '../../libvirt/virsh.js'
import type {Argv} from '../../os/process.js'
import type {ActionContext} from '../action-context.js'
import {uuidOf} from '../read-domain.js'
import {seconds, type ActionOf, type Perform} from './common.js'

const CREATE_MS = 60_000
const ATTACH_MS = 30_000
/** libvirt waits 15 s for SIGTERM and as long for SIGKILL */
const DESTROY_MS = 60_000
const GONE_MS = 30_000

/** See the action `domain-create`. */
export const createDomain: Perform<ActionOf<'domain-create'>> = async ({domain, xml}, context) => {
  const state = await stateOf(context, domain)
  if (state === undefined) {
    await askLibvirt(context, xml)
    await context.vm.attach(ATTACH_MS)
    return 'changed'
  }
  if (state === 'shut off') {
    throw new ConflictError(`domain ${domain}: libvirt has a definition of that name, which is not colo's`, {
      hint: `save it with "virsh dumpxml ${domain}", then "virsh undefine ${domain}"`,
    })
  }
  const live = await xmlOf(context, domain)
  const running = uuidOf(live)
  if (running !== uuidOf(xml)) {
    throw new ConflictError(
      `domain ${domain}: runs with uuid ${running ?? '?'}, not ${uuidOf(xml) ?? '?'}: another VM of that name`,
    )
  }
  if (!live.includes(context.layout.agentSocket)) {
    throw new ConflictError(`domain ${domain}: runs as the plain VM it was before it became a pair`, {
      hint: 'shut it down; a second copy of it would destroy its disks',
    })
  }
  await context.vm.qmp() // connects where the agent does not hold it yet
  return 'unchanged'
}

/** The hook on this host lets a copy of a pair start only with the word that is noted while libvirt is being asked. */
async function askLibvirt({layout, files, run}: ActionContext, xml: string): Promise<void> {
  const {withStartWord} = await import('../../libvirt/start-word.js')
  const file = `${layout.stateDir}/domain.xml`
  const word = randomBytes(16).toString('hex')
  await files.writeAtomic(file, withStartWord(xml, word), 0o600)
  await files.writeAtomic(layout.startNote, `${word} ${process.pid}\n`, 0o600)
  try {
    await run(createArgv(file), {timeoutMs: CREATE_MS})
  } finally {
    await files.remove(layout.startNote)
  }
}

/** See the action `domain-destroy`. A domain of that name which is not this pair's is left alone. */
export const destroyDomain: Perform<ActionOf<'domain-destroy'>> = async ({domain}, context) => {
  const state = await stateOf(context, domain)
  if (state === undefined || state === 'shut off') return 'unchanged'
  if (!(await xmlOf(context, domain)).includes(context.layout.agentSocket)) {
    context.report(`domain ${domain} has no socket of this pair: it is another VM and is left alone`)
    return 'unchanged'
  }
  await context.vm.release()
  try {
    await context.run(destroyArgv(domain), {timeoutMs: DESTROY_MS})
  } catch (error) {
    if (!saysGone(error)) throw error
  }
  await untilGone(context, domain)
  return 'changed'
}

/** See the action `lifecycle`. libvirt refuses a domain that restarts after a power-off and ends at a reset, so the order matters. */
export const setLifecycle: Perform<ActionOf<'lifecycle'>> = async ({domain, poweroff, reboot}, context) => {
  const xml = await xmlOf(context, domain)
  const isSet = (name: string, action: string): boolean => xml.includes(`<on_${name}>${action}</on_${name}>`)
  if (isSet('poweroff', poweroff) && isSet('reboot', reboot)) return 'unchanged'
  for (const argv of lifecycleArgvs(domain, {poweroff, reboot})) await context.run(argv)
  return 'changed'
}

async function untilGone(context: ActionContext, domain: string): Promise<void> {
  const endMs = context.clock.monotonic() + GONE_MS
  for (;;) {
    const state = await stateOf(context, domain)
    if (state === undefined || state === 'shut off') return
    if (context.clock.monotonic() >= endMs) {
      throw new TimedOutError(`domain ${domain}: still ${state} ${seconds(GONE_MS)} after virsh destroy`, GONE_MS)
    }
    await context.clock.sleep(100)
  }
}

/** libvirt's word for the state, or undefined when it knows no such domain. */
async function stateOf(context: ActionContext, domain: string): Promise<string | undefined> {
  const stdout = await unlessGone(context, domstateArgv(domain))
  return stdout === undefined ? undefined : parseDomstate(stdout).state
}

async function xmlOf(context: ActionContext, domain: string): Promise<string> {
  return (await unlessGone(context, dumpxmlArgv(domain))) ?? ''
}

async function unlessGone({run}: ActionContext, argv: Argv): Promise<string | undefined> {
  try {
    return (await run(argv)).stdout
  } catch (error) {
    if (saysGone(error)) return undefined
    throw error
  }
}

function saysGone(error: unknown): boolean {
  if (!(error instanceof ToolError) || error.failure.kind !== 'exit') return false
  const stderr = `${error.failure.firstLine}\n${error.cause instanceof Error ? error.cause.message : ''}`
  return isNoDomain(stderr) || isNotRunning(stderr)
}

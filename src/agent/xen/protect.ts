import {StateError, ToolError} from '../../errors.js'
import {identify, isAlive, signalProcess} from '../../os/proc.js'
import {spawnDetached} from '../../os/spawn.js'
import type {ReceiveOrders, SendOrders} from '../../os/xen-relay/orders.js'
import {relayArgv} from '../../os/xen-relay/program.js'
import {hasTakenOver, readRemusEnd} from '../../xen/read.js'
import {monitorArgv, renameArgv, unpauseArgv} from '../../xen/xl.js'
import type {ActionContext} from '../action-context.js'
import type {ActionOf, Perform} from '../actions/common.js'
import {destroy, layoutIn, poll, requireOwn} from './domain.js'
import {endGroup, listDomains, noteDomain, ownDomain, readRelay, remusProcess, uuidOf} from './state.js'

const LISTEN_MS = 60_000
const STREAM_MS = 120_000
const END_MS = 60_000
const XL_MS = 20_000
/** The first copy of the memory takes seconds at least. */
const CHECKPOINT_POLL_MS = 1000

/** Runs what it is given and notes how that ended; nothing of a pair gets into this text. */
const noting = '"$@"; echo "colo: xl ended with $?"'

/** See the action `xen-receive`. */
export const xenReceive: Perform<ActionOf<'xen-receive'>> = async (action, context) => {
  if (action.ensure === 'absent') return endReceiver(context)
  const layout = layoutIn(context)
  const running = await readRelay(context.files, layout.receiverState)
  if (running?.alive === true && running.phase === 'listening') return 'unchanged'
  await endReceiver(context)
  const {address, port, argv} = action
  const orders: ReceiveOrders = {
    role: 'receive',
    address,
    port,
    key: await keyOf(context),
    state: layout.receiverState,
    argv,
    fifo: layout.fifo,
    log: layout.receiverLog,
  }
  await writeOrders(context, layout.receiverOrders, orders)
  const relay = await identify(await spawnDetached(relayArgv(layout.receiverOrders), layout.receiverLog))
  await poll(context, {what: 'the relay to listen', timeoutMs: LISTEN_MS}, async () => {
    const state = await readRelay(context.files, layout.receiverState)
    if (state?.phase === 'failed') throw broken(context, 'the relay could not listen', state.reason)
    if (state === undefined && (relay === undefined || !(await isAlive(relay)))) {
      const log = (await context.files.readText(layout.receiverLog)) ?? ''
      throw broken(context, 'the relay ended before it listened', lastLine(log))
    }
    return state?.phase === 'listening'
  })
  return 'changed'
}

/** The receiver first: it must not take over while its domain is being destroyed. */
async function endReceiver(context: ActionContext): Promise<'changed' | 'unchanged'> {
  const {files, run} = context
  const layout = layoutIn(context)
  const relay = await readRelay(files, layout.receiverState)
  if (relay !== undefined) {
    await signalProcess(relay, 'SIGTERM')
    await poll(context, {what: 'the relay to end', timeoutMs: END_MS}, async () => {
      return (await readRelay(files, layout.receiverState))?.alive !== true
    })
    for (const left of [relay.receiver, relay.holder]) if (left !== undefined) await signalProcess(left, 'SIGKILL')
  }
  // only what was received here: two hosts on one Xen see each other's domains
  const incoming = relay === undefined ? undefined : (await listDomains(run)).find(({name}) => name === layout.incoming)
  const uuid = (await context.record.read())?.uuid
  const isOurs = incoming !== undefined && uuid !== undefined && (await uuidOf(run, incoming.domid)) === uuid
  if (isOurs) await destroy(context, incoming)
  for (const file of [layout.receiverState, layout.receiverOrders, layout.receiverLog, layout.fifo])
    await files.remove(file)
  return relay !== undefined || isOurs ? 'changed' : 'unchanged'
}

/** See the action `xen-protect`. */
export const xenProtect: Perform<ActionOf<'xen-protect'>> = async (action, context) => {
  if (action.ensure === 'absent') return releasePrimary(context, action.timeoutMs)
  const {files, pair} = context
  const layout = layoutIn(context)
  if ((await remusProcess(files, layout))?.alive === true) return 'unchanged'
  const {address, port, local} = action
  for (const file of [layout.senderState, layout.remusLog]) await files.remove(file)
  const orders: SendOrders = {role: 'send', address, port, local, key: await keyOf(context), state: layout.senderState}
  await writeOrders(context, layout.senderOrders, orders)
  await files.writeAtomic(layout.transport, transportScript(layout.senderOrders), 0o700)
  const argv = action.argv.map((word) => (word === 'TRANSPORT' ? layout.transport : word))
  const pid = await spawnDetached(['sh', '-c', noting, 'xl-remus', ...argv], layout.remusLog)
  const id = await identify(pid)
  if (id !== undefined) await files.writeAtomic(layout.remusState, `${JSON.stringify(id)}\n`, 0o600)
  await poll(context, {what: `the stream of ${pair} to flow`, timeoutMs: STREAM_MS}, async () => {
    const sender = await readRelay(files, layout.senderState)
    if (sender?.phase === 'streaming') return true
    if ((await remusProcess(files, layout))?.alive === true) return false
    throw await remusFailure(context)
  })
  return 'changed'
}

/** Started by xl through a shell, with the host and the receiver's command behind it. */
function transportScript(ordersFile: string): string {
  const words = relayArgv(ordersFile).map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  return `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`
}

/** Why `xl remus` ended. */
async function remusFailure(context: ActionContext): Promise<StateError> {
  const layout = layoutIn(context)
  const log = (await context.files.readText(layout.remusLog)) ?? ''
  const relay = await readRelay(context.files, layout.senderState)
  const end = readRemusEnd(log)
  const reason = end.code === 'unknown' && relay?.phase === 'failed' ? (relay.reason ?? end.reason) : end.reason
  return broken(context, `xl could not protect ${context.pair}`, reason, end.remedy)
}

/** See the action `xen-protect`, absent: the guest goes on alone. Never by killing xl, which would let the other side take over. */
async function releasePrimary(context: ActionContext, timeoutMs: number): Promise<'changed' | 'unchanged'> {
  const {files, run} = context
  const layout = layoutIn(context)
  const remus = await remusProcess(files, layout)
  const sender = await readRelay(files, layout.senderState)
  if (sender !== undefined) await signalProcess(sender, 'SIGUSR2')
  const gone = (await ownDomain(context, layout)) === undefined
  if (remus?.alive === true && gone) {
    endGroup(remus) // there is no primary any more that it could let go on, and the other side has its grant or has ended
  } else if (remus?.alive === true) {
    await poll(context, {what: 'xl to let the primary go on', timeoutMs}, async () => {
      const now = await readRelay(files, layout.senderState)
      // one that xl started only now
      if (now?.alive === true) await signalProcess(now, 'SIGUSR2')
      return (await remusProcess(files, layout))?.alive !== true
    })
  }
  const own = await ownDomain(context, layout)
  if (own?.state === 'paused') await run(unpauseArgv(own.domid), {timeoutMs: XL_MS})
  for (const file of [layout.remusState, layout.senderState, layout.senderOrders, layout.transport])
    await files.remove(file)
  return remus === undefined ? 'unchanged' : 'changed'
}

/** See the action `xen-checkpoint`. */
export const xenCheckpoint: Perform<ActionOf<'xen-checkpoint'>> = async ({timeoutMs}, context) => {
  const layout = layoutIn(context)
  await poll(context, {what: `a checkpoint of ${context.pair}`, timeoutMs, everyMs: CHECKPOINT_POLL_MS}, async () => {
    const relay = await readRelay(context.files, layout.receiverState)
    if (relay?.alive !== true || relay.phase !== 'streaming') {
      throw receiverFailure(context, (await context.files.readText(layout.receiverLog)) ?? '', relay?.reason)
    }
    return (relay.checkpoints ?? 0) >= 2
  })
  const incoming = (await listDomains(context.run)).find(({name}) => name === layout.incoming)
  if (incoming === undefined) throw broken(context, `there is no domain ${layout.incoming}`, undefined)
  await noteDomain(context.files, layout, incoming.domid)
  return 'changed'
}

/** The cause where the receiver's words are known, else its own first complaint. */
function receiverFailure(context: ActionContext, log: string, ended: string | undefined): StateError {
  const what = 'the stream ended before the first checkpoint'
  const {code, reason, remedy} = readRemusEnd(log)
  if (code !== 'unknown' && code !== 'receiver-refused') return broken(context, what, reason, remedy)
  const said = log.split('\n').find((line) => /error|[Ff]ailed|not supported/.test(line))
  return broken(context, what, said ?? ended)
}

/** See the action `xen-takeover`. */
export const xenTakeover: Perform<ActionOf<'xen-takeover'>> = async ({monitor, timeoutMs}, context) => {
  const {files, run} = context
  const layout = layoutIn(context)
  const {domid, name, state} = await requireOwn(context)
  const before = await readRelay(files, layout.receiverState)
  if (before === undefined && name === layout.domain && state !== 'paused') return 'unchanged'
  if (before?.alive === true) await signalProcess(before, 'SIGUSR2')
  await poll(context, {what: `the copy of ${context.pair} to take over`, timeoutMs}, async () => {
    const relay = await readRelay(files, layout.receiverState)
    const log = (await files.readText(layout.receiverLog)) ?? ''
    const own = await ownDomain(context, layout)
    if (own === undefined) throw broken(context, 'the copy ended while it took over', lastLine(log))
    return (relay?.alive !== true || hasTakenOver(log)) && own.state === 'running'
  })
  for (const command of monitor) await run(monitorArgv(domid, command), {timeoutMs: XL_MS})
  for (const file of [layout.receiverState, layout.receiverOrders, layout.fifo]) await files.remove(file)
  return 'changed'
}

/** See the action `xen-name`. xl renames what took over, unless the name was taken a moment ago. */
export const xenName: Perform<ActionOf<'xen-name'>> = async ({timeoutMs}, context) => {
  const layout = layoutIn(context)
  if ((await requireOwn(context)).name === layout.domain) return 'unchanged'
  await poll(context, {what: `the domain to be called ${layout.domain}`, timeoutMs}, async () => {
    const {domid, name} = await requireOwn(context)
    if (name === layout.domain) return true
    await context.run(renameArgv(domid, layout.domain), {timeoutMs: XL_MS}).catch((error: unknown) => {
      if (!(error instanceof ToolError)) throw error
    })
    return false
  })
  return 'changed'
}

async function keyOf(context: ActionContext): Promise<string> {
  const record = await context.record.read()
  if (record === undefined) throw broken(context, 'there is no record of it', undefined)
  return record.beaconKey
}

async function writeOrders(context: ActionContext, file: string, orders: SendOrders | ReceiveOrders): Promise<void> {
  const {directory} = layoutIn(context)
  await context.files.makeDirectory(context.layout.runDir, 0o711)
  await context.files.makeDirectory(directory, 0o700)
  await context.files.writeAtomic(file, JSON.stringify(orders), 0o600)
}

function lastLine(log: string): string | undefined {
  return log
    .split('\n')
    .filter((line) => line.trim() !== '')
    .at(-1)
}

function broken(context: ActionContext, what: string, why: string | undefined, remedy?: string): StateError {
  const message = why === undefined ? what : `${what}: ${why}`
  const hint = remedy ?? `see /var/log/xen, and ${layoutIn(context).directory} on this host`
  return new StateError(message, {actual: 'failed', required: ['streaming']}, {hint})
}

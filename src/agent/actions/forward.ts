import {RefusedError} from '../../errors.js'
import {netdevAdd, netdevDel} from '../../net/netdev.js'
import {wishOf} from '../../net/forward/wish.js'
import {forbidsOutput} from '../../pair/grant.js'
import type {ForwardPath} from '../../plan/action.js'
import {QmpCommandError} from '../../qmp/errors.js'
import type {ActionContext} from '../action-context.js'
import {send, type ActionOf, type Perform} from './common.js'
import {qemuOwner} from './qemu-owner.js'

/** See the action `forward`. */
export const forward: Perform<ActionOf<'forward'>> = async (action, context) => {
  if (action.paths.length === 0) return 'unchanged'
  if (action.ensure === 'absent') {
    return (await context.forwarding.absent(action.paths)) ? 'changed' : 'unchanged'
  }
  const {uid} = await qemuOwner(context)
  const {role, mirror} = action
  const wishes = action.paths.map((path) => wishOf(path, {role, mirror, uid}))
  return (await context.forwarding.present(wishes)) ? 'changed' : 'unchanged'
}

/** See the action `forward-release`. As for a tap, a copy that lost stays silent, whoever asks (S1). */
export const releaseForward: Perform<ActionOf<'forward-release'>> = async ({paths}, context) => {
  if (paths.length === 0) return 'unchanged'
  const record = await context.record.read()
  const why = record === undefined ? undefined : forbidsOutput(record)
  if (why !== undefined) {
    throw new RefusedError(`tap ${paths.map(({tap}) => tap).join(', ')} stays out of the bridge: ${why}`)
  }
  await context.forwarding.release(paths)
  return 'changed'
}

/** The primary's mirrors begin, at the switchover into lock-step. @returns whether anything had to be done */
export async function mirrorsOn(paths: readonly ForwardPath[], context: ActionContext): Promise<boolean> {
  if (paths.length === 0) return false
  const {uid} = await qemuOwner(context)
  return context.forwarding.present(paths.map((path) => wishOf(path, {role: 'primary', mirror: true, uid})))
}

/** Takes them away again. */
export async function mirrorsOff(paths: readonly ForwardPath[], context: ActionContext): Promise<void> {
  if (paths.length === 0) return
  const {uid} = await qemuOwner(context)
  await context.forwarding.present(paths.map((path) => wishOf(path, {role: 'primary', mirror: false, uid})))
}

/** See the action `netdev`. QEMU lists netdevs to people only, so what it refuses tells that one is there, or not. */
export const netdev: Perform<ActionOf<'netdev'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  const command = action.ensure === 'absent' ? netdevDel(action.id) : netdevAdd(action.id, action.backend)
  try {
    await send(qmp, command)
    return 'changed'
  } catch (error) {
    if (!(error instanceof QmpCommandError)) throw error
    const done = action.ensure === 'absent' ? error.class === 'DeviceNotFound' : /duplicate/i.test(error.desc)
    if (done) return 'unchanged'
    throw error
  }
}

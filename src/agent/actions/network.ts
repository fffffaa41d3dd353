import {ConflictError, NotFoundError, RefusedError} from '../../errors.js'
import {chardevAdd, chardevRemove, fitsBackend} from '../../net/chardev.js'
import {announceSelf} from '../../net/migration.js'
import {isFilter, objectAdd, objectDel, objectPath, objectSet} from '../../net/objects.js'
import {forbidsOutput} from '../../pair/grant.js'
import {queryColoStatus} from '../../qmp/commands/colo.js'
import {queryChardev} from '../../qmp/commands/chardevs.js'
import {qomGet, qomList} from '../../qmp/commands/objects.js'
import {QmpCommandError} from '../../qmp/errors.js'
import type {QmpSession} from '../../qmp/session.js'
import type {ActionContext} from '../action-context.js'
import {setTap} from '../tap.js'
import {send, settle, type ActionOf, type Perform} from './common.js'

/** See the action `chardev`. One of the same id but of another kind, port or path, as of the former role, is replaced. */
export const chardev: Perform<ActionOf<'chardev'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  const found = (await queryChardev(qmp)).find(({label}) => label === action.id)
  if (action.ensure === 'absent') {
    if (found === undefined) return 'unchanged'
    await send(qmp, chardevRemove(action.id))
    return 'changed'
  }
  if (found !== undefined) {
    if (fitsBackend(found.filename, action.backend)) return 'unchanged'
    await send(qmp, chardevRemove(action.id))
  }
  await send(qmp, chardevAdd(action.id, action.backend, qmp.greeting.version))
  return 'changed'
}

/** See the action `chardev-await`. No event tells of a connection, so it polls. */
export const awaitChardevs: Perform<ActionOf<'chardev-await'>> = async ({ids, timeoutMs}, context) => {
  const qmp = await context.vm.qmp()
  const wait = {what: `the peer to connect to ${ids.join(', ')}`, events: [], timeoutMs, signal: context.signal}
  await settle(context, qmp, wait, async () => {
    const chardevs = await queryChardev(qmp)
    const missing = ids.find((id) => !chardevs.some(({label}) => label === id))
    if (missing !== undefined) throw new NotFoundError(`${context.pair} has no chardev ${missing}`)
    return ids.every((id) => chardevs.some(({label, connected}) => label === id && connected)) ? true : undefined
  })
  return 'unchanged'
}

/** See the action `object`. */
export const object: Perform<ActionOf<'object'>> = async (action, context) => {
  const qmp = await context.vm.qmp()
  const objects = await objectsOf(qmp)
  const found = objects.get(action.id)
  if (action.ensure === 'absent') {
    if (found === undefined) return 'unchanged'
    await refuseRelease(action.id, context, qmp)
    await send(qmp, objectDel(action.id))
    return 'changed'
  }
  const {id, type, properties, before} = action
  if (found === undefined) {
    const place = before !== undefined && isFilter(type) && objects.has(before) ? before : undefined
    await send(qmp, objectAdd({type, id, properties, before: place}))
    return 'changed'
  }
  if (found === type) return 'unchanged'
  throw new ConflictError(`object ${id} of ${context.pair} exists as ${found}, wanted is ${type}`)
}

/** Without its capture filter a guest is heard at once; a primary in lock-step keeps it until its record says that it is alone (S2). */
async function refuseRelease(id: string, {pair, layout, record}: ActionContext, qmp: QmpSession): Promise<void> {
  if (!layout.nics.some(({objects}) => objects.capture === id)) return
  const known = await record.read()
  if (known?.role !== 'primary' || known.alone || (await queryColoStatus(qmp)).mode !== 'primary') return
  throw new RefusedError(`${id} of ${pair} stays: the record of ${known.host} does not say that it goes on alone`)
}

/** See the action `object-set`. */
export const setObject: Perform<ActionOf<'object-set'>> = async ({id, property, value}, context) => {
  const qmp = await context.vm.qmp()
  if ((await qomGet(qmp, {path: objectPath(id), property})) === value) return 'unchanged'
  await send(qmp, objectSet(id, property, value))
  return 'changed'
}

/** See the action `tap`. One of a copy that lost stays down, whoever asks (S1). */
export const tap: Perform<ActionOf<'tap'>> = async ({tap: name, state}, {files, record}) => {
  const known = state === 'up' ? await record.read() : undefined
  const why = known === undefined ? undefined : forbidsOutput(known)
  if (why !== undefined) throw new RefusedError(`tap ${name} stays down: ${why}`)
  return setTap(files, name, state)
}

/** See the action `announce`. */
export const announce: Perform<ActionOf<'announce'>> = async (_, context) => {
  await send(await context.vm.qmp(), announceSelf)
  return 'changed'
}

/** Types of the objects below /objects, by id. QEMU 7.2 has no such place before the first one is made. */
async function objectsOf(qmp: QmpSession): Promise<ReadonlyMap<string, string>> {
  try {
    const children = (await qomList(qmp, '/objects')).map(({name, type}): [string, string] => {
      return [name, /^child<(.+)>$/.exec(type)?.[1] ?? '']
    })
    return new Map(children.filter(([, type]) => type !== ''))
  } catch (error) {
    if (error instanceof QmpCommandError && error.class === 'DeviceNotFound') return new Map()
    throw error
  }
}

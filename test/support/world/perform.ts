import type {ActionContext, ActionOutcome} from '../../../src/agent/action-context.js'
import {destroyDomain} from '../../../src/agent/actions/domain.js'
import * as plain from '../../../src/agent/actions/plain-domain.js'
import {tap} from '../../../src/agent/actions/network.js'
import {
  changeRecord,
  createRecord,
  recordImages,
  removeRecord,
  verifyImages,
  verifyRest,
} from '../../../src/agent/actions/records.js'
import {followStop} from '../../../src/agent/actions/stop.js'
import {ConflictError, NotFoundError, RefusedError, StateError, TimedOutError} from '../../../src/errors.js'
import {cleanStopOf} from '../../../src/pair/clean-stop.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {Action} from '../../../src/plan/action.js'
import type {ModelAgent} from './agent.js'
import {Qemu} from './qemu.js'

type Of<K extends Action['kind']> = Extract<Action, {readonly kind: K}>

/** Does to the model what the action of the same name does to a host. Records and taps are the real code over files in memory. */
export async function performModel(agent: ModelAgent, action: Action, context: ActionContext): Promise<ActionOutcome> {
  const {host} = agent
  switch (action.kind) {
    case 'directory':
    case 'directory-remove':
    case 'announce':
    case 'tcg-settle':
    case 'checkpoint-await':
    case 'image-own':
    case 'lifecycle':
    case 'forward':
    case 'forward-release':
    case 'netdev':
      return 'unchanged'
    case 'images-verify':
      return verifyImages(action, context)
    case 'image-create':
      return imageCreate(agent, action)
    case 'file-remove':
      return fileRemove(agent, action)
    case 'overlays-merge':
      return overlaysMerge(agent)
    case 'domain-create':
      return domainCreate(agent, action, context)
    case 'domain-destroy':
      return destroyDomain(action, context)
    case 'domain-shutdown':
      return plain.shutdownDomain(action, context)
    case 'domain-start':
      return plain.startDomain(action, context)
    case 'domain-undefine':
      return plain.undefineDomain(action, context)
    case 'domain-define':
      return plain.defineDomain(action, context)
    case 'power-off':
      return powerOff(agent, action, context)
    case 'stop-follow':
      return followStop(action, context)
    case 'images-at-rest':
      return verifyRest(action, context)
    case 'record-create':
      return createRecord(action, context)
    case 'record-change':
      return changeRecord(action, context)
    case 'record-images':
      return recordImages(action, context)
    case 'record-remove':
      return removeRecord(action, context)
    case 'tap':
      return tap(action, context)
    case 'tap-filter':
      if (action.ensure === 'present') host.tapTables.add(action.table)
      else host.tapTables.delete(action.table)
      return 'changed'
    case 'firewall':
      if (action.ensure === 'present') host.firewalls.add(action.table)
      else host.firewalls.delete(action.table)
      return 'changed'
    case 'protection-begin':
      return protectionBegin(agent)
    case 'commit-follow':
      agent.following = true
      await agent.lookAtCommit()
      return 'changed'
    default:
      return onQemu(agent, qemuOf(agent, action.kind), action, context)
  }
}

/** Actions that need a QEMU that answers. */
async function onQemu(agent: ModelAgent, qemu: Qemu, action: Action, context: ActionContext): Promise<ActionOutcome> {
  switch (action.kind) {
    case 'vm-continue':
      if (qemu.mode === 'none' && qemu.migration !== 'active') qemu.status = 'running'
      return 'changed'
    case 'vm-await':
      if (action.states.includes(qemu.status)) return 'unchanged'
      throw new TimedOutError(`waited for ${action.states.join()}: it is ${qemu.status}`, action.timeoutMs)
    case 'nbd-server':
      qemu.nbdServer = action.ensure === 'present'
      if (!qemu.nbdServer) qemu.exported = false
      return 'changed'
    case 'export':
      if (!qemu.nbdServer) throw new StateError('no NBD server', {actual: 'none', required: ['running']})
      qemu.exported = true
      return 'changed'
    case 'nbd-node':
      return nbdNode(agent, qemu, action)
    case 'quorum-child-add':
      if (qemu.nbd === undefined) throw new StateError('no such node', {actual: 'none', required: ['nbd']})
      qemu.child = true
      return 'changed'
    case 'quorum-child-remove':
      qemu.child = false
      return 'changed'
    case 'power-button':
      return 'changed' // what a secondary's guest does is set right by the next checkpoint
    case 'mirrors':
    case 'mirrors-finish':
      return mirrors(agent, qemu, action)
    case 'mirrors-abort':
      qemu.mirror = undefined
      return 'changed'
    case 'chardev':
      return chardev(qemu, action)
    case 'chardev-await':
      if (action.ids.every((id) => agent.world.connected(qemu, id))) return 'unchanged'
      throw new TimedOutError(`${action.ids.join()} is not connected`, action.timeoutMs)
    case 'object':
      return object(qemu, action, await context.record.read())
    case 'object-set':
      for (const [id, each] of qemu.objects) if (id === action.id) each.on = action.value === 'on'
      return 'changed'
    default:
      return onMigration(agent, qemu, action, context)
  }
}

async function onMigration(
  agent: ModelAgent,
  qemu: Qemu,
  action: Action,
  context: ActionContext,
): Promise<ActionOutcome> {
  switch (action.kind) {
    case 'colo-capabilities':
      qemu.capabilities = true
      return 'changed'
    case 'incoming':
      qemu.listening = true
      return 'changed'
    case 'migrate':
      return migrate(agent, qemu, action)
    case 'migrate-cancel':
      if (qemu.migration !== 'active' && qemu.status !== 'finish-migrate') return 'unchanged'
      takeBack(qemu)
      return 'changed'
    case 'colo-await':
      if (qemu.mode === action.role && qemu.lockStep) return 'unchanged'
      throw new TimedOutError(`not in lock-step as ${action.role}`, action.timeoutMs)
    case 'checkpoint':
      if (qemu.mode !== 'primary') throw new StateError('no primary', {actual: qemu.mode, required: ['primary']})
      if (!qemu.lockStep) throw new TimedOutError('no checkpoint was completed', action.timeoutMs)
      qemu.checkpoint()
      return 'changed'
    case 'yank':
      agent.host.protection.active = false
      if (qemu.nbd !== undefined) qemu.nbd.cut = true
      if (qemu.stream !== undefined) qemu.stream.cut = true
      return 'changed'
    case 'lost-heartbeat':
      return lostHeartbeat(agent, qemu, {context, unheard: action.unheard === true})
    default:
      throw new Error(`the model has no ${action.kind}: add its effect to test/support/world/perform.ts`)
  }
}

/** As the real action, but for the guest. */
async function powerOff(
  agent: ModelAgent,
  {how, timeoutMs}: Of<'power-off'>,
  context: ActionContext,
): Promise<ActionOutcome> {
  const {host, world} = agent
  const record = await context.record.read()
  if (record !== undefined && cleanStopOf(record) !== undefined) return 'unchanged'
  const qemu = qemuOf(agent, 'power-off')
  if (how === 'button') qemu.pressButton()
  else {
    qemu.status = 'paused'
    await world.point(`${host.name} guest stopped`)
    context.vm.powerCut()
    world.powerOff(host)
  }
  await context.vm.stopped(timeoutMs, context.signal)
  return 'changed'
}

function qemuOf({host}: ModelAgent, kind: string): Qemu {
  if (host.qemu !== undefined) return host.qemu
  throw new StateError(`no QEMU on ${host.name} for ${kind}`, {actual: 'absent', required: ['running']})
}

function imageCreate({host}: ModelAgent, {path, existing}: Of<'image-create'>): ActionOutcome {
  const {files, qemu} = host
  if (existing === 'keep') {
    if (files.image !== undefined) return 'unchanged'
    files.image = [0, 0]
    return 'changed'
  }
  if (qemu?.overlays === true) return 'unchanged' // open
  if (path.includes('.active.')) files.active = new Map()
  else files.hidden = new Map()
  return 'changed'
}

function fileRemove({host, world}: ModelAgent, {path}: Of<'file-remove'>): ActionOutcome {
  if (path.includes('.active.')) host.files.active = undefined
  else if (path.includes('.hidden.')) host.files.hidden = undefined
  else if (world.images.has(path)) host.files.image = undefined
  else host.texts.delete(path)
  return 'changed'
}

function overlaysMerge({host}: ModelAgent): ActionOutcome {
  const {files, qemu} = host
  if (qemu !== undefined) throw new ConflictError('the image is in use')
  const {active, hidden, image} = files
  if (active === undefined || hidden === undefined || image === undefined)
    throw new NotFoundError('an overlay is gone', {hint: 'to start from the disk alone: --force overlays-lost'})
  files.image = image.map((value, sector) => active.get(sector) ?? hidden.get(sector) ?? value)
  return 'changed'
}

async function domainCreate(
  agent: ModelAgent,
  {xml}: Of<'domain-create'>,
  {files}: ActionContext,
): Promise<ActionOutcome> {
  const {host, world} = agent
  const uuid = /<uuid>([^<]+)</.exec(xml)?.[1] ?? ''
  if (host.qemu !== undefined) {
    if (host.qemu.uuid === uuid) return 'unchanged'
    throw new ConflictError('runs with another uuid')
  }
  const born = xml.includes('-incoming') ? 'secondary' : 'primary'
  if (host.files.image === undefined) throw new NotFoundError('no image')
  if (host.plain?.running === true) throw new ConflictError('the image is in use')
  if (born === 'secondary' && (host.files.active === undefined || host.files.hidden === undefined))
    throw new NotFoundError('no overlays')
  await files.makeDirectory('', 0)
  const qemu = new Qemu({uuid, born, files: host.files, host: host.name})
  for (const {tap: name, objects, chardevs} of world.layout.nics) {
    host.taps.set(name, 'up')
    if (born === 'primary') continue
    qemu.chardevs.set(chardevs.mirrorLink, 'client').set(chardevs.compareLink, 'client')
    qemu.objects
      .set(objects.inject, {type: 'inject', on: true, uses: [chardevs.mirrorLink]})
      .set(objects.divert, {type: 'divert', on: true, uses: [chardevs.compareLink]})
      .set(objects.rewriter, {type: 'filter-rewriter', on: true, uses: []})
  }
  host.qemu = qemu
  host.socket = true
  agent.stop.attached()
  return 'changed'
}

function protectionBegin(agent: ModelAgent): ActionOutcome {
  const {host, world} = agent
  if (!world.replicationConnected(host)) {
    throw new StateError('0 of 1 NBD connections are there', {actual: '0', required: ['1']})
  }
  host.protection = {active: true, latched: [], blindSince: undefined}
  return 'changed'
}

function nbdNode({world}: ModelAgent, qemu: Qemu, action: Of<'nbd-node'>): ActionOutcome {
  if (action.ensure === 'absent') {
    if (qemu.nbd === undefined) return 'unchanged'
    if (qemu.child || qemu.mirror !== undefined)
      throw new StateError('the node is in use', {actual: 'used', required: ['free']})
    qemu.nbd = undefined
    return 'changed'
  }
  if (qemu.nbd !== undefined) return 'unchanged'
  const peer = world.at(action.address).qemu
  if (peer?.exported !== true) throw new StateError('refused', {actual: 'no export', required: ['export']})
  qemu.nbd = {peer, cut: false}
  return 'changed'
}

async function mirrors(
  {world, host}: ModelAgent,
  qemu: Qemu,
  {kind}: Of<'mirrors'> | Of<'mirrors-finish'>,
): Promise<ActionOutcome> {
  const copy = (): void => {
    if (!qemu.replicates) throw new StateError('the mirror failed', {actual: 'failed', required: ['ready']})
    const target = qemu.nbd?.peer.files
    if (target !== undefined) target.image = qemu.view
  }
  if (qemu.child) {
    if (qemu.status === 'paused') qemu.status = 'running' // stopped by a run that was cut off
    return 'unchanged'
  }
  if (kind === 'mirrors') {
    copy()
    qemu.mirror = 'ready'
    return 'changed'
  }
  if (qemu.mirror !== 'ready') throw new StateError('no mirror', {actual: 'none', required: ['ready']})
  const ran = qemu.status === 'running'
  qemu.status = 'paused'
  await world.point(`${host.name} guest stopped`)
  copy()
  qemu.child = true
  await world.point(`${host.name} child attached`)
  qemu.mirror = undefined
  if (ran && qemu.alive) qemu.status = 'running'
  return 'changed'
}

function chardev(qemu: Qemu, action: Of<'chardev'>): ActionOutcome {
  const busy = [...qemu.objects.values()].some(({uses}) => uses.includes(action.id))
  const found = qemu.chardevs.get(action.id)
  const kind = action.ensure === 'absent' ? undefined : action.backend.type.endsWith('server') ? 'server' : 'client'
  if (found === kind) return 'unchanged'
  if (found !== undefined && busy) throw new StateError(`${action.id} is busy`, {actual: 'busy', required: ['free']})
  if (kind === undefined) qemu.chardevs.delete(action.id)
  else qemu.chardevs.set(action.id, kind)
  return 'changed'
}

function object(qemu: Qemu, action: Of<'object'>, record: PairRecord | undefined): ActionOutcome {
  if (action.ensure === 'absent') {
    if (
      action.id.endsWith('-capture') &&
      record?.alone === false &&
      record.role === 'primary' &&
      qemu.mode === 'primary'
    )
      throw new RefusedError('its record does not say that it goes on alone')
    return qemu.objects.delete(action.id) ? 'changed' : 'unchanged'
  }
  if (qemu.objects.has(action.id)) return 'unchanged'
  const {type, properties} = action
  const uses = ['outdev', 'indev', 'primary_in', 'secondary_in'].flatMap((key) => {
    const value = properties[key]
    return typeof value === 'string' ? [value] : []
  })
  for (const id of uses) {
    if (!qemu.chardevs.has(id)) throw new StateError(`no chardev ${id}`, {actual: 'none', required: [id]})
  }
  const named = action.id.endsWith('-capture') ? 'capture' : type
  qemu.objects.set(action.id, {type: named, on: properties['status'] !== 'off', uses})
  return 'changed'
}

async function migrate(agent: ModelAgent, qemu: Qemu, action: Of<'migrate'>): Promise<ActionOutcome> {
  const {world, host} = agent
  if (qemu.migration === 'colo') return 'unchanged'
  const peer = world.at(action.address).qemu
  if (peer?.listening !== true || !peer.capabilities || !qemu.capabilities)
    throw new StateError('the migration failed', {actual: 'failed', required: ['colo']})
  qemu.migration = 'active'
  if (action.guest === 'stands-still') qemu.status = 'paused'
  await world.point(`${host.name} migrating`)
  switchFilters(qemu, action.filtersOn, true)
  await world.point(`${host.name} before the switch-over`)
  if (!peer.alive || !qemu.alive || peer.stream !== undefined) {
    if (qemu.alive) takeBack(qemu, action.filtersOn)
    throw new StateError('the migration failed', {actual: 'failed', required: ['colo']})
  }
  const stream = {primary: qemu, secondary: peer, cut: false}
  for (const [each, mode] of [[qemu, 'primary'] as const, [peer, 'secondary'] as const]) {
    each.stream = stream
    each.mode = mode
    each.migration = 'colo'
    each.status = 'running'
  }
  qemu.checkpoint()
  return 'changed'
}

/** As `migrate-cancel`: the filters stay on when nobody says which, and hold the output. */
function takeBack(qemu: Qemu, filters: readonly string[] = []): void {
  qemu.migration = 'cancelled'
  switchFilters(qemu, filters, false)
  qemu.status = 'running'
}

function switchFilters(qemu: Qemu, ids: readonly string[], on: boolean): void {
  for (const [id, each] of qemu.objects) if (ids.includes(id)) each.on = on
}

async function lostHeartbeat(
  agent: ModelAgent,
  qemu: Qemu,
  {context, unheard}: {readonly context: ActionContext; readonly unheard: boolean},
): Promise<ActionOutcome> {
  if (qemu.mode === 'none') return 'unchanged'
  const record = await context.record.read()
  const onTrial = unheard && record?.marks.incomplete?.why === 'commit' && !agent.host.tapUp(agent.world.layout)
  if (record?.alone === false && !onTrial) throw new RefusedError('its record does not say that it goes on alone')
  if (qemu.stream !== undefined) qemu.stream.cut = true
  agent.host.protection.active = false
  if (qemu.mode === 'secondary') qemu.merging = true
  qemu.mode = 'none'
  qemu.migration = 'completed'
  qemu.status = 'running'
  return 'changed'
}

import {UsageError} from '../errors.js'
import type {SentCommand} from '../qmp/errors.js'
import {checkId} from './check.js'

export type PropertyValue = string | number | boolean
export type Properties = Readonly<Record<string, PropertyValue>>

const filterProperties = ['netdev', 'queue', 'status', 'vnet_hdr_support'] as const

/**
 * The objects we make, with all properties we may give them and those they cannot do without. A refused `filter-rewriter` aborts
 * QEMU before 10.0.13 and 11, so what can be checked is checked here.
 *
 * @see qemu/qemu qapi/qom.json
 */
const types: Readonly<Record<string, {readonly known: readonly string[]; readonly required: readonly string[]}>> = {
  'filter-buffer': {known: ['netdev', 'queue', 'status', 'interval'], required: ['netdev', 'interval']},
  'filter-mirror': {known: [...filterProperties, 'outdev'], required: ['netdev', 'outdev']},
  'filter-redirector': {known: [...filterProperties, 'indev', 'outdev'], required: ['netdev']},
  'filter-rewriter': {known: filterProperties, required: ['netdev']},
  'colo-compare': {
    known: [
      'primary_in',
      'secondary_in',
      'outdev',
      'iothread',
      'vnet_hdr_support',
      'compare_timeout',
      'expired_scan_cycle',
      'max_queue_size',
    ],
    required: ['primary_in', 'secondary_in', 'outdev', 'iothread'],
  },
  iothread: {known: [], required: []},
}

/**
 * `object-add`.
 *
 * @param object.before id of a filter that exists, in front of which the new one goes
 * @throws {UsageError} for a type or property we do not know, or one that is missing
 */
export function objectAdd(object: {
  readonly type: string
  readonly id: string
  readonly properties: Properties
  readonly before?: string | undefined
}): SentCommand {
  const {type, id, properties, before} = object
  checkProperties(type, id, properties)
  const place = before === undefined ? {} : {insert: 'before', position: `id=${checkId('before', before)}`}
  return {command: 'object-add', arguments: {'qom-type': type, id: checkId('object', id), ...properties, ...place}}
}

/**
 * A filter-buffer that keeps what arrives while the guest stands still: it lets packets pass every `interval` microseconds of the guest's clock. A
 * shorter interval wakes an idle QEMU more often (decision 48).
 *
 * @see qemu/qemu net/filter-buffer.c (QEMU_CLOCK_VIRTUAL)
 */
export const gateProperties = {queue: 'tx', interval: 200} as const

/** Whether objects of this type have a place among the filters of a netdev. */
export function isFilter(type: string): boolean {
  return type.startsWith('filter-')
}

export function objectDel(id: string): SentCommand {
  return {command: 'object-del', arguments: {id: checkId('object', id)}}
}

export function objectPath(id: string): string {
  return `/objects/${checkId('object', id)}`
}

/** `qom-set` of a property of an object made with `object-add`. A filter's `status` is the string `on` or `off`. */
export function objectSet(id: string, property: string, value: PropertyValue): SentCommand {
  return {command: 'qom-set', arguments: {path: objectPath(id), property: checkId('property', property), value}}
}

/** Lets a filter work. */
export const filterOn = (id: string): SentCommand => objectSet(id, 'status', 'on')
export const filterOff = (id: string): SentCommand => objectSet(id, 'status', 'off')

function checkProperties(type: string, id: string, properties: Properties): void {
  const rule = types[type]
  if (rule === undefined) throw new UsageError(`object ${id}: ${JSON.stringify(type)} is not a type colo makes`)
  for (const name of Object.keys(properties)) {
    if (!rule.known.includes(name))
      throw new UsageError(`object ${id}: a ${type} has no property ${JSON.stringify(name)}`)
  }
  for (const name of rule.required) {
    if (properties[name] === undefined) throw new UsageError(`object ${id}: a ${type} needs ${name}`)
  }
  const {queue = 'all', status = 'on', vnet_hdr_support: vnet = false} = properties
  if (!['all', 'rx', 'tx'].includes(String(queue)))
    throw new UsageError(`object ${id}: queue is all, rx or tx, not ${queue}`)
  if (status !== 'on' && status !== 'off')
    throw new UsageError(`object ${id}: status is the string on or off, not ${status}`)
  if (typeof vnet !== 'boolean') throw new UsageError(`object ${id}: vnet_hdr_support is true or false, not ${vnet}`)
}

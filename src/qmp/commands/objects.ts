import {anything, field, listOf, nothing, record, text} from '../decode.js'
import {call, type CallOptions, type QmpExecutor} from './call.js'

/** An object as QEMU spells it: `qom-type`, `id` and its properties. */
export type ObjectOptions = Readonly<Record<string, unknown>> & {readonly 'qom-type': string; readonly id: string}

/**
 * Creates an object below `/objects`.
 *
 * Validate a `filter-rewriter` before sending: a refused one aborts QEMU before 10.0.13 and 11.
 */
export function objectAdd(qmp: QmpExecutor, object: ObjectOptions, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'object-add', args: object, returns: nothing}, options)
}

/** Removes an object made with `object-add`. */
export function objectDel(qmp: QmpExecutor, id: string, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'object-del', args: {id}, returns: nothing}, options)
}

/** A property or child of an object; children have types such as `child<filter-mirror>`. */
export interface QomProperty {
  readonly name: string
  readonly type: string
}

const qomProperty = record<QomProperty>({name: field('name', text), type: field('type', text)})

/** @param path such as `/objects` */
export function qomList(qmp: QmpExecutor, path: string, options?: CallOptions): Promise<readonly QomProperty[]> {
  return call(qmp, {name: 'qom-list', args: {path}, returns: listOf(qomProperty)}, options)
}

/** One property, undecoded: its type depends on the object. */
export function qomGet(
  qmp: QmpExecutor,
  place: {readonly path: string; readonly property: string},
  options?: CallOptions,
): Promise<unknown> {
  return call(qmp, {name: 'qom-get', args: {path: place.path, property: place.property}, returns: anything}, options)
}

/** Sets one property. A filter's `status` is the *string* `on` or `off`. */
export function qomSet(
  qmp: QmpExecutor,
  change: {readonly path: string; readonly property: string; readonly value: string | number | boolean},
  options?: CallOptions,
): Promise<void> {
  const {path, property, value} = change
  return call(qmp, {name: 'qom-set', args: {path, property, value}, returns: nothing}, options)
}

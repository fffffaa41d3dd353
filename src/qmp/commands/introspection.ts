import {DecodeError} from '../../errors.js'
import {field, integer, listOf, maybe, record, text, type Decoder} from '../decode.js'
import {call, present, type CallOptions, type QmpExecutor} from './call.js'

/** `package` is the distribution's own version, such as `Debian 1:11.1.3+ds-1~bpo13+1`. */
export interface QemuVersion {
  readonly major: number
  readonly minor: number
  readonly micro: number
  readonly package: string
}

const numbers = record<{major: number; minor: number; micro: number}>({
  major: field('major', integer),
  minor: field('minor', integer),
  micro: field('micro', integer),
})
const version = record<{qemu: {major: number; minor: number; micro: number}; package: string}>({
  qemu: field('qemu', numbers),
  package: field('package', text),
})

/** The same as in the greeting. */
export async function queryVersion(qmp: QmpExecutor, options?: CallOptions): Promise<QemuVersion> {
  const {qemu, package: distribution} = await call(qmp, {name: 'query-version', returns: version}, options)
  return {...qemu, package: distribution.trim()}
}

const named = record<{name: string}>({name: field('name', text)})

/** Names of all commands of this build. */
export async function queryCommands(qmp: QmpExecutor, options?: CallOptions): Promise<readonly string[]> {
  return (await call(qmp, {name: 'query-commands', returns: listOf(named)}, options)).map(({name}) => name)
}

/**
 * Names of the object types of this build, such as `filter-rewriter`.
 *
 * QEMU loads all its modules to answer. When those on disk are of another build, as after an upgrade of the package
 * under a running QEMU, 11.1.3 aborts: ask a throw-away QEMU, never one that runs a guest.
 *
 * @param parent only types that implement this one
 */
export async function qomListTypes(
  qmp: QmpExecutor,
  parent?: string,
  options?: CallOptions,
): Promise<readonly string[]> {
  const args = present({implements: parent})
  return (await call(qmp, {name: 'qom-list-types', args, returns: listOf(named)}, options)).map(({name}) => name)
}

interface SchemaEntry {
  readonly name: string
  readonly metaType: string
  readonly argType: string | undefined
  readonly tag: string | undefined
  readonly members: unknown
  readonly values: readonly string[] | undefined
}

const schemaEntry = record<SchemaEntry>({
  name: field('name', text),
  metaType: field('meta-type', text),
  argType: maybe('arg-type', text),
  tag: maybe('tag', text),
  members: (from) => from['members'],
  values: maybe('values', listOf(text)),
})
const member = record<{name: string; type: string}>({name: field('name', text), type: field('type', text)})

/** Follows `blockdev-add` -> its argument -> the member that selects the driver -> the enumeration of drivers. */
const blockDrivers: Decoder<readonly string[]> = (value, at) => {
  const entries = new Map(listOf(schemaEntry)(value, at).map((entry) => [entry.name, entry]))
  const argument = entries.get(entries.get('blockdev-add')?.argType ?? '')
  const members = argument === undefined ? [] : listOf(member)(argument.members, at)
  const selector = members.find(({name}) => name === argument?.tag)
  const drivers = entries.get(selector?.type ?? '')?.values
  if (drivers === undefined) throw new DecodeError({...at, expected: 'a schema with the drivers of blockdev-add'})
  return drivers
}

/**
 * The block drivers of this build; without `replication` it cannot do COLO.
 *
 * The reply has some 200 kB: ask a throw-away QEMU, not one that runs a guest.
 *
 * @see qemu/qemu qapi/introspect.json; types have masked names, so the way to the enumeration is followed
 */
export function queryBlockDrivers(qmp: QmpExecutor, options?: CallOptions): Promise<readonly string[]> {
  return call(qmp, {name: 'query-qmp-schema', returns: blockDrivers}, options)
}

import {DecodeError} from '../errors.js'
import {coloNamespace} from './member-xml.js'
import {attribute, child, children, textOf, type XmlElement} from './xml-tree.js'
import {parseXml} from './xml.js'

/** What colo reads from a live domain's definition. */
export interface DomainFacts {
  readonly name: string
  readonly uuid: string
  readonly accel: string
  /** versioned machine type */
  readonly machine: string | undefined
  /** the mark of a pair's member; undefined for a domain that is not ours */
  readonly pair: {readonly name: string; readonly uuid: string} | undefined
  /** values of `<qemu:commandline>`, in order */
  readonly qemuArgs: readonly string[]
  /** paths of the extra QMP sockets among them: events and commands first, then yank */
  readonly qmpSockets: readonly string[]
  readonly interfaces: ReadonlyArray<{
    readonly mac: string
    readonly tap: string | undefined
    readonly bridge: string | undefined
  }>
}

/**
 * Reads `virsh dumpxml`.
 *
 * @throws {DecodeError} when it is not a domain or lacks name or uuid
 */
export function readDomain(xml: string, source = 'virsh dumpxml'): DomainFacts {
  const domain = parseXml(xml, {source, root: 'domain'})
  const required = (path: string): string => {
    const found = child(domain, path)
    if (found === undefined || textOf(found) === '') throw new DecodeError({source, path, expected: 'a text'})
    return textOf(found)
  }
  const type = child(domain, 'os', 'type')
  const qemuArgs = children(child(domain, 'qemu:commandline') ?? domain, 'qemu:arg').map(
    (arg) => attribute(arg, 'value') ?? '',
  )
  return {
    name: required('name'),
    uuid: required('uuid'),
    accel: attribute(domain, 'type') ?? '',
    machine: type === undefined ? undefined : attribute(type, 'machine'),
    pair: pairOf(domain),
    qemuArgs,
    qmpSockets: socketsOf(qemuArgs),
    interfaces: children(child(domain, 'devices') ?? domain, 'interface').map(interfaceOf),
  }
}

/** libvirt may write another prefix than ours; the namespace decides. */
function pairOf(domain: XmlElement): DomainFacts['pair'] {
  for (const mark of children(child(domain, 'metadata') ?? domain)) {
    const [prefix, local] = mark.name.split(':')
    if (local !== 'pair') continue
    const declaration = `xmlns:${prefix ?? ''}`
    if ((attribute(mark, declaration) ?? attribute(domain, declaration)) !== coloNamespace) continue
    const name = attribute(mark, 'name')
    const uuid = attribute(mark, 'uuid')
    if (name !== undefined && uuid !== undefined) return {name, uuid}
  }
  return undefined
}

function socketsOf(args: readonly string[]): string[] {
  return args.flatMap((option, at) => {
    const value = option === '-qmp' ? args[at + 1] : undefined
    const path = value === undefined ? undefined : /^unix:((?:[^,]|,,)*)/.exec(value)?.[1]
    return path === undefined ? [] : [path.replaceAll(',,', ',')]
  })
}

function interfaceOf(device: XmlElement): DomainFacts['interfaces'][number] {
  const part = (name: string, key: string): string | undefined => {
    const found = child(device, name)
    return found === undefined ? undefined : attribute(found, key)
  }
  return {mac: part('mac', 'address') ?? '', tap: part('target', 'dev'), bridge: part('source', 'bridge')}
}

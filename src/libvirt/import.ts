import {UsageError} from '../errors.js'
import {parseFilePath, parseMac} from '../pair/names.js'
import type {DiskSpec, NicSpec, PerHost, VmSpec} from '../pair/spec.js'
import {readDisks} from './import-disks.js'
import {readNics} from './import-nics.js'
import {domainRules} from './import-rules.js'
import {Ledger, never, refuse, sift, type Finding} from './import-sieve.js'
import {valueOf} from './import-values.js'
import {attribute, child, children, edit, element, remove, set, textOf, type XmlElement} from './xml-tree.js'
import {buildXml, parseXml} from './xml.js'

export interface ImportOptions {
  /** what the text is, for messages */
  readonly source: string
  /** refused parts that are accepted: left out of both members */
  readonly drop: readonly string[]
  /** by MAC or number (`net0`): bridges instead of what the definition says */
  readonly bridges?: Readonly<Record<string, PerHost<string>>>
  readonly uncompared: NicSpec['uncompared']
}

/** A foreign definition, taken apart. Of use only when no finding is `refused`. */
export interface DomainImport {
  readonly name: string
  readonly vm: VmSpec
  /** sizes are 0: the definition does not say them */
  readonly disks: readonly DiskSpec[]
  readonly nics: readonly NicSpec[]
  readonly findings: readonly Finding[]
}

/** Larger than any definition seen, small enough to be harmless. */
const maxBytes = 1024 * 1024
const maxDepth = 24

/**
 * Takes an existing libvirt domain apart: what a pair can carry over, what it changes, what it refuses. Every leaf of the definition is
 * in the findings or below a place that is.
 *
 * @param xml `virsh dumpxml --inactive`, or a file a person wrote
 * @throws {DecodeError} when it is not one `<domain>`: cut off, two roots, a DOCTYPE, an unknown entity
 * @throws {UsageError} when it is too large or too deep, or a word of `drop` names nothing that is refused
 */
export function importDomain(xml: string, options: ImportOptions): DomainImport {
  const {source, drop} = options
  if (Buffer.byteLength(xml) > maxBytes) throw new UsageError(`${source}: larger than 1 MiB`)
  refuseDeep(xml, source)
  const domain = parseXml(xml, {source, root: 'domain'})
  const ledger = new Ledger(drop)
  const clean = sift(domain, domainRules, '', ledger)
  const kernel = kernelOf(clean, ledger)
  const disks = readDisks(clean, ledger)
  const nics = readNics(clean, ledger, options)
  const vm = machineOf(clean, ledger)
  const {unusedWords} = ledger
  if (unusedWords.length > 0) throw unused(source, unusedWords, ledger.findings)
  const uuid = child(clean, 'uuid')
  const {findings} = ledger
  return {
    name: textOf(child(clean, 'name') ?? element('name')),
    vm: {
      ...vm,
      ...(kernel === undefined ? {} : {kernel}),
      imported: {
        ...(uuid === undefined ? {} : {uuid: textOf(uuid).toLowerCase()}),
        skeleton: buildXml(skeletonOf(clean)),
        dropped: findings.filter(({outcome}) => outcome === 'dropped').map(({place}) => place),
        files: filesOf(clean, ledger),
      },
    },
    disks,
    nics,
    findings,
  }
}

/** Nesting is counted before the parser sees it, whose stack a hostile file could exhaust. */
function refuseDeep(xml: string, source: string): void {
  let depth = 0
  for (const [tag] of xml.matchAll(/<!--[^]*?-->|<\/[A-Za-z_]|<[A-Za-z_](?:[^"'<>]|"[^"]*"|'[^']*')*>/g)) {
    if (tag.startsWith('<!--')) continue
    if (tag.startsWith('</')) depth--
    else if (!tag.endsWith('/>')) depth++
    if (depth > maxDepth) throw new UsageError(`${source}: nested deeper than ${maxDepth} elements`)
  }
}

function unused(source: string, words: readonly string[], findings: readonly Finding[]): UsageError {
  const open = findings.filter(({outcome, final}) => outcome === 'refused' && final !== true).map(({place}) => place)
  return new UsageError(`${source}: nothing that may be dropped is called ${words.join(' or ')}`, {
    hint: open.length === 0 ? 'Leave --drop out.' : `These may be dropped: ${open.join(', ')}`,
  })
}

function machineOf(domain: XmlElement, ledger: Ledger): VmSpec {
  const type = child(domain, 'os', 'type')
  const machine = (type === undefined ? undefined : attribute(type, 'machine')) ?? 'pc'
  if (!/^(pc|q35|pc-(i440fx|q35)-[A-Za-z0-9.]{1,40})$/.test(machine)) {
    ledger.refused('os/type/@machine', never('pairs run on the machine types pc and q35'), machine)
  }
  const memoryBytes = bytesOf(child(domain, 'memory'))
  if (memoryBytes === undefined) ledger.refused('memory', never('is missing, or no amount of memory'))
  const now = child(domain, 'currentMemory')
  if (now !== undefined && bytesOf(now) !== memoryBytes) {
    ledger.refused(
      'currentMemory',
      refuse('a part of the memory is taken by a balloon; a pair has all of it'),
      textOf(now),
    )
  }
  const vcpu = child(domain, 'vcpu')
  const vcpus = vcpu === undefined ? 1 : Number(textOf(vcpu))
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > 64) ledger.refused('vcpu', never('1 to 64 virtual CPUs'))
  if (child(domain, 'pm') === undefined) {
    ledger.changed('pm', 'the guest is not offered to sleep: it would sleep on one host only')
  }
  const action = (name: string): string => textOf(child(domain, name) ?? element(name))
  return {
    memoryBytes: memoryBytes ?? 0,
    vcpus,
    machine,
    cpu: cpuOf(child(domain, 'cpu')),
    accel: attribute(domain, 'type') === 'kvm' ? 'kvm' : 'tcg',
    onPoweroff: action('on_poweroff') === 'restart' ? 'restart' : 'stop',
    onReboot: action('on_reboot') === 'destroy' ? 'stop' : 'restart',
    ...crashOf(child(domain, 'devices', 'panic'), action('on_crash')),
  }
}

/** Without a panic device nobody hears of a crash, and `on_crash` says nothing. */
function crashOf(panic: XmlElement | undefined, action: string): Pick<VmSpec, 'onCrash'> {
  if (panic === undefined) return {}
  if (action === 'preserve') return {onCrash: 'report'}
  return {onCrash: action.endsWith('restart') ? 'restart' : 'stop'}
}

function cpuOf(cpu: XmlElement | undefined): string {
  switch (cpu === undefined ? undefined : attribute(cpu, 'mode')) {
    case 'host-passthrough':
      return 'host-passthrough'
    case 'host-model':
      return 'host-model'
    case 'maximum':
      return 'max'
    default:
      return textOf(child(cpu ?? element('cpu'), 'model') ?? element('model')) || 'qemu64'
  }
}

const units: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KB: 1000,
  k: 1024,
  KiB: 1024,
  MB: 1e6,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1e9,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1e12,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
}

function bytesOf(node: XmlElement | undefined): number | undefined {
  if (node === undefined || !/^\d{1,15}$/.test(textOf(node))) return undefined
  const unit = units[attribute(node, 'unit') ?? 'KiB']
  const bytes = unit === undefined ? 0 : Number(textOf(node)) * unit
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}

/** Direct kernel boot moves into the spec, whose checks hold for it. */
function kernelOf(domain: XmlElement, ledger: Ledger): VmSpec['kernel'] {
  const os = child(domain, 'os') ?? element('os')
  const path = (name: string): string | undefined => {
    const found = child(os, name)
    if (found === undefined) return undefined
    return valueOf(parseFilePath(textOf(found)), {ledger, place: `os/${name}`})
  }
  const image = path('kernel')
  const initrd = path('initrd')
  const cmdline = textOf(child(os, 'cmdline') ?? element('cmdline'))
  if (/[^ -~]/.test(cmdline) || cmdline.length > 2047) {
    ledger.refused('os/cmdline', never('has a character that is not printable ASCII, or more than 2047 of them'))
  }
  return image === undefined ? undefined : {image, ...(initrd === undefined ? {} : {initrd}), cmdline}
}

/** Firmware, and the directories that lines are logged to. */
function filesOf(domain: XmlElement, ledger: Ledger): string[] {
  const loader = child(domain, 'os', 'loader')
  const firmware =
    loader === undefined ? undefined : valueOf(parseFilePath(textOf(loader)), {ledger, place: 'os/loader'})
  const lines = children(child(domain, 'devices') ?? element('devices')).filter(
    ({name}) => name === 'serial' || name === 'console',
  )
  const logs = lines.flatMap((line) => {
    const [source, log] = [child(line, 'source'), child(line, 'log')]
    const paths = [source && attribute(source, 'path'), log && attribute(log, 'file')]
    const place = ledger.placeOf(line)
    return paths.flatMap((path) =>
      path === undefined || path === '' ? [] : (valueOf(parseFilePath(path), {ledger, place}) ?? []),
    )
  })
  const directories = logs.map((path) => path.slice(0, path.lastIndexOf('/')) || '/')
  return [...new Set([...(firmware === undefined ? [] : [firmware]), ...directories])]
}

/** What is left for the builder of the members: all that the spec has no field for, and of each NIC what is the guest's. */
function skeletonOf(domain: XmlElement): XmlElement {
  const decided = ['name', 'uuid', 'memory', 'currentMemory', 'vcpu', 'on_poweroff', 'on_reboot', 'on_crash', 'pm']
  const {id: _id, type: _type, ...attributes} = domain.attributes
  const rest = remove({...domain, attributes}, ({name}) => decided.includes(name))
  const os = (node: XmlElement): XmlElement =>
    remove(node, ({name}) => ['boot', 'kernel', 'initrd', 'cmdline'].includes(name))
  const devices = (node: XmlElement): XmlElement =>
    set(
      {
        ...node,
        children: node.children.flatMap((device) => {
          if (device.kind !== 'element' || device.name === 'emulator' || device.name === 'disk') return []
          return [device.name === 'interface' ? guestSideOf(device, domain) : device]
        }),
      },
      element('memballoon', {model: 'none'}),
    )
  return edit(edit(rest, 'os', os), 'devices', devices)
}

/** MAC, and what the guest sees of the device; where it is plugged in is the spec's. `<os><boot dev='network'>` becomes its order. */
function guestSideOf(nic: XmlElement, domain: XmlElement): XmlElement {
  const kept = remove({...nic, attributes: {}}, ({name}) => ['source', 'target', 'model', 'link'].includes(name))
  const mac = child(kept, 'mac')
  const named = mac === undefined ? kept : set(kept, element('mac', {address: macOf(mac)}))
  const nics = children(child(domain, 'devices') ?? element('devices'), 'interface')
  const order = children(child(domain, 'os') ?? element('os'), 'boot').findIndex(
    (boot) => attribute(boot, 'dev') === 'network',
  )
  if (order === -1 || nics[0] !== nic) return named
  return set(named, element('boot', {order: String(order + 1)}))
}

function macOf(mac: XmlElement): string {
  const checked = parseMac(attribute(mac, 'address') ?? '')
  return checked.ok ? checked.value : ''
}

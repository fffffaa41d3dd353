import {UsageError} from '../errors.js'
import type {NicLayout} from '../pair/layout.js'
import {lifecycleOf, type Lifecycle} from '../pair/lifecycle.js'
import type {PairRecord} from '../pair/record.js'
import {onHost, type PairSpec} from '../pair/spec.js'
import {hex, isQ35, memberArgs, missing, type MemberInput} from './member-args.js'
import {
  append,
  attribute,
  child,
  children,
  edit,
  element,
  remove,
  set,
  setAttribute,
  type XmlElement,
} from './xml-tree.js'
import {buildXml, parseXml} from './xml.js'

export const qemuNamespace = 'http://libvirt.org/schemas/domain/qemu/1.0'
/** Marks a domain as a member of a pair; libvirt keeps metadata as it is. */
export const coloNamespace = 'urn:colo:1'

export interface MemberXmlInput extends MemberInput {
  /** text of the skeleton: what a user may change about the VM without changing the pair */
  readonly template: string
  /** where the skeleton came from, for messages */
  readonly templateSource?: string
}

/** File name of the skeleton below `templates/domain/` or `/etc/colo/templates/domain/`. */
export function skeletonName(machine: string): 'pc.xml' | 'q35.xml' {
  return isQ35(machine) ? 'q35.xml' : 'pc.xml'
}

/**
 * The libvirt definition of one member, for `virsh create --paused`.
 *
 * Both members get the same guest hardware (same uuid, machine, CPU, memory, addresses, MACs), which migration needs;
 * they differ in block graph, filters, paths and bridges. Everything in the skeleton that the pair does not decide stays.
 *
 * @throws {UsageError} when the skeleton is not usable or a per-host value does not name the host
 * @see libvirt docs/formatdomain.rst; docs/drvqemu.rst, "Pass-through of arbitrary qemu commands"
 */
export function buildMemberXml(input: MemberXmlInput): string {
  const {spec, record, layout} = input
  const {imported} = spec.vm
  const skeleton = imported === undefined ? readSkeleton(input) : importedSkeleton(imported.skeleton, input)
  const args = memberArgs(input).map((value) => element('qemu:arg', {value}))
  const edits: ReadonlyArray<(domain: XmlElement) => XmlElement> = [
    (domain) => setAttribute(domain, 'type', record.accel === 'kvm' ? 'kvm' : 'qemu'),
    (domain) => setAttribute(domain, 'xmlns:qemu', qemuNamespace),
    (domain) => set(domain, element('name', {}, [layout.domain])),
    (domain) => set(domain, element('uuid', {}, [imported?.uuid ?? record.uuid])),
    (domain) => edit(domain, 'metadata', (metadata) => set(metadata, pairElement(spec.name, record.uuid))),
    (domain) => set(domain, kibibytes('memory', spec.vm.memoryBytes)),
    (domain) => set(domain, kibibytes('currentMemory', spec.vm.memoryBytes)),
    (domain) => set(domain, element('vcpu', {placement: 'static'}, [String(spec.vm.vcpus)])),
    (domain) => edit(domain, 'os', (os) => withBoot(os, spec.vm, record.machine)),
    (domain) => (imported === undefined ? set(domain, cpuOf(spec.vm.cpu, record.accel)) : domain),
    (domain) => withLifecycle(domain, lifecycleOf(spec.vm, input.role)),
    (domain) => withPanicDevice(domain, spec.vm),
    (domain) => edit(domain, 'devices', (devices) => withDevices(devices, input)),
    (domain) => edit(domain, 'qemu:commandline', (line) => append(line, ...args)),
  ]
  return buildXml(edits.reduce((domain, change) => change(domain), skeleton))
}

/** Elements that would be a second word on what the spec decides, or that COLO cannot replicate. */
const refusedDevices = ['disk', 'interface', 'hostdev', 'filesystem', 'redirdev', 'shmem', 'tpm', 'graphics', 'vsock']

function readSkeleton({template, templateSource = 'domain template'}: MemberXmlInput): XmlElement {
  let domain: XmlElement
  try {
    domain = parseXml(template, {source: templateSource, root: 'domain'})
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), {cause: error})
  }
  const refused = children(child(domain, 'devices') ?? element('devices')).find((device) =>
    refusedDevices.includes(device.name),
  )
  if (refused !== undefined) {
    throw new UsageError(`${templateSource}: <${refused.name}> cannot be part of a pair's template`, {
      hint: 'disks and NICs come from the pair file; devices of one host or with a display cannot be run twice',
    })
  }
  return domain
}

/** An imported definition says all that a template would, but how members are labelled, and that the guest must not sleep. */
function importedSkeleton(text: string, input: MemberXmlInput): XmlElement {
  const template = readSkeleton(input)
  const ours = children(template).filter(({name}) => name === 'seclabel' || name === 'pm')
  return append(parseXml(text, {source: `imported definition of ${input.spec.name}`, root: 'domain'}), ...ours)
}

function pairElement(name: string, uuid: string): XmlElement {
  return element('colo:pair', {'xmlns:colo': coloNamespace, name, uuid})
}

/** libvirt counts in KiB and rounds up, so we do. */
function kibibytes(name: string, bytes: number): XmlElement {
  return element(name, {unit: 'KiB'}, [String(Math.ceil(bytes / 1024))])
}

function withBoot(os: XmlElement, vm: PairSpec['vm'], machine: string): XmlElement {
  const typed = edit(os, 'type', (type) =>
    setAttribute(
      setAttribute(type.children.length > 0 ? type : append(type, {kind: 'text', text: 'hvm'}), 'arch', 'x86_64'),
      'machine',
      machine,
    ),
  )
  if (vm.kernel === undefined) return typed
  const parts = [
    element('kernel', {}, [vm.kernel.image]),
    ...(vm.kernel.initrd === undefined ? [] : [element('initrd', {}, [vm.kernel.initrd])]),
    element('cmdline', {}, [vm.kernel.cmdline]),
  ]
  return append(
    remove(typed, ({name}) => ['kernel', 'initrd', 'cmdline', 'boot'].includes(name)),
    ...parts,
  )
}

/** What follows a panic is for the agents to do, on the primary alone: libvirt would end or reset either copy by itself. */
function withLifecycle(domain: XmlElement, {poweroff, reboot}: Lifecycle): XmlElement {
  const actions = {on_poweroff: poweroff, on_reboot: reboot, on_crash: 'preserve'}
  return Object.entries(actions).reduce((changed, [name, action]) => set(changed, element(name, {}, [action])), domain)
}

/** An imported guest keeps the devices it had. */
function withPanicDevice(domain: XmlElement, {imported, onCrash}: PairSpec['vm']): XmlElement {
  const isThere = child(domain, 'devices', 'panic') !== undefined
  if (imported !== undefined || onCrash === undefined || isThere) return domain
  return edit(domain, 'devices', (devices) => append(devices, element('panic', {model: 'isa'})))
}

/** `check='none'`: what the guest gets is decided by QEMU on both hosts alike; libvirt must not add or drop features. */
function cpuOf(model: string, accel: PairRecord['accel']): XmlElement {
  switch (model) {
    case 'host-passthrough':
    case 'host':
      if (accel !== 'kvm') {
        throw new UsageError(`vm.cpu: ${model} needs KVM on both hosts`, {
          hint: 'choose a model such as qemu64, or max',
        })
      }
      return element('cpu', {mode: 'host-passthrough', check: 'none', migratable: 'on'})
    case 'max':
    case 'maximum':
      return element('cpu', {mode: 'maximum', check: 'none', migratable: 'on'})
    case 'host-model':
      return element('cpu', {mode: 'host-model', check: 'none'})
    default:
      return element('cpu', {mode: 'custom', match: 'exact', check: 'none'}, [
        element('model', {fallback: 'forbid'}, [model]),
      ])
  }
}

function withDevices(devices: XmlElement, input: MemberXmlInput): XmlElement {
  const serialLog = `/var/log/libvirt/qemu/${input.layout.domain}-serial.log`
  const named: XmlElement = {
    ...devices,
    children: devices.children.map((device) =>
      device.kind === 'element' && device.name === 'serial' && attribute(device, 'type') === 'file'
        ? edit(device, 'source', (source) =>
            attribute(source, 'path') === undefined ? setAttribute(source, 'path', serialLog) : source,
          )
        : device,
    ),
  }
  const theirs = children(named, 'interface')
  const nics = input.layout.nics.map((nic) => {
    const mine = interfaceOf(nic, input)
    const imported = theirs.find((each) => attribute(child(each, 'mac') ?? each, 'address') === nic.spec.mac)
    return imported === undefined ? mine : withGuestSide(mine, imported)
  })
  return append(
    remove(named, ({name}) => name === 'interface'),
    ...nics,
  )
}

/** Where it is plugged in and its model are ours; what the guest sees of the device is the imported definition's. */
function withGuestSide(mine: XmlElement, imported: XmlElement): XmlElement {
  const kept = remove(mine, ({name}) => name === 'rom' || name === 'address')
  return children(imported).reduce((nic, part) => {
    if (part.name === 'mac') return nic
    if (part.name === 'driver') return edit(nic, 'driver', (driver) => append(driver, ...part.children))
    return append(nic, part)
  }, kept)
}

/**
 * With `via: tc` the tap of the secondary belongs to no bridge until failover. vhost and queues are out: filters refuse both.
 */
function interfaceOf(nic: NicLayout, {host, role}: MemberXmlInput): XmlElement {
  const bridge = onHost(nic.spec.bridge, host)
  if (bridge === undefined) throw missing(`nic ${nic.spec.name}: bridge`, host)
  const isolated = nic.spec.forward.via === 'tc' && role === 'secondary'
  return element('interface', {type: isolated ? 'ethernet' : 'bridge'}, [
    element('mac', {address: nic.spec.mac}),
    ...(isolated ? [] : [element('source', {bridge})]),
    element('target', {dev: nic.tap}),
    element('model', {type: nic.spec.model}),
    ...(nic.spec.model === 'virtio' ? [element('driver', {name: 'qemu'})] : []),
    element('rom', {enabled: 'no'}),
    element('address', {type: 'pci', domain: '0x0000', bus: '0x00', slot: hex(nic.slot), function: '0x0'}),
  ])
}

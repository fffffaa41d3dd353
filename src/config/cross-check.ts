import {limits} from '../pair/layout.js'
import {onHost, type DiskSpec, type NicSpec, type VmSpec} from '../pair/spec.js'
import {asItems, MapFields, refuse, type Field} from './fields.js'
import type {KnownHosts} from './per-host.js'

/** The parts of a spec that could be read, and where they were. */
export interface SpecParts {
  readonly fields: MapFields
  readonly vm: VmSpec | undefined
  readonly disks: readonly DiskSpec[] | undefined
  readonly nics: readonly NicSpec[] | undefined
  readonly hosts: KnownHosts
}

/** Reports what is wrong between fields that are right by themselves: doubles, too many devices, a bus the machine lacks. */
export function crossCheck({fields, vm, disks, nics, hosts}: SpecParts): void {
  const imported = vm?.imported !== undefined
  if (disks !== undefined)
    checkDisks(placesOf(fields, 'disks', imported), {disks, hosts: hosts ?? [], machine: vm?.machine ?? 'pc'})
  if (nics !== undefined) checkNics(placesOf(fields, 'nics', imported), nics, hosts ?? [])
}

/** Finds the field of one key of one list item. */
type Places = (index: number, key: string) => Field

/** Devices of an imported definition have no item of their own in the file. */
function placesOf(fields: MapFields, list: string, imported: boolean): Places {
  const listField = fields.at(list)
  const items = listField === undefined ? undefined : asItems(listField)
  return (index, key) => {
    const item = imported ? undefined : items?.[index]
    const place = (item === undefined ? undefined : MapFields.of(item)?.at(key)) ?? item ?? listField ?? fields.at('vm')
    if (place === undefined) throw new Error(`${list} was read, but is not there`)
    return place
  }
}

function checkDisks(
  place: Places,
  {disks, hosts, machine}: {disks: readonly DiskSpec[]; hosts: readonly string[]; machine: string},
): void {
  const seen = new Map<string, string>()
  const count = {virtio: 0, ide: 0}
  const max = {virtio: limits.virtioDisks, ide: limits.ideDisks}
  disks.forEach((disk, index) => {
    double(seen, {key: `name ${disk.name}`, by: `disks[${index}]`}, place(index, 'name'), 'give each disk its own name')
    if (++count[disk.bus] === max[disk.bus] + 1) {
      refuse(place(index, 'bus'), `is one ${disk.bus} disk too many`, `at most ${max[disk.bus]}`)
    }
    if (disk.bus === 'ide' && machine.includes('q35') && disk.device === undefined) {
      refuse(place(index, 'bus'), `machine ${machine} has no IDE`, 'use bus: virtio, or machine: pc')
    }
    // one image used twice is reported once, on the first host where it happens
    for (const host of hosts) {
      const key = `image ${onHost(disk.image, host) ?? ''} on ${host}`
      if (double(seen, {key, by: `disks[${index}]`}, place(index, 'image'), 'give each disk its own image')) break
    }
  })
}

function checkNics(place: Places, nics: readonly NicSpec[], hosts: readonly string[]): void {
  const seen = new Map<string, string>()
  nics.forEach((nic, index) => {
    const by = `nics[${index}]`
    double(seen, {key: `name ${nic.name}`, by}, place(index, 'name'), 'give each NIC its own name')
    double(seen, {key: `MAC address ${nic.mac}`, by}, place(index, 'mac'), 'give each NIC its own address')
    if (index === limits.nics) refuse(place(index, 'name'), 'is one NIC too many', `at most ${limits.nics}`)
  })
  for (const host of hosts) if (!forwardsFit(place, nics, host)) break
}

/** A forward NIC carries one guest NIC, or several with a VLAN each; one problem is reported once, on the first host where it is. */
function forwardsFit(place: Places, nics: readonly NicSpec[], host: string): boolean {
  const users = new Map<string, Array<{readonly index: number; readonly vlan: number | undefined}>>()
  let fit = true
  for (const [index, {forward, bridge}] of nics.entries()) {
    const nic = forward.via === 'tc' ? onHost(forward.nic, host) : undefined
    if (forward.via !== 'tc' || nic === undefined) continue
    const field = place(index, 'forward')
    const others = users.get(nic) ?? []
    const clash = others.find(({vlan}) => vlan === undefined || forward.vlan === undefined || vlan === forward.vlan)
    if (nic === onHost(bridge, host)) {
      refuse(field, `${nic} is the bridge of the LAN on ${host}`, 'name the NIC that leads to the other host alone')
      fit = false
    } else if (clash !== undefined) {
      const hint = 'use one forward NIC per guest NIC, or give each a vlan of its own'
      refuse(field, `${nic} on ${host} already carries nics[${clash.index}]`, hint)
      fit = false
    }
    users.set(nic, [...others, {index, vlan: forward.vlan}])
  }
  return fit
}

function double(seen: Map<string, string>, use: {key: string; by: string}, field: Field, hint: string): boolean {
  const before = seen.get(use.key)
  if (before === undefined) seen.set(use.key, use.by)
  else refuse(field, `${use.key} is already that of ${before}`, hint)
  return before !== undefined
}

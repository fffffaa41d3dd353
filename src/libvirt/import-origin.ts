import {onHost, type PairSpec} from '../pair/spec.js'
import type {Origin} from '../pair/record.js'
import {attribute, child, edit, element, remove, set, setAttribute, type XmlElement} from './xml-tree.js'
import {buildXml, parseXml} from './xml.js'

/**
 * The plain definition of an imported pair for the host whose disks are kept: on the host it came from word for word, on another one with
 * the images and bridges the pair has there.
 */
export function plainXml(origin: Origin, spec: PairSpec, host: string): string {
  if (host === origin.host) return origin.xml
  const domain = parseXml(origin.xml, {source: `definition of ${origin.domain}`, root: 'domain'})
  const moved = edit(domain, 'devices', (devices) => ({
    ...devices,
    children: devices.children.map((device) => {
      if (device.kind !== 'element') return device
      if (device.name === 'disk') return movedDisk(device, spec, host)
      return device.name === 'interface' ? movedNic(device, spec, host) : device
    }),
  }))
  return buildXml(moved)
}

function movedDisk(disk: XmlElement, spec: PairSpec, host: string): XmlElement {
  const target = child(disk, 'target')
  const ours = spec.disks.find(({name}) => target !== undefined && attribute(target, 'dev') === name)
  const image = ours === undefined ? undefined : onHost(ours.image, host)
  return image === undefined ? disk : edit(disk, 'source', (source) => setAttribute(source, 'file', image))
}

/** A NIC that was in no bridge before is in one now: what it was in is not there on this host. */
function movedNic(nic: XmlElement, spec: PairSpec, host: string): XmlElement {
  const mac = child(nic, 'mac')
  const ours = spec.nics.find((each) => mac !== undefined && attribute(mac, 'address')?.toLowerCase() === each.mac)
  const bridge = ours === undefined ? undefined : onHost(ours.bridge, host)
  if (bridge === undefined) return nic
  const plain = remove(setAttribute(nic, 'type', 'bridge'), ({name}) => ['virtualport', 'vlan'].includes(name))
  return set(plain, element('source', {bridge}))
}

import {limits} from '../pair/layout.js'
import {parseInterfaceName, parseMac} from '../pair/names.js'
import type {NicSpec, PerHost} from '../pair/spec.js'
import {never, type Ledger} from './import-sieve.js'
import {valueOf} from './import-values.js'
import {attribute, child, children, element, type XmlElement} from './xml-tree.js'

interface NicOptions {
  readonly bridges?: Readonly<Record<string, PerHost<string>>>
  readonly uncompared: NicSpec['uncompared']
}

/** The NICs of a definition that went through the allow-list, called `net0`, `net1` in its order. */
export function readNics(domain: XmlElement, ledger: Ledger, {bridges = {}, uncompared}: NicOptions): NicSpec[] {
  const devices = child(domain, 'devices') ?? element('devices')
  const nodes = children(devices, 'interface')
  if (nodes.length === 0) ledger.refused('devices', never('a pair needs at least one NIC: there is nothing to compare'))
  if (nodes.length > limits.nics) ledger.refused('devices', never(`more than ${limits.nics} NICs`))
  const seen = new Set<string>()
  return nodes.flatMap((node, index): NicSpec[] => {
    const place = ledger.placeOf(node)
    const of = (name: string, key: string): string | undefined => {
      const found = child(node, name)
      return found === undefined ? undefined : attribute(found, key)
    }
    const mac = valueOf(parseMac(of('mac', 'address') ?? ''), {ledger, place: `${place}/mac/@address`})
    if (mac !== undefined && seen.has(mac)) ledger.refused(`${place}/mac/@address`, never('is there twice'), mac)
    if (mac !== undefined) seen.add(mac)
    const model = modelOf(of('model', 'type'))
    const named = bridges[`net${index}`] ?? (mac === undefined ? undefined : bridges[mac])
    const bridge = named ?? ownBridge(of('source', 'bridge'), {ledger, place})
    if (model === undefined)
      ledger.refused(`${place}/model`, never('colo is known to work with virtio, e1000 and rtl8139'))
    if (mac === undefined || model === undefined || bridge === undefined) return []
    if (model === 'virtio' && of('driver', 'name') === undefined) {
      ledger.changed(`${place}/driver/@name`, "vhost is switched off: packets must pass QEMU's comparer", 'none')
    }
    if (uncompared === 'drop') {
      ledger.changed(place, 'IPv6, VLAN-tagged frames and fragments are dropped (--uncompared pass lets them through)')
    }
    return [{name: `net${index}`, mac, model, bridge, uncompared, forward: {via: 'socket'}}]
  })
}

/** libvirt's default is rtl8139. */
function modelOf(type: string | undefined): NicSpec['model'] | undefined {
  return (['virtio', 'e1000', 'rtl8139'] as const).find((known) => known === (type ?? 'rtl8139'))
}

function ownBridge(
  name: string | undefined,
  {ledger, place}: {ledger: Ledger; place: string},
): PerHost<string> | undefined {
  if (name === undefined) {
    ledger.refused(`${place}/source`, never('is no bridge of the LAN: name one that both hosts have with --bridge'))
    return undefined
  }
  const bridge = valueOf(parseInterfaceName(name), {ledger, place: `${place}/source/@bridge`})
  return bridge === undefined ? undefined : {same: bridge}
}

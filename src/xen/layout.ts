import {addressOf, type PairIdentity} from '../pair/identity.js'
import {onHost} from '../pair/spec.js'
import {incomingName, type SocketGroup} from './names.js'

/** Which proxy carries the packets of a COLO pair; a pair of another mode has none. */
export type Proxy = 'userspace' | 'kernel' | 'none'

/** Names of what belongs to a Xen pair on one host. */
export interface XenLayout {
  readonly domain: string
  readonly incoming: string
  readonly configFile: string
  readonly directory: string
  /** what `xl remus -s` runs: carries the stream to the other host */
  readonly transport: string
  readonly remusLog: string
  readonly remusState: string
  readonly senderOrders: string
  readonly senderState: string
  readonly receiverOrders: string
  readonly receiverState: string
  readonly receiverLog: string
  /** the receiver's standard input */
  readonly fifo: string
  readonly domainState: string
}

export function xenLayoutAt(pair: string, runDir: string): XenLayout {
  const directory = `${runDir}/xen`
  return {
    domain: pair,
    incoming: incomingName(pair),
    directory,
    configFile: `${directory}/domain.cfg`,
    transport: `${directory}/transport`,
    remusLog: `${directory}/remus.log`,
    remusState: `${directory}/remus.json`,
    senderOrders: `${directory}/sender-orders.json`,
    senderState: `${directory}/sender.json`,
    receiverOrders: `${directory}/receiver-orders.json`,
    receiverState: `${directory}/receiver.json`,
    receiverLog: `${directory}/receiver.log`,
    fifo: `${directory}/stream`,
    domainState: `${directory}/domain.json`,
  }
}

export function proxyOf({spec}: Pick<PairIdentity, 'spec'>): Proxy {
  if (spec.mode !== 'colo') return 'none'
  return spec.nics.some(({forward}) => forward.via === 'tc') ? 'kernel' : 'userspace'
}

/** NIC of the direct link that the kernel proxy uses; xl.cfg is one for both sides, so it has one name. */
export function forwardNicOf(spec: PairIdentity['spec']): string | undefined {
  const [nic] = spec.nics
  if (nic?.forward.via !== 'tc') return undefined
  return onHost(nic.forward.nic, spec.hosts.primary)
}

/**
 * Where each socket of the userspace proxy is. What crosses hosts is on the primary's replication address, what stays inside the primary's
 * QEMU, or between it and libxl, on loopback.
 *
 * @throws when the record has no such ports, which is a bug
 */
export function proxySockets(
  identity: PairIdentity,
  primary: string,
): Readonly<Record<SocketGroup, {readonly ip: string; readonly port: number}>> {
  const link = addressOf(identity, primary)
  const [nic] = identity.ports.nics
  const local = identity.ports.xen
  if (nic === undefined || local === undefined)
    throw new Error(`${identity.spec.name} has no ports for a userspace proxy`)
  const here = (port: number): {ip: string; port: number} => ({ip: '127.0.0.1', port})
  return {
    mirror: {ip: link, port: nic.mirror},
    compare_pri_in: here(local.compareIn),
    compare_sec_in: {ip: link, port: nic.compare},
    compare_notify: here(local.notify),
    redirector0: here(local.compareOut),
    redirector1: here(local.compareIn),
    redirector2: here(local.compareOut),
    sec_redirector0: {ip: link, port: nic.mirror},
    sec_redirector1: {ip: link, port: nic.compare},
  }
}

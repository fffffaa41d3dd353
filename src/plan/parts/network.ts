import {addressOf, type PairIdentity} from '../../pair/identity.js'
import type {NicLayout, PairLayout} from '../../pair/layout.js'
import type {Role} from '../../pair/record.js'
import type {Action} from '../action.js'

/**
 * Network actions of one side, for `via: socket`. Order matters: "tx" filters are walked in the order of creation, "rx" ones in
 * reverse, and an ex-secondary keeps its rewriter last (facts: qemu-colo section 2.2).
 */

/** Primary: the listening ends towards the secondary and the two local pairs around the comparer, made anew. */
export function primaryChardevs(identity: PairIdentity, layout: PairLayout, host: string): Action[] {
  const address = addressOf(identity, host)
  return layout.nics.flatMap((nic): Action[] => {
    const ports = nicPorts(identity, nic)
    const {chardevs} = nic
    return [
      present(chardevs.mirrorLink, {type: 'tcp-server', address, port: ports.mirror}),
      present(chardevs.compareLink, {type: 'tcp-server', address, port: ports.compare}),
      present(chardevs.captureServer, {type: 'unix-server', path: nic.captureSocket}),
      present(chardevs.captureClient, {type: 'unix-client', path: nic.captureSocket}),
      present(chardevs.releaseServer, {type: 'unix-server', path: nic.releaseSocket}),
      present(chardevs.releaseClient, {type: 'unix-client', path: nic.releaseSocket}),
    ]
  })
}

/** Ids of the chardevs that lead to the peer. */
export function linksToPeer(layout: PairLayout): string[] {
  return layout.nics.flatMap(({chardevs}) => [chardevs.mirrorLink, chardevs.compareLink])
}

/** All COLO chardevs of either role away; their users must be gone. Clients go before the servers they use. */
export function noChardevs(layout: PairLayout): Action[] {
  return layout.nics.flatMap(({chardevs}) =>
    [
      chardevs.captureClient,
      chardevs.captureServer,
      chardevs.releaseClient,
      chardevs.releaseServer,
      chardevs.mirrorLink,
      chardevs.compareLink,
    ].map((id): Action => ({kind: 'chardev', ensure: 'absent', id})),
  )
}

/**
 * Primary: filters and comparer; what would hold the guest's traffic is made with `status: off`.
 *
 * `rewriter`: this side was a secondary once and has its rewriter still; the filters go before it.
 */
export function primaryObjects(
  identity: PairIdentity,
  layout: PairLayout,
  options: {readonly rewriter: boolean},
): Action[] {
  const perNic = layout.nics.flatMap((nic): Action[] => {
    const {objects, chardevs, netdev} = nic
    const vnet = {vnet_hdr_support: nic.vnetHdr}
    const filter = (id: string, type: string, properties: Record<string, string | boolean>): Action => ({
      kind: 'object',
      ensure: 'present',
      id,
      type,
      properties: {netdev, ...properties, ...vnet},
      ...(options.rewriter ? {before: objects.rewriter} : {}),
    })
    return [
      filter(objects.mirror, 'filter-mirror', {queue: 'tx', outdev: chardevs.mirrorLink, status: 'off'}),
      filter(objects.release, 'filter-redirector', {queue: 'rx', indev: chardevs.releaseServer}),
      filter(objects.capture, 'filter-redirector', {queue: 'rx', outdev: chardevs.captureServer, status: 'off'}),
      {
        kind: 'object',
        ensure: 'present',
        id: objects.compare,
        type: 'colo-compare',
        properties: {
          primary_in: chardevs.captureClient,
          secondary_in: chardevs.compareLink,
          outdev: chardevs.releaseClient,
          iothread: layout.iothread,
          compare_timeout: identity.spec.checkpoint.compareTimeoutMs,
          ...vnet,
        },
      },
    ]
  })
  return [{kind: 'object', ensure: 'present', id: layout.iothread, type: 'iothread', properties: {}}, ...perNic]
}

/** The filters that must be on for the pair to be compared, switched on at the last moment before COLO. */
export function filtersToSwitchOn(layout: PairLayout): string[] {
  return layout.nics.flatMap(({objects}) => [objects.mirror, objects.capture])
}

/** Every filter of one side; all of them are on while the pair is protected. */
export function filtersOf(layout: PairLayout, role: Role): string[] {
  return layout.nics.flatMap(({objects}) =>
    role === 'primary'
      ? [objects.mirror, objects.release, objects.capture]
      : [objects.inject, objects.divert, objects.rewriter],
  )
}

/** Primary that goes on alone: all filters and comparers away; the guest's traffic flows freely again. */
export function noPrimaryObjects(layout: PairLayout): Action[] {
  const absent = (id: string): Action => ({kind: 'object', ensure: 'absent', id})
  return [
    ...layout.nics.flatMap(({objects}) => [objects.mirror, objects.release, objects.capture].map(absent)),
    ...layout.nics.map(({objects}) => absent(objects.compare)),
    absent(layout.iothread),
  ]
}

/** Secondary that is promoted: its output goes to the tap again. The rewriter stays: live TCP connections need it. */
export function noSecondaryFilters(layout: PairLayout): Action[] {
  return layout.nics.flatMap(({objects}) =>
    [objects.divert, objects.inject].map((id): Action => ({kind: 'object', ensure: 'absent', id})),
  )
}

/** Repair of a mirror connection that dropped: the injecting filter made anew (facts: section 9). */
export function renewedInjection(nic: NicLayout): Action[] {
  const {objects, chardevs, netdev} = nic
  return [
    {kind: 'object', ensure: 'absent', id: objects.inject},
    {
      kind: 'object',
      ensure: 'present',
      id: objects.inject,
      type: 'filter-redirector',
      properties: {netdev, queue: 'tx', indev: chardevs.mirrorLink, vnet_hdr_support: nic.vnetHdr},
      before: objects.divert,
    },
  ]
}

export function taps(layout: PairLayout, state: 'up' | 'down'): Action[] {
  return layout.nics.map((nic): Action => ({kind: 'tap', tap: nic.tap, state}))
}

/** Drops at the taps what the comparer lets through uncompared, where the spec says so. */
export function tapFilters(layout: PairLayout): Action[] {
  return layout.nics
    .filter((nic) => nic.spec.uncompared === 'drop')
    .map((nic): Action => ({kind: 'tap-filter', ensure: 'present', tap: nic.tap, table: nic.tapTable}))
}

export function noTapFilters(layout: PairLayout): Action[] {
  return layout.nics.map((nic): Action => ({kind: 'tap-filter', ensure: 'absent', table: nic.tapTable}))
}

function nicPorts(identity: PairIdentity, nic: NicLayout): {mirror: number; compare: number} {
  const ports = identity.ports.nics[nic.index]
  if (ports === undefined) throw new Error(`no ports for NIC ${nic.spec.name} in the record of ${identity.spec.name}`)
  return ports
}

function present(id: string, backend: (Action & {kind: 'chardev'; ensure: 'present'})['backend']): Action {
  return {kind: 'chardev', ensure: 'present', id, backend}
}

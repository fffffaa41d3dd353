import {addressOf, type PairIdentity} from '../../pair/identity.js'
import type {NicLayout, PairLayout} from '../../pair/layout.js'
import type {Role} from '../../pair/record.js'
import {stationOf} from '../../net/forward/probe.js'
import {gateProperties} from '../../net/objects.js'

import type {Action, ForwardPath} from '../action.js'
import {forwardNamesOf, forwardPathOf} from '../forward-path.js'
import type {Step} from '../plan.js'
import {step} from './steps.js'

/**
 * Network actions of one side. With `via: socket` QEMU's own filters carry frames to the peer, with `via: tc` the kernel does. Order matters: "tx" filters are walked in the order of creation, "rx" ones in
 * reverse, and an ex-secondary keeps its rewriter last (facts: qemu-colo section 2.2).
 */

/** Primary: the listening ends towards the secondary and the two local pairs around the comparer, made anew. */
export function primaryChardevs(identity: PairIdentity, layout: PairLayout, host: string): Action[] {
  const address = addressOf(identity, host)
  return layout.nics.flatMap((nic): Action[] => {
    const ports = nicPorts(identity, nic)
    const {chardevs} = nic
    return [
      ...(isForwarded(nic)
        ? [
            present(chardevs.compareLink, {type: 'unix-server', path: nic.feedSocket}),
            present(chardevs.feedClient, {type: 'unix-client', path: nic.feedSocket}),
          ]
        : [
            present(chardevs.mirrorLink, {type: 'tcp-server', address, port: ports.mirror}),
            present(chardevs.compareLink, {type: 'tcp-server', address, port: ports.compare}),
          ]),
      present(chardevs.captureServer, {type: 'unix-server', path: nic.captureSocket}),
      present(chardevs.captureClient, {type: 'unix-client', path: nic.captureSocket}),
      present(chardevs.releaseServer, {type: 'unix-server', path: nic.releaseSocket}),
      present(chardevs.releaseClient, {type: 'unix-client', path: nic.releaseSocket}),
    ]
  })
}

/** Ids of the chardevs that lead to the peer. */
export function linksToPeer(layout: PairLayout): string[] {
  return layout.nics
    .filter((nic) => !isForwarded(nic))
    .flatMap(({chardevs}) => [chardevs.mirrorLink, chardevs.compareLink])
}

/** Waits for the peer at those chardevs, where there are any. */
export function awaitLinks(layout: PairLayout, timeoutMs: number): Action[] {
  const ids = linksToPeer(layout)
  return ids.length === 0 ? [] : [{kind: 'chardev-await', ids, timeoutMs}]
}

/**
 * All that led to the peer away, of either role; its users must be gone: chardevs (clients before the servers they use), and with
 * `via: tc` the forward tap and the kernel's forwarding.
 */
export function noChardevs(layout: PairLayout): Action[] {
  const removed = layout.nics.flatMap((nic) => {
    const {chardevs} = nic
    return [
      ...(isForwarded(nic) ? [chardevs.feedClient] : []),
      chardevs.captureClient,
      chardevs.captureServer,
      chardevs.releaseClient,
      chardevs.releaseServer,
      chardevs.mirrorLink,
      chardevs.compareLink,
    ].map((id): Action => ({kind: 'chardev', ensure: 'absent', id}))
  })
  const netdevs = layout.nics
    .filter(isForwarded)
    .flatMap(({forward}) =>
      [forward.hubPort, forward.netdev].map((id): Action => ({kind: 'netdev', ensure: 'absent', id})),
    )
  return [...removed, ...netdevs, ...noForwarding(layout)]
}

export function isForwarded(nic: NicLayout): boolean {
  return nic.spec.forward.via === 'tc'
}

/** NICs with `via: tc`, as one host forwards them. */
export function forwardPaths(layout: PairLayout, host: string): ForwardPath[] {
  return layout.nics.filter(isForwarded).map((nic) => {
    const path = forwardPathOf(nic, host)
    if (path === undefined) throw new Error(`NIC ${nic.spec.name} has no forward NIC or bridge on ${host}`)
    return path
  })
}

/** Frames of a probe of a link: more than one, since the first may be lost while a port wakes up. */
const probeFrames = 3

/**
 * Proves with real frames that each forward link leads to the other host and nowhere else, before anything is built on it; nothing
 * without `via: tc`. What is in the way on either host is refused by name here.
 */
export function provenLinks(
  layout: PairLayout,
  {primary, secondary}: {readonly primary: string; readonly secondary: string},
): Step[] {
  const away = noForwarding(layout)
  const from = forwardPaths(layout, primary)
  const to = forwardPaths(layout, secondary)
  if (from.length === 0) return []
  return [
    step(
      secondary,
      'probe-listen',
      'listen on the forward NIC',
      to.map((path) => ({kind: 'forward-listen', path, station: stationOf(path)})),
      {undo: away},
    ),
    step(
      primary,
      'probe-send',
      'send frames over the forward link',
      from.map((path) => ({kind: 'forward-send', to: 'link', path, station: stationOf(path), count: probeFrames})),
      {undo: away},
    ),
    step(secondary, 'probe-heard', 'prove the forward link', [
      ...to.map((path): Action => ({kind: 'forward-heard', path, station: stationOf(path)})),
      {kind: 'forward-proven', paths: to},
    ]),
    step(primary, 'proven', 'note that the link is proven', [{kind: 'forward-proven', paths: from}]),
  ]
}

/** The kernel's forwarding for one role; nothing without `via: tc`. */
export function forwarding(
  layout: PairLayout,
  host: string,
  {role, mirror}: {readonly role: Role; readonly mirror: boolean},
): Action[] {
  const paths = forwardPaths(layout, host)
  return paths.length === 0 ? [] : [{kind: 'forward', ensure: 'present', role, mirror, paths}]
}

/** Primary: the second tap of each NIC, over which QEMU gets what the secondary answers. */
export function forwardTaps(layout: PairLayout): Action[] {
  return layout.nics.filter(isForwarded).flatMap(({forward}): Action[] => {
    const {netdev, hubPort, hubId, feedTap} = forward
    return [
      {kind: 'netdev', ensure: 'present', id: netdev, backend: {type: 'tap', ifname: feedTap}},
      {kind: 'netdev', ensure: 'present', id: hubPort, backend: {type: 'hubport', hubid: hubId, netdev}},
    ]
  })
}

/** All of the kernel's forwarding away, of either role. */
export function noForwarding(layout: PairLayout): Action[] {
  const paths = layout.nics.filter(isForwarded).map(forwardNamesOf)
  return paths.length === 0 ? [] : [{kind: 'forward', ensure: 'absent', paths}]
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
      ...(isForwarded(nic)
        ? [feed(nic)]
        : [
            gate(nic, options),
            filter(objects.mirror, 'filter-mirror', {queue: 'tx', outdev: chardevs.mirrorLink, status: 'off'}),
          ]),
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

/**
 * Before the mirror. While the guest stands still in a checkpoint QEMU takes one more packet from the tap, and the mirror sends it to a secondary
 * that loses it while it loads: only the primary would get it, acknowledge it, and the client would never send it again (decision 48).
 *
 * @see qemu/qemu net/tap.c, tap_send
 */
function gate({objects, netdev}: NicLayout, {rewriter}: {readonly rewriter: boolean}): Action {
  return {
    kind: 'object',
    ensure: 'present',
    id: objects.gate,
    type: 'filter-buffer',
    properties: {netdev, ...gateProperties},
    ...(rewriter ? {before: objects.rewriter} : {}),
  }
}

/** With `via: tc`: what arrives at the forward tap goes to the comparer. It is the only filter of that netdev. */
function feed({objects, chardevs, forward, vnetHdr}: NicLayout): Action {
  return {
    kind: 'object',
    ensure: 'present',
    id: objects.feed,
    type: 'filter-redirector',
    properties: {netdev: forward.netdev, queue: 'tx', outdev: chardevs.feedClient, vnet_hdr_support: vnetHdr},
  }
}

/** The filters that must be on for the pair to be compared, switched on at the last moment before COLO. */
export function filtersToSwitchOn(layout: PairLayout): string[] {
  return layout.nics.flatMap((nic) =>
    isForwarded(nic) ? [nic.objects.capture] : [nic.objects.mirror, nic.objects.capture],
  )
}

/** With `via: tc` the kernel's mirrors begin at the same moment. */
export function mirrorsToSwitchOn(layout: PairLayout, primary: string): {readonly mirrorsOn?: readonly ForwardPath[]} {
  const paths = forwardPaths(layout, primary)
  return paths.length === 0 ? {} : {mirrorsOn: paths}
}

/** Every filter of one side that the pair is not protected without; all of them are on. */
export function filtersOf(layout: PairLayout, role: Role): string[] {
  return layout.nics.flatMap((nic) => {
    const {feed: fed, mirror, release, capture, inject, divert, rewriter} = nic.objects
    if (role === 'primary') return [isForwarded(nic) ? fed : mirror, release, capture]
    return isForwarded(nic) ? [rewriter] : [inject, divert, rewriter]
  })
}

/** Primary that goes on alone: all filters and comparers away; the guest's traffic flows freely again. */
export function noPrimaryObjects(layout: PairLayout): Action[] {
  const absent = (id: string): Action => ({kind: 'object', ensure: 'absent', id})
  return [
    ...layout.nics.flatMap((nic) => {
      const {feed: fed, gate: held, mirror, release, capture} = nic.objects
      return [...(isForwarded(nic) ? [fed] : [mirror, held]), release, capture].map(absent)
    }),
    ...layout.nics.map(({objects}) => absent(objects.compare)),
    absent(layout.iothread),
  ]
}

/** Secondary that is promoted: its output goes to the tap again. The rewriter stays: live TCP connections need it. */
export function noSecondaryFilters(layout: PairLayout): Action[] {
  return layout.nics.flatMap((nic) => {
    const {divert, inject, gate: held} = nic.objects
    return (isForwarded(nic) ? [held] : [divert, inject]).map((id): Action => ({kind: 'object', ensure: 'absent', id}))
  })
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

/** Taps of a secondary that must be down; with `via: tc` they are up, and in no bridge. */
export function closedTaps(layout: PairLayout): Action[] {
  return layout.nics
    .filter((nic) => !isForwarded(nic))
    .map((nic): Action => ({kind: 'tap', tap: nic.tap, state: 'down'}))
}

/** The promoted or surviving side is heard: with `via: tc` its tap first comes out of forwarding and into the LAN's bridge. */
export function heard(layout: PairLayout, host: string): Action[] {
  const paths = forwardPaths(layout, host)
  const released: Action[] = paths.length === 0 ? [] : [{kind: 'forward-release', paths}]
  return [...released, ...taps(layout, 'up')]
}

/** Drops at the taps what the comparer lets through uncompared, where the spec says so. */
export function tapFilters(layout: PairLayout): Action[] {
  return layout.nics
    .filter((nic) => nic.spec.uncompared === 'drop')
    .map((nic): Action => ({kind: 'tap-filter', ensure: 'present', tap: nic.tap, table: nic.tapTable}))
}

/** After the end of a domain: no rules for its taps, and no forwarding to or from them. */
export function noTapFilters(layout: PairLayout): Action[] {
  return [
    ...layout.nics.map((nic): Action => ({kind: 'tap-filter', ensure: 'absent', table: nic.tapTable})),
    ...noForwarding(layout),
  ]
}

function nicPorts(identity: PairIdentity, nic: NicLayout): {mirror: number; compare: number} {
  const ports = identity.ports.nics[nic.index]
  if (ports === undefined) throw new Error(`no ports for NIC ${nic.spec.name} in the record of ${identity.spec.name}`)
  return ports
}

function present(id: string, backend: (Action & {kind: 'chardev'; ensure: 'present'})['backend']): Action {
  return {kind: 'chardev', ensure: 'present', id, backend}
}

import {layoutOf, type NicLayout} from '../layout.js'
import type {DiskObservation, MemberObservation, NicObservation, ObjectObservation} from '../observation.js'
import type {PairSpec} from '../spec.js'
import type {Reason} from '../status.js'
import {forwardFaults} from './forwarding.js'
import {secondaryCrashFaults} from './crash.js'
import {fullFaults} from './full.js'
import {reason} from './reasons.js'

/**
 * S7: what must be true of two members in lock-step before the pair may be called protected. Everything silent is looked for: a
 * filter that is missing or off, a wrong vnet header, a comparer fed by one side, a replaced NBD connection, a checkpoint without a beat.
 *
 * @returns the reasons against; empty means verified
 */
export function protectionFaults(
  spec: PairSpec,
  members: {readonly primary: MemberObservation; readonly secondary: MemberObservation},
): Reason[] {
  const {primary, secondary} = members
  const layout = layoutOf(spec)
  const resync = `colo pair resync ${spec.name}`
  return [
    ...fullFaults(spec.name, primary, secondary),
    ...secondaryCrashFaults(spec.name, secondary),
    ...layout.nics.flatMap((nic) => primaryNicFaults(nic, primary, spec.name)),
    ...layout.nics.flatMap((nic) => secondaryNicFaults(nic, secondary, spec.name)),
    ...layout.disks.flatMap((disk, index) => [
      ...primaryDiskFaults(primary.disks[index], disk.spec.name, primary.host, resync),
      ...secondaryDiskFaults(secondary.disks[index], disk.spec.name, secondary.host, resync),
    ]),
    ...forwardFaults(spec, layout.nics, {primary, secondary}),
    ...[primary, secondary].flatMap((member) => latchedFaults(member, resync)),
    ...[primary, secondary].flatMap((member) => beatFaults(spec, member)),
  ]
}

function primaryNicFaults(nic: NicLayout, member: MemberObservation, pair: string): Reason[] {
  const seen = member.nics[nic.index]
  const {objects, chardevs, spec} = nic
  const host = member.host
  const forwarded = spec.forward.via === 'tc'
  if (seen === undefined) return [missing(`NIC ${spec.name}`, host, pair)]
  return [
    ...[forwarded ? objects.feed : objects.mirror, objects.release, objects.capture, objects.compare].flatMap((id) =>
      objectFaults(nic, {seen, id, host, pair}),
    ),
    ...connectionFaults(seen, {
      host,
      pair,
      expected: [
        ...(forwarded ? [] : [[chardevs.mirrorLink, `the secondary gets no packets of NIC ${spec.name}`] as const]),
        [chardevs.compareLink, `the comparer of NIC ${spec.name} is fed by one side only`],
        [chardevs.captureServer, `the comparer of NIC ${spec.name} does not see the primary's packets`],
        [chardevs.releaseServer, `compared packets of NIC ${spec.name} do not reach the tap`],
      ],
    }),
    ...tapFilterFaults(nic, seen, host, pair),
    ...(seen.tapState === 'up'
      ? []
      : [
          reason('tap-down', `the tap of NIC ${spec.name} is ${seen.tapState} on ${host}`, {
            host,
            remedy: `colo pair status ${pair} --repair`,
            repairable: true,
          }),
        ]),
  ]
}

function secondaryNicFaults(nic: NicLayout, member: MemberObservation, pair: string): Reason[] {
  const seen = member.nics[nic.index]
  const {objects, chardevs, spec} = nic
  const host = member.host
  if (seen === undefined) return [missing(`NIC ${spec.name}`, host, pair)]
  if (spec.forward.via === 'tc') return forwardedNicFaults(nic, seen, host, pair)
  const mirror = seen.chardevs.find(({id}) => id === chardevs.mirrorLink)
  return [
    ...[objects.inject, objects.divert, objects.rewriter].flatMap((id) => objectFaults(nic, {seen, id, host, pair})),
    ...(mirror?.connected === true && !mirror.frontendOpen
      ? [
          reason(
            'mirror-dropped',
            `the mirror connection of NIC ${spec.name} dropped once; its packets are not injected`,
            {
              host,
              remedy: `colo pair status ${pair} --repair`,
              repairable: true,
            },
          ),
        ]
      : []),
    ...connectionFaults(seen, {
      host,
      pair,
      expected: [
        [chardevs.mirrorLink, `the secondary gets no packets of NIC ${spec.name}`],
        [chardevs.compareLink, `the comparer of NIC ${spec.name} gets nothing from the secondary`],
      ],
    }),
    ...tapFilterFaults(nic, seen, host, pair),
    ...(seen.tapState === 'up'
      ? [
          reason('secondary-tap-up', `the secondary's tap of NIC ${spec.name} is up on ${host}`, {
            host,
            remedy: `colo pair status ${pair} --repair`,
            repairable: true,
          }),
        ]
      : []),
  ]
}

/** With `via: tc` the secondary's tap is up, but reaches no LAN: it belongs to no bridge. */
function forwardedNicFaults(nic: NicLayout, seen: NicObservation, host: string, pair: string): Reason[] {
  const {name} = nic.spec
  const remedy = `colo pair status ${pair} --repair`
  return [
    ...objectFaults(nic, {seen, id: nic.objects.rewriter, host, pair}),
    ...tapFilterFaults(nic, seen, host, pair),
    ...(seen.bridge === undefined
      ? []
      : [
          reason('secondary-tap-bridged', `the secondary's tap of NIC ${name} is in ${seen.bridge} on ${host}`, {
            host,
            remedy: `ip link set dev ${nic.tap} nomaster on ${host}, then ${remedy}`,
          }),
        ]),
    ...(seen.tapState === 'up'
      ? []
      : [
          reason('secondary-tap-down', `the secondary's tap of NIC ${name} is ${seen.tapState} on ${host}`, {
            host,
            remedy,
            repairable: true,
          }),
        ]),
  ]
}

interface ObjectPlace {
  readonly seen: NicObservation
  readonly id: string
  readonly host: string
  readonly pair: string
}

function objectFaults(nic: NicLayout, {seen, id, host, pair}: ObjectPlace): Reason[] {
  const object = seen.objects.find((each) => each.id === id)
  if (object === undefined) {
    return [
      reason('filter-missing', `${id} of NIC ${nic.spec.name} is missing on ${host}`, {
        host,
        remedy: `colo pair resync ${pair}`,
        repairable: true,
      }),
    ]
  }
  return [...switchFaults(nic, object, host, pair), ...headerFaults(nic, object, host, pair)]
}

function switchFaults(nic: NicLayout, object: ObjectObservation, host: string, pair: string): Reason[] {
  if (object.on !== false) return []
  return [
    reason('filter-off', `${object.id} of NIC ${nic.spec.name} is switched off on ${host}`, {
      host,
      remedy: `colo pair status ${pair} --repair`,
      repairable: true,
    }),
  ]
}

function headerFaults(nic: NicLayout, object: ObjectObservation, host: string, pair: string): Reason[] {
  if (object.vnetHdr === undefined || object.vnetHdr === nic.vnetHdr) return []
  const message = nic.vnetHdr
    ? `${object.id} of NIC ${nic.spec.name} lacks vnet_hdr_support on ${host}: packets pass uncompared`
    : `${object.id} of NIC ${nic.spec.name} has vnet_hdr_support on ${host}, its model has none`
  return [reason('vnet-hdr', message, {host, remedy: `colo pair resync ${pair}`, repairable: true})]
}

interface Connections {
  readonly host: string
  readonly pair: string
  readonly expected: ReadonlyArray<readonly [id: string, consequence: string]>
}

function connectionFaults(seen: NicObservation, {host, pair, expected}: Connections): Reason[] {
  return expected.flatMap(([id, consequence]) => {
    const chardev = seen.chardevs.find((each) => each.id === id)
    if (chardev?.connected === true) return []
    const state = chardev === undefined ? 'missing' : 'not connected'
    return [
      reason('link-lost', `${id} is ${state} on ${host}: ${consequence}`, {
        host,
        remedy: `colo pair resync ${pair}`,
        repairable: true,
      }),
    ]
  })
}

function tapFilterFaults(nic: NicLayout, seen: NicObservation, host: string, pair: string): Reason[] {
  if (nic.spec.uncompared === 'pass' || seen.tapFilter) return []
  return [
    reason('tap-filter-missing', `uncompared frames of NIC ${nic.spec.name} are not dropped on ${host}`, {
      host,
      remedy: `colo pair status ${pair} --repair`,
      repairable: true,
    }),
  ]
}

function primaryDiskFaults(seen: DiskObservation | undefined, disk: string, host: string, remedy: string): Reason[] {
  if (seen?.quorum !== true) return [reason('quorum-missing', `disk ${disk} has no quorum on ${host}`, {host, remedy})]
  if (seen.children.length < 2) {
    return [reason('not-replicated', `disk ${disk} is not replicated from ${host}`, {host, remedy, repairable: true})]
  }
  return replicationFaults(seen, disk, host, remedy)
}

function secondaryDiskFaults(seen: DiskObservation | undefined, disk: string, host: string, remedy: string): Reason[] {
  if (seen?.exported !== true) {
    return [
      reason('not-exported', `disk ${disk} is not exported on ${host}: writes do not arrive`, {
        host,
        remedy,
        repairable: true,
      }),
    ]
  }
  if (!seen.overlays) {
    return [
      reason('overlays-missing', `disk ${disk} has lost its overlays on ${host}`, {host, remedy, repairable: true}),
    ]
  }
  return replicationFaults(seen, disk, host, remedy)
}

function replicationFaults(seen: DiskObservation, disk: string, host: string, remedy: string): Reason[] {
  if (seen.replication === 'connected') return []
  const message =
    seen.replication === 'changed'
      ? `disk ${disk} uses another NBD connection on ${host} than when protection began: writes may be missing`
      : `the NBD connection of disk ${disk} is lost on ${host}: writes do not arrive`
  return [reason('nbd-lost', message, {host, remedy, repairable: true})]
}

function latchedFaults(member: MemberObservation, remedy: string): Reason[] {
  const {host} = member
  return [
    ...member.latched
      .filter(({kind}) => kind !== 'chardev-lost')
      .map(({kind, detail}) => reason(kind, `${detail} on ${host}`, {host, remedy, repairable: true})),
    ...(member.blindSince === undefined
      ? []
      : [
          reason('unwatched', `the agent on ${host} was not watching for a while; what happened then is unknown`, {
            host,
            remedy,
            repairable: true,
          }),
        ]),
  ]
}

/** Slack over the interval before a missing checkpoint counts, in milliseconds; first checkpoints are slower. */
const beatSlackMs = 3000

/** No complete checkpoint for longer than the spec lets expect. */
export function beatFaults(spec: PairSpec, member: MemberObservation): Reason[] {
  const {host, checkpoints, atMs} = member
  const remedy = `colo pair failover ${spec.name}`
  if (checkpoints.lastAtMs === undefined) {
    return [reason('no-checkpoint', `${host} has not seen a complete checkpoint`, {host, remedy})]
  }
  const silentMs = atMs - checkpoints.lastAtMs
  const limitMs = 2 * spec.checkpoint.intervalMs + spec.checkpoint.compareTimeoutMs + beatSlackMs
  if (silentMs <= limitMs) return []
  return [
    reason('no-beat', `no checkpoint for ${(silentMs / 1000).toFixed(1)} s on ${host}: the peer hangs or is cut off`, {
      host,
      remedy,
    }),
  ]
}

function missing(what: string, host: string, pair: string): Reason {
  return reason('unseen', `${what} could not be read on ${host}`, {
    host,
    remedy: `colo pair status ${pair}`,
  })
}

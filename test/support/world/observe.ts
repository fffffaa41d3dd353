import type {HostFacts} from '../../../src/host/facts.js'
import type {LatchedFact, MemberObservation} from '../../../src/pair/observation.js'
import {faultsOfCopy, writtenImage} from '../../../src/agent/files-of-copy.js'
import {summaryOf} from '../../../src/agent/intent-store.js'
import {factsOf, imagePath} from '../../unit/host/samples.js'
import type {ModelAgent} from './agent.js'
import type {Host} from './host.js'
import type {Qemu} from './qemu.js'
import type {World} from './world.js'

/** What an agent sees of its member, as the real one would tell it. */
export async function observe(agent: ModelAgent): Promise<MemberObservation> {
  const {host, world, records, intents, locks} = agent
  const {qemu, protection} = host
  const atMs = world.clock.now()
  return {
    host: host.name,
    atMs,
    agent: {version: '0.1.0', startedAtMs: 0},
    record: records.current,
    lock: locks.holder(host.pair),
    intent: summaryOf(intents.current),
    domain: qemu === undefined ? 'absent' : qemu.status === 'running' ? 'running' : 'paused',
    qmp: qemu === undefined ? 'absent' : 'connected',
    vm:
      qemu === undefined
        ? undefined
        : {status: qemu.status, coloMode: qemu.mode, migration: qemu.migration, qemuVersion: '11.1.3'},
    nics: nicsOf(host, qemu, world),
    disks: [
      {
        index: 0,
        quorum: qemu !== undefined,
        children:
          qemu === undefined ? [] : [qemu.born === 'primary' ? 'parent0' : 'childs0', ...(qemu.child ? ['nbd0'] : [])],
        overlays: qemu?.overlays === true,
        replication: !protection.active ? 'none' : world.replicationConnected(host) ? 'connected' : 'lost',
        exported: qemu?.exported === true,
      },
    ],
    checkpoints: {
      count: qemu?.checkpoints ?? 0,
      lastAtMs: qemu?.checkpoints === 0 || qemu === undefined ? undefined : qemu.lockStep ? atMs - 500 : atMs - 60_000,
      lastPauseMs: 40,
      openForMs: undefined,
    },
    latched: protection.active
      ? protection.latched.map((kind) => ({kind: kind as LatchedFact['kind'], atMs, detail: kind}))
      : [],
    blindSince: protection.active ? protection.blindSince : undefined,
    peer: undefined,
    jobs: [],
    ...(await atRest(agent)),
  }
}

async function atRest({host, records, files}: ModelAgent): Promise<Partial<MemberObservation>> {
  const record = records.current
  if (record === undefined || host.qemu !== undefined) return {}
  return {
    copyFaults: await faultsOfCopy(record, files),
    ...(record.clean ? {atRest: (await writtenImage(record, files)) === undefined} : {}),
  }
}

function nicsOf(host: Host, qemu: Qemu | undefined, world: World): MemberObservation['nics'] {
  return world.layout.nics.map((nic) => ({
    index: nic.index,
    tap: nic.tap,
    tapState: host.taps.get(nic.tap) ?? 'absent',
    bridge: 'br0',
    tapFilter: host.tapTables.has(nic.tapTable),
    objects: [...(qemu?.objects ?? [])].map(([id, {type, on}]) => ({
      id,
      type: type === 'capture' || type === 'inject' || type === 'divert' ? 'filter-redirector' : type,
      on: type === 'colo-compare' ? undefined : on,
      vnetHdr: type === 'iothread' ? undefined : nic.vnetHdr,
    })),
    chardevs: [...(qemu?.chardevs.keys() ?? [])].map((id) => {
      const connected = qemu !== undefined && world.connected(qemu, id)
      return {id, connected, frontendOpen: connected}
    }),
  }))
}

/** Facts for the preflight of create: everything is right, images are those of the model. */
export function factsOfHost(host: Host, world: World): HostFacts {
  const sample = factsOf(host.name, world.qemuFacts)
  return {
    ...sample,
    addresses: sample.addresses.map((each) => (each.dev === 'repl0' ? {...each, address: host.address} : each)),
    images: sample.images.map((each) =>
      each.path !== imagePath
        ? each
        : {
            path: imagePath,
            directory: each.directory!,
            ...(host.files.image === undefined
              ? {exists: false}
              : {
                  exists: true,
                  format: 'qcow2',
                  virtualSizeBytes: 20 * 1024 ** 3,
                  inUse: host.qemu !== undefined || host.plain?.running === true,
                  snapshots: 0,
                }),
          },
    ),
    domains: host.plain === undefined ? [] : [host.plain.name],
  }
}

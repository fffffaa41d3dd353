import {mkdirSync} from 'node:fs'
import {connect, createServer, type Server, type Socket} from 'node:net'
import {join} from 'node:path'
import {layoutAt, type Roots} from '../../src/agent/member-layout.js'
import {nodeFiles} from '../../src/os/files-node.js'
import type {PairRecord} from '../../src/pair/record.js'
import type {PairName} from '../../src/pair/spec.js'
import {answerAsQemu} from '../contract/agent/rig.js'
import {FakeQmp} from '../support/fake-qmp.js'
import {sampleRecord, sampleSpec} from '../support/sample-record.js'

/** Addresses of the two hosts, both of this machine. */
export const addresses = {alpha: '127.0.0.1', beta: '127.0.0.2'} as const

/** One host's half of the fleet: records on its disk, scripted QEMUs behind its sockets. */
export interface FleetHost {
  readonly host: 'alpha' | 'beta'
  readonly roots: Roots
  readonly vms: readonly FakeQmp[]
}

export interface Fleet {
  readonly pairs: readonly string[]
  readonly hosts: readonly FleetHost[]
  /** a checkpoint in every VM of both sides: STOP and RESUME, as QEMU tells it */
  beat(): void
  close(): void
}

/** `count` protected pairs as two agents find them at their start, with the TCP connections that QEMU would hold. */
export async function openFleet(directory: string, count: number): Promise<Fleet> {
  const pairs = Array.from({length: count}, (_, index) => `web${String(index).padStart(3, '0')}`)
  const links = await openLinks(pairs.map((_, index) => portsOf(index)).flatMap(({nbd, migration}) => [nbd, migration]))
  const hosts = await Promise.all(
    (['alpha', 'beta'] as const).map((host) => openHost(join(directory, host), host, pairs)),
  )
  const vms = hosts.flatMap((host) => host.vms)
  return {
    pairs,
    hosts,
    beat: () => {
      for (const vm of vms) {
        vm.emit('STOP')
        vm.emit('RESUME')
      }
    },
    close: () => {
      for (const vm of vms) vm.die()
      for (const link of links) link()
    },
  }
}

async function openHost(directory: string, host: 'alpha' | 'beta', pairs: readonly string[]): Promise<FleetHost> {
  const roots = {stateRoot: join(directory, 'state/pairs'), runRoot: join(directory, 'pairs')}
  const vms: FakeQmp[] = []
  for (const [index, name] of pairs.entries()) {
    const record = recordOf(host, name, index)
    const layout = layoutAt(record.spec, roots)
    for (const path of [layout.runDir, join(roots.stateRoot, name)]) mkdirSync(path, {recursive: true})
    await nodeFiles.writeAtomic(join(roots.stateRoot, name, 'record.json'), JSON.stringify(record), 0o600)
    const vm = await FakeQmp.listen(layout.agentSocket)
    answerAsQemu(vm, layout, record.role)
    vms.push(vm)
  }
  return {host, roots, vms}
}

function portsOf(index: number): {nbd: number; migration: number; mirror: number; compare: number} {
  const first = 20_000 + index * 4
  return {nbd: first, migration: first + 1, mirror: first + 2, compare: first + 3}
}

function recordOf(host: 'alpha' | 'beta', name: string, index: number): PairRecord {
  const {nbd, migration, mirror, compare} = portsOf(index)
  return sampleRecord({
    uuid: `6a2c6f0e-6d3f-4f0f-8a1a-${index.toString(16).padStart(12, '0')}`,
    spec: {...sampleSpec, name: name as PairName},
    host,
    peer: host === 'alpha' ? 'beta' : 'alpha',
    role: host === 'alpha' ? 'primary' : 'secondary',
    ports: {migration, nbd, nics: [{mirror, compare}]},
    addresses,
    beaconPorts: {alpha: 19_000, beta: 19_000},
  })
}

/** One connection from alpha's address to each of these ports of beta's. @returns what ends them */
async function openLinks(ports: readonly number[]): Promise<Array<() => void>> {
  return Promise.all(
    ports.map(async (port) => {
      const accepted: Socket[] = []
      const server = await listening(port, accepted)
      const client = await connected(port)
      return () => {
        client.destroy()
        for (const socket of accepted) socket.destroy()
        server.close()
      }
    }),
  )
}

function listening(port: number, accepted: Socket[]): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => accepted.push(socket))
    server.once('error', reject)
    server.listen(port, addresses.beta, () => resolve(server))
  })
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({host: addresses.beta, port, localAddress: addresses.alpha})
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })
}

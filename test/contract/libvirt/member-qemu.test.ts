import assert from 'node:assert/strict'

import {layoutOf, type DiskLayout} from '../../../src/pair/layout.js'
import type {Role} from '../../../src/pair/record.js'
import type {QmpSession} from '../../../src/qmp/session.js'
import {memberCases, roles, type MemberCase} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'
import {labQemu, ownQemu} from '../qmp/subjects.js'
import {startMember} from './bare-qemu.js'

const startMs = 30_000
const qemus = [
  {name: "this machine's QEMU", program: ownQemu, reconnect: 'seconds' as const},
  {name: "the lab's QEMU", program: labQemu(), reconnect: 'ms' as const},
]

for (const {name, program, reconnect} of qemus) {
  const test = suite(`domain XML on ${name}`)
  if (program === undefined) test.skip('all', 'no root file system of the lab yet: colo lab up')
  else
    for (const [each, role] of memberCases.flatMap((found) => roles.map((side) => [found, side] as const))) {
      test(
        `${each.name}, ${role}: block graph, sockets, filters are as planned`,
        async (t) => {
          const qmp = await startMember(t, {...each, reconnect}, role, program)
          await assertGraph(qmp, each, role)
          await assertNet(qmp, each, role)
          const {status} = (await qmp.execute('query-status')) as {status: string}
          assert.equal(status, role === 'primary' ? 'prelaunch' : 'inmigrate')
        },
        startMs,
      )
    }
  test.run()
}

interface GraphReply {
  readonly nodes: ReadonlyArray<{readonly id: number; readonly type: string; readonly name: string}>
  readonly edges: ReadonlyArray<{readonly parent: number; readonly child: number; readonly name: string}>
}

/** Node names with their drivers, and which node is whose child, each as `parent -name-> child`. */
async function assertGraph(qmp: QmpSession, {spec}: MemberCase, role: Role): Promise<void> {
  const named = (await qmp.execute('query-named-block-nodes', {flat: true})) as ReadonlyArray<{
    'node-name': string
    drv: string
  }>
  const graph = (await qmp.execute('x-debug-query-block-graph')) as GraphReply
  const nodes = new Map(graph.nodes.filter(({type}) => type === 'block-driver').map(({id, name}) => [id, name]))
  const {disks} = layoutOf(spec)
  const expected = disks.flatMap((disk) => (role === 'primary' ? primaryGraph(disk) : secondaryGraph(disk)))
  const drivers = disks.flatMap((disk) => driversOf(disk, role))
  assert.deepEqual(named.map((node) => `${node['node-name']} ${node.drv}`).sort(), drivers.sort())
  const edges = graph.edges
    .filter(({parent}) => nodes.has(parent))
    .map((edge) => `${nodes.get(edge.parent)} -${edge.name}-> ${nodes.get(edge.child)}`)
  assert.deepEqual(edges.sort(), expected.sort())
}

function primaryGraph(disk: DiskLayout): string[] {
  return [`${disk.quorum} -children.0-> ${disk.parent}`, `${disk.parent} -file-> ${disk.parentFile}`]
}

function secondaryGraph(disk: DiskLayout): string[] {
  return [
    `${disk.quorum} -children.0-> ${disk.replication}`,
    `${disk.replication} -file-> ${disk.active}`,
    `${disk.active} -file-> ${disk.activeFile}`,
    `${disk.active} -backing-> ${disk.hidden}`,
    `${disk.hidden} -file-> ${disk.hiddenFile}`,
    `${disk.hidden} -backing-> ${disk.parent}`,
    `${disk.parent} -file-> ${disk.parentFile}`,
  ]
}

function driversOf(disk: DiskLayout, role: Role): string[] {
  const common = [`${disk.quorum} quorum`, `${disk.parent} ${disk.spec.format}`, `${disk.parentFile} file`]
  if (role === 'primary') return common
  const overlays = [
    `${disk.active} qcow2`,
    `${disk.activeFile} file`,
    `${disk.hidden} qcow2`,
    `${disk.hiddenFile} file`,
  ]
  return [...common, ...overlays, `${disk.replication} replication`]
}

/** Filters in their order as `info network` lists them, chardevs, and the bus addresses of the disks. */
async function assertNet(qmp: QmpSession, {spec}: MemberCase, role: Role): Promise<void> {
  const objects = (await qmp.execute('qom-list', {path: '/objects'})) as ReadonlyArray<{name: string; type: string}>
  const filters = objects.filter(({type}) => type.includes('filter-')).map(({name}) => name)
  const chardevs = (await qmp.execute('query-chardev')) as ReadonlyArray<{label: string}>
  const links = chardevs.map(({label}) => label).filter((label) => label.startsWith('nic'))
  const nics = role === 'primary' ? [] : layoutOf(spec).nics
  const overSocket = nics.filter((nic) => nic.spec.forward.via === 'socket')
  const byKernel = nics.filter((nic) => nic.spec.forward.via === 'tc')
  assert.deepEqual(
    filters.sort(),
    [
      ...nics.map((nic) => nic.objects.rewriter),
      ...byKernel.map((nic) => nic.objects.gate),
      ...overSocket.flatMap(({objects: own}) => [own.inject, own.divert]),
    ].sort(),
  )
  assert.deepEqual(links.sort(), overSocket.flatMap(({chardevs: own}) => [own.mirrorLink, own.compareLink]).sort())
  for (const nic of nics) {
    const path = `/objects/${nic.objects.rewriter}`
    assert.equal(await qmp.execute('qom-get', {path, property: 'vnet_hdr_support'}), nic.vnetHdr)
  }
}

import assert from 'node:assert/strict'
import {join} from 'node:path'
import {performAction} from '../../../src/agent/actions/index.js'
import {run} from '../../../src/os/process.js'
import type {Action} from '../../../src/plan/action.js'
import {queryStatus} from '../../../src/qmp/commands/status.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'
import {builds, contextOf, startQemu, type Build} from './tools.js'

/** Ports of 127.0.0.x that nothing else here uses; one address per build, so that runs do not meet. */
const port = 19_700

for (const [index, build] of builds.entries()) {
  const test = suite(`contract: actions with ${build.name}`)
  const address = `127.0.7.${index + 1}`

  test('chardevs: made once, replaced when of another kind, removed once', async (t) => {
    const context = await contextOf(t, build, await startQemu(t, build))
    const path = join(temporaryDirectory(t, 'actions'), 'pair.sock')
    const backends = [
      {id: 'server', backend: {type: 'tcp-server', address, port}},
      {id: 'client', backend: {type: 'tcp-client', address, port}},
      {id: 'lonely', backend: {type: 'tcp-client', address, port: port + 1}},
      {id: 'local-server', backend: {type: 'unix-server', path}},
      {id: 'local-client', backend: {type: 'unix-client', path}},
    ] as const
    const present = backends.map((one): Action => ({kind: 'chardev', ensure: 'present', ...one}))
    for (const action of present) assert.equal(await performAction(action, context), 'changed')
    await performAction({kind: 'chardev-await', ids: ['server', 'client'], timeoutMs: 5000}, context)
    for (const action of present) assert.equal(await performAction(action, context), 'unchanged')
    await assert.rejects(
      () => performAction({kind: 'chardev-await', ids: ['lonely'], timeoutMs: 300}, context),
      /lonely/,
    )
    const other: Action = {kind: 'chardev', ensure: 'present', id: 'client', backend: {type: 'unix-client', path}}
    assert.equal(await performAction(other, context), 'changed')
    for (const {id} of [...backends].reverse()) {
      assert.equal(await performAction({kind: 'chardev', ensure: 'absent', id}, context), 'changed')
      assert.equal(await performAction({kind: 'chardev', ensure: 'absent', id}, context), 'unchanged')
    }
  }, 30_000)

  test('objects: filters in their order, the comparer, switched and removed', async (t) => {
    const netdev = ['-netdev', 'user,id=hostnet0']
    const context = await contextOf(t, build, await startQemu(t, build, netdev))
    const directory = temporaryDirectory(t, 'actions')
    for (const id of ['a', 'b', 'c', 'd']) {
      const backend = {type: 'unix-server', path: join(directory, id)} as const
      await performAction({kind: 'chardev', ensure: 'present', id, backend}, context)
    }
    const object = (id: string, type: string, properties: Record<string, string | number | boolean>): Action => ({
      kind: 'object',
      ensure: 'present',
      id,
      type,
      properties,
      before: 'rewriter',
    })
    const vnet = {vnet_hdr_support: true}
    const actions = [
      object('rewriter', 'filter-rewriter', {netdev: 'hostnet0', queue: 'all', ...vnet}),
      object('io', 'iothread', {}),
      object('mirror', 'filter-mirror', {netdev: 'hostnet0', queue: 'tx', outdev: 'a', status: 'off', ...vnet}),
      object('compare', 'colo-compare', {
        primary_in: 'b',
        secondary_in: 'c',
        outdev: 'd',
        iothread: 'io',
        compare_timeout: 3000,
        ...vnet,
      }),
    ]
    for (const action of actions) assert.equal(await performAction(action, context), 'changed')
    for (const action of actions) assert.equal(await performAction(action, context), 'unchanged')
    const shown = String(await context.qmp.execute('human-monitor-command', {'command-line': 'info network'}))
    assert.ok(shown.indexOf('mirror') < shown.indexOf('rewriter') && shown.includes('mirror'), shown)
    for (const [id, property, value] of [
      ['mirror', 'status', 'on'],
      ['compare', 'compare_timeout', 500],
    ] as const) {
      assert.equal(await performAction({kind: 'object-set', id, property, value}, context), 'changed')
      assert.equal(await performAction({kind: 'object-set', id, property, value}, context), 'unchanged')
    }
    for (const id of ['mirror', 'compare', 'io', 'rewriter']) {
      assert.equal(await performAction({kind: 'object', ensure: 'absent', id}, context), 'changed')
      assert.equal(await performAction({kind: 'object', ensure: 'absent', id}, context), 'unchanged')
    }
  }, 30_000)

  test('disks: exported, mirrored, attached while the guest stands still, taken out again', async (t) => {
    const {primary, secondary, image} = await twoDisks(t, build)
    const disk = {job: 'resync0', quorum: 'colo-disk0', target: 'nbd0'}
    const nbd = {address, port: port + 2}
    const onSecondary: readonly Action[] = [
      {kind: 'nbd-server', ensure: 'present', ...nbd, maxConnections: 1},
      {kind: 'export', id: 'export0', node: 'parent0', name: 'parent0'},
    ]
    const onPrimary: readonly Action[] = [
      {kind: 'nbd-node', ensure: 'present', node: 'nbd0', ...nbd, exportName: 'parent0'},
      {kind: 'mirrors', disks: [disk], timeoutMs: 20_000},
      {kind: 'mirrors-finish', disks: [disk]},
    ]
    for (const action of onSecondary) assert.equal(await performAction(action, secondary), 'changed')
    for (const action of onSecondary) assert.equal(await performAction(action, secondary), 'unchanged')
    for (const action of onPrimary) assert.equal(await performAction(action, primary), 'changed', action.kind)
    for (const action of onPrimary) assert.equal(await performAction(action, primary), 'unchanged', action.kind)
    assert.equal((await queryStatus(primary.qmp)).running, true)
    const yank: Action = {kind: 'yank', instances: [{type: 'block-node', 'node-name': 'nbd0'}, {type: 'migration'}]}
    assert.equal(await performAction(yank, primary), 'changed')
    const undo: readonly Action[] = [
      {kind: 'quorum-child-remove', quorum: 'colo-disk0', child: 'children.1'},
      {kind: 'nbd-node', ensure: 'absent', node: 'nbd0'},
    ]
    for (const action of undo) assert.equal(await performAction(action, primary), 'changed', action.kind)
    for (const action of [...undo, yank]) assert.equal(await performAction(action, primary), 'unchanged', action.kind)
    assert.equal(await performAction({kind: 'nbd-server', ensure: 'absent'}, secondary), 'changed')
    assert.equal(await performAction({kind: 'nbd-server', ensure: 'absent'}, secondary), 'unchanged')
    await secondary.qmp.execute('blockdev-del', {'node-name': 'parent0'})
    const read = [...build.program('qemu-io'), '-f', 'raw', '-c', 'read -P 5 0 1M', image] as const
    assert.ok(!/failed/.test((await run([read[0], ...read.slice(1)])).stdout))
  }, 60_000)

  test('mirrors-abort ends one that copies; mirrors starts it anew', async (t) => {
    const {primary, secondary} = await twoDisks(t, build)
    const disks = [{job: 'resync0', quorum: 'colo-disk0', target: 'nbd0'}]
    const nbd = {address, port: port + 3}
    await performAction({kind: 'nbd-server', ensure: 'present', ...nbd, maxConnections: 1}, secondary)
    await performAction({kind: 'export', id: 'export0', node: 'parent0', name: 'parent0'}, secondary)
    await performAction({kind: 'nbd-node', ensure: 'present', node: 'nbd0', ...nbd, exportName: 'parent0'}, primary)
    const mirrors: Action = {kind: 'mirrors', disks, timeoutMs: 20_000}
    await performAction(mirrors, primary)
    assert.equal(await performAction({kind: 'mirrors-abort', disks}, primary), 'changed')
    assert.equal(await performAction({kind: 'mirrors-abort', disks}, primary), 'unchanged')
    await assert.rejects(() => performAction({kind: 'mirrors-finish', disks}, primary), /its job is gone/)
    assert.equal(await performAction(mirrors, primary), 'changed')
    assert.equal(await performAction({kind: 'mirrors-finish', disks}, primary), 'changed')
  }, 60_000)

  test('a port that is taken, and a peer that refuses, are told in QEMU’s words', async (t) => {
    const context = await contextOf(t, build, await startQemu(t, build))
    const server: Action = {kind: 'nbd-server', ensure: 'present', address: '203.0.113.1', port, maxConnections: 1}
    await assert.rejects(() => performAction(server, context), /nbd-server-start.*203\.0\.113\.1/)
    const node: Action = {kind: 'nbd-node', ensure: 'present', node: 'nbd0', address, port: port + 9, exportName: 'x'}
    await assert.rejects(() => performAction(node, context), /blockdev-add nbd0 on .*Connection refused/)
  }, 30_000)

  test('the secondary gets its capabilities and listens, once', async (t) => {
    const context = await contextOf(t, build, await startQemu(t, build, ['-incoming', 'defer']))
    const actions: readonly Action[] = [
      {kind: 'colo-capabilities', side: 'secondary'},
      {kind: 'incoming', address, port: port + 4},
    ]
    for (const action of actions) assert.equal(await performAction(action, context), 'changed', action.kind)
    for (const action of actions) assert.equal(await performAction(action, context), 'unchanged', action.kind)
  }, 30_000)

  test('a migration to nobody fails with QEMU’s text, and the guest runs on', async (t) => {
    const context = await contextOf(t, build, await startQemu(t, build))
    await performAction({kind: 'vm-continue'}, context)
    await performAction({kind: 'colo-capabilities', side: 'primary'}, context)
    const migrate: Action = {
      kind: 'migrate',
      guest: 'runs',
      address,
      port: port + 9,
      intervalMs: 1000,
      filtersOn: [],
      timeoutMs: 10_000,
    }
    await assert.rejects(() => performAction(migrate, context), /Connection refused/)
    assert.equal((await queryStatus(context.qmp)).running, true)
    assert.equal(await performAction({kind: 'migrate-cancel'}, context), 'unchanged')
    assert.equal(await performAction({kind: 'lost-heartbeat'}, context), 'unchanged')
    assert.equal(await performAction({kind: 'announce'}, context), 'changed')
  }, 30_000)

  test.run()
}

/** A primary with a disk full of fives below a quorum, and a secondary with an empty one of the same size. */
async function twoDisks(t: Parameters<typeof contextOf>[0], build: Build) {
  const directory = temporaryDirectory(t, 'actions')
  const [source, image] = [join(directory, 'source'), join(directory, 'image')]
  for (const path of [source, image]) await run([...build.program('qemu-img'), 'create', '-q', '-f', 'raw', path, '8M'])
  await run([...build.program('qemu-io'), '-f', 'raw', '-c', 'write -P 5 0 1M', source])
  const node = (path: string): string[] => [
    '-blockdev',
    `driver=raw,node-name=parent0,file.driver=file,file.filename=${path}`,
  ]
  const quorum = 'driver=quorum,node-name=colo-disk0,read-pattern=fifo,vote-threshold=1,children.0=parent0'
  const primary = await contextOf(t, build, await startQemu(t, build, [...node(source), '-blockdev', quorum]))
  const secondary = await contextOf(t, build, await startQemu(t, build, node(image)))
  return {primary, secondary, image}
}

import assert from 'node:assert/strict'
import type {ActionContext} from '../../../src/agent/action-context.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {Action} from '../../../src/plan/action.js'
import type {FakeQmp} from '../../support/fake-qmp.js'
import {suite, type T} from '../../support/suite.js'
import {answerAsQemu, DatagramBus, eventually, graphOf, Rig} from './rig.js'

const test = suite('agent: one member and its QEMU')

const alone = {generation: {epoch: 2, id: 'g2', ancestors: ['g1']}, alone: true}

/** Runs what needs an ActionContext, as a step would. */
async function within<R>(rig: Rig, body: (context: ActionContext) => Promise<R>): Promise<R> {
  let result: {readonly value: R} | undefined
  rig.perform = async (_action: Action, context) => {
    result = {value: await body(context)}
    return 'changed'
  }
  const client = await rig.client()
  await client.call('lock.acquire', {pair: 'web1', owner: 'test', purpose: 'test'})
  const steps = [{id: 's', host: rig.host, label: 's', actions: [{kind: 'vm-continue'} as const]}]
  try {
    await client.call('steps.run', {pair: 'web1', steps}, {timeoutMs: 9000})
  } finally {
    await client.call('lock.release', {pair: 'web1'})
    client.close()
  }
  if (result === undefined) throw new Error('not performed')
  return result.value
}

/** A member that is protected: agent, QEMU, one NBD connection and the migration stream. */
async function protectedMember(
  t: T,
  change: Partial<PairRecord> & {readonly bus?: DatagramBus} = {},
): Promise<{rig: Rig; qemu: FakeQmp; record: PairRecord}> {
  const {bus, ...fields} = change
  const rig = new Rig(t, {...(bus && {bus}), host: fields.host ?? 'alpha'})
  const record = rig.record(fields)
  await rig.keep(record)
  const qemu = await rig.qemu(record)
  rig.connect(record, {nbd: [100], migration: true})
  await rig.start()
  await eventually(() => qemu.connected || undefined)
  qemu.emit('MIGRATION', {status: 'colo'})
  await eventually(async () => (await rig.observe()).qmp === 'connected' || undefined)
  await within(rig, ({vm}) => vm.beginProtection())
  return {rig, qemu, record}
}

const secondary = {host: 'beta', role: 'secondary'} as const

test('an observation shows VM, checkpoints and disks', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  const layout = rig.layout(record)
  qemu.answer('qom-list', [{name: layout.nics[0]?.objects.rewriter, type: 'child<filter-rewriter>'}])
  qemu.on('qom-get', ({property}) => ({return: property === 'status' ? 'on' : true}))
  qemu.emit('RESUME')
  qemu.emit('STOP', undefined, 1_000_000_000_000)
  qemu.emit('RESUME', undefined, 1_000_000_045_000)
  const seen = await eventually(async () => {
    const now = await rig.observe()
    return now.checkpoints.count === 1 ? now : undefined
  })
  assert.equal(seen.checkpoints.lastPauseMs, 45)
  assert.deepEqual(seen.vm, {status: 'running', coloMode: 'secondary', migration: 'colo', qemuVersion: '11.1.3'})
  assert.deepEqual(seen.disks, [
    {index: 0, quorum: true, children: ['childs0'], overlays: true, replication: 'connected', exported: true},
  ])
  assert.deepEqual(seen.nics[0]?.objects, [{id: 'nic0-rewriter', type: 'filter-rewriter', on: true, vnetHdr: true}])
  assert.equal(seen.nics[0]?.tapState, 'up')
  assert.equal(seen.domain, 'running')
  assert.equal(seen.blindSince, undefined)
})

test('a hung QEMU is said to hang, and delays nobody else', async (t) => {
  const {rig, qemu} = await protectedMember(t, secondary)
  qemu.hang('query-status')
  const startedMs = performance.now()
  const seen = await rig.observe()
  assert.equal(seen.qmp, 'hung')
  assert.equal(seen.vm, undefined)
  assert.equal(seen.domain, 'running')
  assert.ok(performance.now() - startedMs < 3000)
  await eventually(async () => ((await rig.observe()).qmp === 'hung' ? true : undefined))
  await assert.rejects(
    within(rig, ({vm}) => vm.qmp()),
    /no reply/,
  )
})

test('the death of QEMU is latched, and known after a restart', async (t) => {
  const {rig, qemu} = await protectedMember(t, secondary)
  qemu.die()
  const seen = await eventually(async () => {
    const now = await rig.observe()
    return now.latched.length > 0 ? now : undefined
  })
  assert.deepEqual(
    seen.latched.map(({kind}) => kind),
    ['qemu-gone'],
  )
  assert.deepEqual([seen.domain, seen.qmp], ['absent', 'absent'])
  await rig.restart()
  assert.deepEqual(
    (await rig.observe()).latched.map(({kind}) => kind),
    ['qemu-gone'],
  )
})

test('an end on purpose is no fault', async (t) => {
  const {rig, qemu} = await protectedMember(t, secondary)
  await within(rig, ({vm}) => vm.release())
  qemu.die()
  assert.deepEqual((await rig.observe()).latched, [])
  assert.equal((await rig.observe()).qmp, 'absent')
})

test('S7: a checkpoint that completes after NBD was lost makes the secondary not promotable', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  rig.connect(record, {nbd: [], migration: true})
  qemu.emit('STOP')
  qemu.emit('RESUME')
  const kept = await eventually(async () => {
    const now = await rig.kept(record)
    return now.marks.notPromotable === undefined ? undefined : now
  })
  assert.match(kept.marks.notPromotable ?? '', /NBD connection was lost/)
  const seen = await rig.observe()
  assert.deepEqual(
    seen.latched.map(({kind}) => kind),
    ['nbd-lost'],
  )
  assert.equal(seen.disks[0]?.replication, 'lost')
})

test('S7: another NBD connection in its place counts as lost', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  rig.connect(record, {nbd: [101], migration: true})
  qemu.emit('STOP')
  qemu.emit('RESUME')
  await eventually(async () => (await rig.kept(record)).marks.notPromotable)
  assert.equal((await rig.observe()).disks[0]?.replication, 'changed')
})

test('S7: an export deleted, then a checkpoint: not promotable', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  qemu.emit('BLOCK_EXPORT_DELETED', {id: 'export0'})
  qemu.emit('STOP')
  qemu.emit('RESUME')
  await eventually(async () => (await rig.kept(record)).marks.notPromotable)
})

test('S7: a write that did not arrive between the copy and the beginning of protection forbids it, until the next copy', async (t) => {
  const {rig, qemu} = await protectedMember(t)
  await within(rig, ({vm}) => vm.endProtection())
  qemu.emit('JOB_STATUS_CHANGE', {id: 'resync0', status: 'created'})
  qemu.emit('QUORUM_REPORT_BAD', {'node-name': 'nbd0', type: 'write', 'sector-num': 0, 'sectors-count': 8})
  await new Promise((resolve) => setTimeout(resolve, 100))
  await assert.rejects(
    within(rig, ({vm}) => vm.beginProtection()),
    /missed something since they were copied: write on nbd0/,
  )
  qemu.emit('JOB_STATUS_CHANGE', {id: 'resync0', status: 'created'})
  await new Promise((resolve) => setTimeout(resolve, 100))
  await within(rig, ({vm}) => vm.beginProtection())
})

test('losing NBD because the primary died leaves the secondary promotable', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  qemu.emit('STOP')
  rig.connect(record, {nbd: [], migration: false}) // it dies in the middle of a checkpoint
  qemu.emit('RESUME')
  qemu.emit('COLO_EXIT', {mode: 'secondary', reason: 'error'})
  qemu.emit('BLOCK_EXPORT_DELETED', {id: 'export0'}) // the failover
  qemu.emit('STOP')
  qemu.emit('RESUME')
  await eventually(async () =>
    (await rig.observe()).latched.some(({kind}) => kind === 'export-deleted') ? true : undefined,
  )
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal((await rig.kept(record)).marks.notPromotable, undefined)
})

test('after the record says alone nothing is held against the copy', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  await within(rig, ({record: access}) => access.change({role: 'primary', ...alone}))
  qemu.emit('BLOCK_EXPORT_DELETED', {id: 'export0'})
  qemu.emit('STOP')
  qemu.emit('RESUME')
  const seen = await rig.observe()
  assert.deepEqual(seen.latched, [])
  assert.equal((await rig.kept(record)).marks.notPromotable, undefined)
})

test('S7: what the primary missed is known to the secondary by the beacon', async (t) => {
  const bus = new DatagramBus()
  const first = await protectedMember(t, {bus})
  const second = await protectedMember(t, {...secondary, bus})
  await eventually(async () => (await second.rig.observe()).peer)
  first.qemu.emit('QUORUM_REPORT_BAD', {'node-name': 'nbd0', type: 'flush', 'sector-num': 0, 'sectors-count': 8})
  await eventually(async () => ((await first.rig.observe()).latched.length > 0 ? true : undefined))
  await eventually(async () => {
    second.qemu.emit('STOP')
    second.qemu.emit('RESUME')
    await new Promise((resolve) => setTimeout(resolve, 50))
    return (await second.rig.kept(second.record)).marks.notPromotable
  })
  assert.equal((await first.rig.kept(first.record)).marks.notPromotable, undefined)
})

test('S1: a loser falls silent and is stale as soon as it learns of the newer generation', async (t) => {
  const {rig, record} = await protectedMember(t)
  const client = await rig.client()
  const layout = rig.layout(record)
  const other = {...alone, alone: false}
  assert.deepEqual(await client.call('generation.learn', {pair: 'web1', ...other}), {fenced: false})
  assert.equal(rig.tap(layout), 'up')
  assert.deepEqual(await client.call('generation.learn', {pair: 'web1', ...alone}), {fenced: true})
  assert.equal(rig.tap(layout), 'down')
  assert.match((await rig.kept(record)).marks.stale ?? '', /generation 2/)
  assert.deepEqual(await client.call('generation.learn', {pair: 'web1', ...alone}), {fenced: true})
  const {events} = await client.call('events.read', {pair: 'web1'})
  assert.equal(events.filter(({type}) => type === 'FENCED').length, 1)
})

test('S4: an unrelated generation is split-brain, and fences nobody', async (t) => {
  const {rig, record} = await protectedMember(t)
  const client = await rig.client()
  const strange = {generation: {epoch: 2, id: 'gx', ancestors: ['gy']}, alone: true}
  assert.deepEqual(await client.call('generation.learn', {pair: 'web1', ...strange}), {fenced: false})
  assert.equal(rig.tap(rig.layout(record)), 'up')
  assert.equal((await rig.kept(record)).marks.stale, undefined)
  const {events} = await client.call('events.read', {pair: 'web1'})
  assert.ok(events.some(({type}) => type === 'SPLIT_BRAIN'))
})

test('S1, S4: beyond what the list of ancestors reaches back to, a copy that is not alone is outdated; one that is, a rival', async (t) => {
  const farOn = {generation: {epoch: 700, id: 'gz', ancestors: ['gy']}, alone: true}
  const shared = await protectedMember(t)
  const client = await shared.rig.client()
  assert.deepEqual(await client.call('generation.learn', {pair: 'web1', ...farOn}), {fenced: true})
  assert.match((await shared.rig.kept(shared.record)).marks.stale ?? '', /generation 700/)
  const rival = new Rig(t)
  const record = rival.record({alone: true})
  await rival.keep(record)
  await rival.start()
  const other = await rival.client()
  assert.deepEqual(await other.call('generation.learn', {pair: 'web1', ...farOn}), {fenced: false})
  assert.equal((await rival.kept(record)).marks.stale, undefined)
})

test('S1: the beacon alone fences a loser, and a forged one does nothing', async (t) => {
  const bus = new DatagramBus()
  const loser = await protectedMember(t, {bus})
  const forged = new Rig(t, {host: 'beta', bus})
  await forged.keep(forged.record({...secondary, ...alone, role: 'primary', beaconKey: 'ff'.repeat(16)}))
  await forged.start()
  await new Promise((resolve) => setTimeout(resolve, 700))
  bus.inject('10.88.0.1:9100', Buffer.from('{"colo":1,"words":[{"pair":"web1","body":"{}","mac":"00"}]}'))
  bus.inject('10.88.0.1:9100', Buffer.alloc(70_000, 'x'))
  assert.equal((await loser.rig.observe()).peer, undefined)
  assert.equal(loser.rig.tap(loser.rig.layout(loser.record)), 'up')
  await forged.stop()
  const winner = new Rig(t, {host: 'beta', bus})
  await winner.keep(winner.record({...secondary, ...alone, role: 'primary'}))
  await winner.start()
  await eventually(() => loser.rig.tap(loser.rig.layout(loser.record)) === 'down' || undefined)
  await eventually(async () => (await loser.rig.kept(loser.record)).marks.stale)
  assert.equal((await loser.rig.observe()).peer?.alone, true)
})

test('a copy that is being replaced stays silent, but its record is left to the resync', async (t) => {
  const rig = new Rig(t, {host: 'beta'})
  const record = rig.record({...secondary, marks: {incomplete: {why: 'resync', detail: 'being copied'}}})
  await rig.keep(record)
  await rig.qemu(record)
  await rig.start()
  const client = await rig.client()
  await client.call('generation.learn', {pair: 'web1', ...alone})
  assert.equal(rig.tap(rig.layout(record)), 'down')
  assert.deepEqual((await rig.kept(record)).marks, record.marks)
})

test('a fence in flight does not mark a record that a plan has brought forward meanwhile', async (t) => {
  const {rig, record} = await protectedMember(t)
  const client = await rig.client()
  const learning = client.call('generation.learn', {pair: 'web1', ...alone})
  const newer = {epoch: 3, id: 'g3', ancestors: ['g2', 'g1']}
  await within(rig, ({record: access}) => access.change({generation: newer, alone: false, marks: {}}))
  await learning
  const {marks, generation} = await rig.kept(record)
  assert.equal(generation.id, 'g3')
  assert.ok(marks.stale === undefined)
  assert.deepEqual(await client.call('generation.learn', {pair: 'web1', ...alone}), {fenced: false})
})

test('a stale member that runs when the agent starts is silenced', async (t) => {
  const rig = new Rig(t)
  const record = rig.record({marks: {stale: 'lost'}})
  await rig.keep(record)
  await rig.qemu(record)
  assert.equal(rig.tap(rig.layout(record)), 'up')
  await rig.start()
  await eventually(() => rig.tap(rig.layout(record)) === 'down' || undefined)
})

test('after a restart it sees again only when all that could be missed is well', async (t) => {
  const {rig, qemu, record} = await protectedMember(t, secondary)
  await rig.restart()
  await eventually(() => qemu.connected || undefined)
  await eventually(async () => ((await rig.observe()).blindSince === undefined ? true : undefined))
  const client = await rig.client()
  const last = async (type: string): Promise<true> =>
    eventually(async () => (await client.call('events.read', {pair: 'web1'})).events.at(-1)?.type === type || undefined)
  await last('SEEING')
  qemu.emit('STOP') // its time is finer than a millisecond
  await last('STOP')
  await rig.stop()
  rig.connect(record, {nbd: [101], migration: true})
  await rig.start()
  await eventually(async () => ((await rig.observe()).qmp === 'connected' ? true : undefined))
  await new Promise((resolve) => setTimeout(resolve, 200))
  const {blindSince = 0} = await rig.observe()
  assert.ok(blindSince > 0)
  await rig.restart()
  assert.equal((await rig.observe()).blindSince, blindSince, 'since when is on the disk, in whole milliseconds')
  assert.deepEqual(rig.problems, [])
})

test('the mark of a commit goes when the overlays have gone, also over a restart', async (t) => {
  const rig = new Rig(t, {host: 'beta'})
  const marks = {incomplete: {why: 'commit', detail: 'merging'}} as const
  const record = rig.record({...secondary, ...alone, role: 'primary', marks})
  await rig.keep(record)
  const qemu = await rig.qemu(record, 'none')
  const layout = rig.layout(record)
  let left = ['active0', 'active0-file', 'hidden0', 'hidden0-file']
  let committing = true
  qemu.on('x-debug-query-block-graph', () => {
    const names = ['colo-disk0', 'childs0', 'parent0', ...left]
    const nodes = names.map((name, id) => ({id, name, type: 'block-driver'}))
    const edges = committing ? [{parent: 1, child: 3, name: 'file', perm: [], 'shared-perm': []}] : []
    return {return: {nodes, edges}}
  })
  qemu.on('blockdev-del', ({'node-name': name}) => {
    const above = {hidden0: 'active0', 'active0-file': 'active0', 'hidden0-file': 'hidden0'}[String(name)]
    if (above !== undefined && left.includes(above)) return {error: {class: 'GenericError', desc: 'in use'}}
    left = left.filter((one) => one !== name)
    return {return: {}}
  })
  await rig.start()
  await qemu.seen('x-debug-query-block-graph', 2)
  assert.equal((await rig.kept(record)).marks.incomplete?.why, 'commit')
  await rig.restart()
  committing = false
  await eventually(async () => ((await rig.kept(record)).marks.incomplete === undefined ? true : undefined))
  assert.deepEqual(left, [])
  assert.equal(layout.disks.length, 1)
})

test('if QEMU dies before the commit is over, the mark stays', async (t) => {
  const rig = new Rig(t, {host: 'beta'})
  const marks = {incomplete: {why: 'commit', detail: 'merging'}} as const
  const record = rig.record({...secondary, ...alone, role: 'primary', marks})
  await rig.keep(record)
  const qemu = await rig.qemu(record, 'none')
  qemu.answer('x-debug-query-block-graph', graphOf(rig.layout(record), 'secondary'))
  await rig.start()
  await qemu.seen('x-debug-query-block-graph', 2)
  qemu.die()
  await eventually(async () => ((await rig.observe()).qmp === 'absent' ? true : undefined))
  assert.equal((await rig.kept(record)).marks.incomplete?.why, 'commit')
})

test('attach waits for a QEMU that comes, and awaitCheckpoint for its checkpoint', async (t) => {
  const rig = new Rig(t)
  const record = rig.record()
  await rig.keep(record)
  await rig.start()
  await assert.rejects(
    within(rig, ({vm}) => vm.attach(100)),
    /within 100 ms/,
  )
  const attaching = within(rig, async ({vm}) => {
    await vm.attach(5000)
    await vm.awaitCheckpoint(0, 5000)
    return vm.checkpoints()
  })
  const qemu = await rig.qemu(record)
  answerAsQemu(qemu, rig.layout(record), 'primary')
  await eventually(() => qemu.connected || undefined)
  await qemu.seen('qmp_capabilities')
  qemu.emit('MIGRATION', {status: 'colo'})
  qemu.emit('STOP')
  qemu.emit('RESUME')
  assert.equal(await attaching, 1)
  await assert.rejects(
    within(rig, ({vm}) => vm.awaitCheckpoint(1, 50)),
    /no checkpoint was completed within 50 ms/,
  )
})

test('beginning protection needs every NBD connection', async (t) => {
  const rig = new Rig(t)
  const record = rig.record()
  await rig.keep(record)
  await rig.qemu(record)
  rig.connect(record, {nbd: [], migration: true})
  await rig.start()
  await assert.rejects(
    within(rig, ({vm}) => vm.beginProtection()),
    /0 of 1 NBD connections/,
  )
})

test.run()

import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import {qemuOwner} from '../../../src/agent/actions/qemu-owner.js'
import {ConflictError, NotFoundError, StateError, ToolError} from '../../../src/errors.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {exitOf, world} from './context.js'

const test = suite('actions: host, domain, records')

const uuid = '11111111-2222-4333-8444-555555555555'
const xml = `<domain><name>web1</name><uuid>${uuid}</uuid></domain>`
const create = {kind: 'domain-create', domain: 'web1', xml} as const

test('domain-create notes the word of this start for the hook while libvirt is asked, starts it paused and connects', async () => {
  const {context, files, ran, calls, state} = world()
  state.answer = (argv) => {
    if (argv.includes('domstate')) throw exitOf(argv, 1, "error: failed to get domain 'web1'")
    const [, word, by] = /^([0-9a-f]{32}) (\d+)\n$/.exec(files.texts.get('/run/colo/starts/web1') ?? '') ?? []
    assert.equal(Number(by), process.pid)
    assert.ok(files.texts.get('/var/lib/colo/pairs/web1/domain.xml')?.includes(`start='${word ?? '?'}'`))
    return undefined
  }
  await performAction(create, context)
  assert.ok(!files.texts.has('/run/colo/starts/web1'), 'the note is gone')
  assert.deepEqual(ran.at(-1)?.slice(4), ['create', '--file', '/var/lib/colo/pairs/web1/domain.xml', '--paused'])
  assert.deepEqual(calls, ['attach'])
})

test('domain-create refuses a running VM of that name with another uuid, and a definition', async () => {
  const {context, state} = world()
  state.answer = (argv) => (argv.includes('domstate') ? 'running (booted)' : xml.replace(uuid, uuid.replace('1', '9')))
  await assert.rejects(() => performAction(create, context), /another VM of that name/)
  state.answer = () => 'shut off (destroyed)'
  await assert.rejects(() => performAction(create, context), ConflictError)
})

test("domain-create: virsh's own words when it fails", async () => {
  const {context, state} = world()
  state.answer = (argv) => {
    if (argv.includes('domstate')) throw exitOf(argv, 1, "error: failed to get domain 'web1'")
    throw exitOf(argv, 1, 'error: internal error: process exited while connecting to monitor: bad option')
  }
  await assert.rejects(
    () => performAction(create, context),
    (error) => error instanceof ToolError && /bad option/.test(error.message),
  )
})

test('domain-destroy leaves a VM alone that has no socket of the pair', async () => {
  const {context, state, ran, notes, calls} = world()
  state.answer = (argv) => (argv.includes('domstate') ? 'running (booted)' : xml)
  assert.equal(await performAction({kind: 'domain-destroy', domain: 'web1'}, context), 'unchanged')
  assert.ok(!ran.some((argv) => argv.includes('destroy')))
  assert.match(notes[0] ?? '', /left alone/)
  assert.deepEqual(calls, [])
})

test('domain-destroy lets go of the session first and waits until it is gone', async () => {
  const {context, state, calls, clock} = world()
  state.answer = (argv) => {
    if (argv.includes('domstate')) {
      if (clock.atMs >= 300) throw exitOf(argv, 1, "error: failed to get domain 'web1'")
      return 'running (booted)'
    }
    if (argv.includes('destroy')) assert.deepEqual(calls, ['release'])
    return `${xml}<!-- /run/colo/pairs/web1/agent.qmp -->`
  }
  assert.equal(await performAction({kind: 'domain-destroy', domain: 'web1'}, context), 'changed')
  assert.equal(clock.atMs, 300)
})

test('domain-destroy that does not end it is an error', async () => {
  const {context, state} = world()
  state.answer = (argv) =>
    argv.includes('domstate') ? 'in shutdown (unknown)' : `${xml}<!-- /run/colo/pairs/web1/agent.qmp -->`
  await assert.rejects(
    () => performAction({kind: 'domain-destroy', domain: 'web1'}, context),
    /domain web1: still in shutdown 30 s after virsh destroy/,
  )
})

const keep = {kind: 'image-create', path: '/img/a', format: 'qcow2', sizeBytes: 65_536, existing: 'keep'} as const

test('image-create keep refuses a file of another format or size, and keeps it', async () => {
  const {context, files, state} = world()
  files.texts.set('/img/a', 'something')
  state.answer = () => JSON.stringify({format: 'raw', 'virtual-size': 512})
  await assert.rejects(() => performAction(keep, context), /exists as raw of 512 bytes, wanted is qcow2 of 65536 bytes/)
  assert.equal(files.texts.get('/img/a'), 'something')
})

test('image-create makes the file QEMU’s before anything is in it', async () => {
  const {context, files, ran} = world()
  await performAction(keep, context)
  assert.deepEqual(files.owners.get('/img/a'), [0, 0, 0o600])
  assert.deepEqual(ran.at(-1), ['qemu-img', 'create', '-q', '-f', 'qcow2', '/img/a', '65536'])
})

test('image-create replace takes overlays only, never an image of the pair', async () => {
  const {context, ran} = world()
  for (const path of ['/var/lib/colo/images/web1-root.qcow2', '/etc/passwd', '/run/colo/scratch/x.qcow2']) {
    await assert.rejects(() => performAction({...keep, path, existing: 'replace'}, context), /is not an overlay/)
  }
  assert.deepEqual(ran, [])
})

test('image-create replace leaves one that a QEMU has open', async () => {
  const {context, files, state} = world()
  const path = '/run/colo/scratch/web1-root.active.qcow2'
  files.texts.set(path, 'in use')
  state.answer = (argv) => {
    if (!argv.includes('--force-share')) throw exitOf(argv, 1, 'Failed to get shared "write" lock')
    return '{}'
  }
  assert.equal(await performAction({...keep, path, existing: 'replace'}, context), 'unchanged')
  assert.equal(files.texts.get(path), 'in use')
  state.answer = () => '{}'
  assert.equal(await performAction({...keep, path, existing: 'replace'}, context), 'changed')
  assert.equal(files.texts.get(path), '')
})

const merge = {kind: 'overlays-merge', active: '/s/a', hidden: '/s/h', disk: '/img/d', format: 'qcow2'} as const

test('overlays-merge: a lost overlay is lost data, and said so', async () => {
  const {context, files} = world()
  files.texts.set('/img/d', 'x').set('/s/h', 'x')
  await assert.rejects(() => performAction(merge, context), NotFoundError)
})

test('overlays-merge refuses overlays of another size', async () => {
  const {context, files, state} = world()
  for (const path of ['/img/d', '/s/a', '/s/h']) files.texts.set(path, 'x')
  state.answer = (argv) => JSON.stringify({format: 'qcow2', 'virtual-size': argv.at(-1) === '/s/h' ? 512 : 1024})
  await assert.rejects(() => performAction(merge, context), StateError)
})

test('the owner comes from qemu.conf, else from the account that exists', async () => {
  const accounts: Record<string, string> = {
    'passwd libvirt-qemu': 'libvirt-qemu:x:64055:994:::',
    'passwd root': 'root:x:0:0:::',
    'group kvm': 'kvm:x:104:',
  }
  const ownerWith = (conf: string | undefined) => {
    const {files} = world()
    files.texts.set('/etc/libvirt/qemu.conf', conf)
    return qemuOwner({
      files,
      run: (argv) => {
        const line = accounts[argv.slice(1).join(' ')]
        if (line === undefined) return Promise.reject(exitOf(argv, 2, ''))
        return Promise.resolve({stdout: `${line}\n`, stderr: '', durationMs: 1})
      },
    })
  }
  assert.deepEqual(await ownerWith(undefined), {uid: 64_055, gid: 994})
  assert.deepEqual(await ownerWith('#user = "nobody"\nuser = "root"\n group = "kvm" # as QEMU\n'), {uid: 0, gid: 104})
  assert.deepEqual(await ownerWith('user = "+1000"\ngroup = 1001\n'), {uid: 1000, gid: 1001})
  await assert.rejects(() => ownerWith('user = "nobody-here"\n'), /qemu\.conf:1:1: user "nobody-here" does not exist/)
  delete accounts['passwd libvirt-qemu']
  assert.deepEqual(await ownerWith(''), {uid: 0, gid: 0})
})

test('record-create refuses a record of another pair; a change needs a record', async () => {
  const {context, state} = world()
  await assert.rejects(() => performAction({kind: 'record-change', change: {alone: true}}, context), NotFoundError)
  state.record = recordOf('primary', {uuid: 'other'})
  await assert.rejects(
    () => performAction({kind: 'record-create', record: recordOf('primary')}, context),
    ConflictError,
  )
  assert.equal(state.record.uuid, 'other')
})

test('record-images fails on a missing image', async () => {
  const {context, state} = world()
  state.record = recordOf('primary')
  await assert.rejects(
    () => performAction({kind: 'record-images', images: [{disk: 'root', path: '/img/none'}]}, context),
    /image \/img\/none of disk root: does not exist/,
  )
})

test('a missing nft names its package', async () => {
  const {context, state} = world()
  state.answer = (argv) => {
    throw new ToolError(argv, {kind: 'missing'})
  }
  await assert.rejects(
    () => performAction({kind: 'firewall', ensure: 'absent', table: 'colo-web1'}, context),
    (error) => error instanceof NotFoundError && error.hint === 'install the package nftables',
  )
})

test.run()

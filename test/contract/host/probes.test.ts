import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as assert from 'uvu/assert'
import {ToolError} from '../../../src/errors.js'
import {capabilitiesOf} from '../../../src/host/capabilities.js'
import {collectHostFacts, probes} from '../../../src/host/collect-facts.js'
import {probeImage} from '../../../src/host/probe/images.js'
import {bootSector, kvmProbeArgv} from '../../../src/host/probe/kvm.js'
import {nftProbeRuleset} from '../../../src/host/probe/services.js'
import {probeDirectory} from '../../../src/host/probe/storage.js'
import {systemClock} from '../../../src/os/clock.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import {run, type Argv, type Run} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'
import {recordOf, specOf} from '../../unit/host/samples.js'
import {startQemu} from '../qmp/subjects.js'

const test = suite('contract/host/probes')

const deps = {run, files: nodeFiles, clock: systemClock, records: []}
const quick = probes.filter((probe) => probe !== 'kvm' && probe !== 'libvirt')

test('this machine: every quick probe finds something, none fails', async () => {
  const facts = await collectHostFacts({host: 'here', want: quick}, deps)
  assert.equal(facts.problems ?? [], [])
  assert.is(facts.qemu !== undefined && capabilitiesOf(facts.qemu).colo !== 'absent', true)
  assert.ok(facts.cpu.count > 0 && facts.cpu.model !== '')
  assert.ok(facts.memory.availableBytes > 0)
  assert.ok(facts.addresses.some(({address}) => address === '127.0.0.1'))
  assert.equal(facts.tools, {virsh: true, 'qemu-img': true, nft: true, ip: true})
  assert.is(facts.agentVersion, '0.1.0')
}, 20_000)

test('libvirt is a version or a reason', async () => {
  const {libvirt} = await collectHostFacts({host: 'here', want: ['libvirt']}, deps)
  if ('problem' in libvirt) assert.ok(libvirt.problem.length > 10 && !libvirt.problem.startsWith('error'))
  else assert.match(libvirt.version, /^\d+\.\d+/)
}, 30_000)

test('what the records of the host hold is told', async () => {
  const records = [recordOf('alpha', specOf()), recordOf('beta', specOf())]
  const facts = await collectHostFacts({host: 'alpha', want: []}, {...deps, records})
  assert.is(facts.committedMemoryBytes, 6 * 1024 ** 3, 'a primary once, a secondary twice')
  assert.equal(facts.allotted[0], {pair: 'web1', ports: [9101, 9102, 9103, 9104]})
})

test('tools that fail make problems, and leave all other facts', async () => {
  const broken: Run = (argv) => Promise.reject(new ToolError(argv, {kind: 'exit', status: 1, firstLine: 'broken'}))
  const want = ['links', 'nft', 'libvirt', 'memory', 'ports']
  const facts = await collectHostFacts({host: 'here', want}, {...deps, run: broken})
  assert.equal(facts.problems, [{probe: 'links', message: 'ip: broken'}])
  assert.is(facts.nftNetdev, false)
  assert.equal(facts.libvirt, {problem: 'virsh: broken'})
  assert.ok(facts.memory.totalBytes > 0 && facts.addresses.length === 0)
})

test('a QEMU that takes too long is told apart from one that is missing', async () => {
  const slow: Run = (argv) => Promise.reject(new ToolError(argv, {kind: 'timed-out', afterMs: 20_000}))
  // another file than the one whose answer is kept
  const stat: typeof nodeFiles.stat = async (path) => ({...(await nodeFiles.stat(path))!, inode: '0'})
  const facts = await collectHostFacts(
    {host: 'here', want: ['qemu']},
    {...deps, run: slow, files: {...nodeFiles, stat}},
  )
  assert.is(facts.qemu, undefined)
  assert.equal(
    facts.problems?.map(({probe, timedOut}) => [probe, timedOut]),
    [['qemu', true]],
  )
})

test('an image: free, then in use by a QEMU', async (t) => {
  const path = join(temporaryDirectory(t, 'probes'), 'disk.qcow2')
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, '64M'])
  const {directory, ...free} = await probeImage(path, {run, mounts: '', loops: []})
  assert.equal(free, {path, exists: true, format: 'qcow2', virtualSizeBytes: 67108864, snapshots: 0, inUse: false})
  assert.ok((directory?.availableBytes ?? 0) > 0)
  const nodes: Argv = ['qemu-system-x86_64', '-blockdev', `driver=file,filename=${path},node-name=f`]
  await startQemu(t, [...nodes, '-blockdev', 'driver=qcow2,file=f,node-name=q'])
  const used = await probeImage(path, {run, mounts: '', loops: []})
  assert.is(used.inUse, true)
  assert.is(used.virtualSizeBytes, 67108864)
})

test('an image behind a loop device is in use; one that is absent, a directory or damaged is told', async (t) => {
  const directory = temporaryDirectory(t, 'probes')
  const raw = join(directory, 'raw.img')
  await writeFile(raw, Buffer.alloc(1024 * 1024))
  assert.is((await probeImage(raw, {run, mounts: '', loops: [raw]})).inUse, true)
  assert.is((await probeImage(join(directory, 'none'), {run, mounts: '', loops: []})).exists, false)
  assert.is((await probeImage(directory, {run, mounts: '', loops: []})).problem, 'is a directory')
  const damaged = join(directory, 'damaged.qcow2')
  await writeFile(damaged, Buffer.concat([Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), Buffer.alloc(4096)]))
  assert.match((await probeImage(damaged, {run, mounts: '', loops: []})).problem ?? '', /^Could not open /)
})

test('a directory that does not exist has the space of the nearest that does', async (t) => {
  const directory = temporaryDirectory(t, 'probes')
  const mounts = await nodeFiles.readText('/proc/mounts')
  const below = await probeDirectory(join(directory, 'a', 'b'), mounts ?? '')
  const there = await probeDirectory(directory, mounts ?? '')
  assert.equal([below.exists, there.exists], [false, true])
  assert.is(below.memoryBacked, there.memoryBacked)
  assert.ok(below.availableBytes > 0)
  assert.is((await probeDirectory('/dev/shm', mounts ?? '')).memoryBacked, true)
})

test('the guest of the KVM probe boots and writes its token: seen with TCG', async (t) => {
  const image = join(temporaryDirectory(t, 'probes'), 'boot.img')
  await writeFile(image, bootSector())
  const [program, ...args] = kvmProbeArgv('qemu-system-x86_64', image)
  const argv: Argv = [program, ...args.map((arg) => arg.replace('accel=kvm', 'accel=tcg'))]
  const error: unknown = await run(argv).catch((thrown: unknown) => thrown)
  assert.instance(error, ToolError)
  const {failure} = error as ToolError
  assert.is(failure.kind === 'exit' ? failure.status : undefined, 0x21 * 2 + 1)
})

test('the packet filter probe leaves no table behind', async () => {
  const table = `colo-probe-test-${process.pid}`
  await run(['nft', '-f', '-'], {input: nftProbeRuleset(table)})
  assert.not((await run(['nft', 'list', 'tables'])).stdout.includes(table))
})

test.run()

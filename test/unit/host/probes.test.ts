import * as assert from 'uvu/assert'
import {DecodeError, ToolError} from '../../../src/errors.js'
import {readClock} from '../../../src/host/fetch-facts.js'
import {bootSector} from '../../../src/host/probe/kvm.js'
import {isLocked, parseImageInfo} from '../../../src/host/probe/images.js'
import {parseIpAddr} from '../../../src/host/probe/links.js'
import {fileSystemOf, isMemoryBacked, parseCpuinfo, parseListening, parseMeminfo} from '../../../src/host/probe/proc.js'
import {probeQemuAmong, readQemuProbe} from '../../../src/host/probe/qemu.js'
import type {FileFacts, Files} from '../../../src/os/files.js'
import type {Run} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'
import {fixture, probedQemu} from './samples.js'

const test = suite('host/probes')

test('QEMU 7.2.22', async () => {
  const qemu = await probedQemu('7.2.22')
  assert.is(qemu.version, '7.2.22')
  assert.is(qemu.coloAccepted, true)
  assert.is(qemu.coloNeedsReturnPath, false)
  assert.ok(qemu.machines.includes('pc-i440fx-7.2') && qemu.objectTypes.includes('colo-compare'))
  assert.ok(qemu.commands.includes('yank') && qemu.blockDrivers.includes('replication'))
})

test('QEMU 11.1.3 wants return-path with x-colo', async () => {
  const qemu = await probedQemu('11.1.3')
  assert.is(qemu.version, '11.1.3')
  assert.is(qemu.coloAccepted, false)
  assert.is(qemu.coloNeedsReturnPath, true)
})

test('a QEMU that ends early is an error that names the missing answer', async () => {
  const lines = fixture('host/qemu-7.2.22-probe.txt').split('\n').slice(0, 4).join('\n')
  try {
    await readQemuProbe('/usr/bin/qemu-system-x86_64', lines)
    assert.unreachable()
  } catch (error) {
    assert.instance(error, DecodeError)
    assert.match((error as Error).message, /query-machines is not answered/)
  }
})

test('a QEMU whose answers were cut off at its end is asked again, a few times', async () => {
  const whole = fixture('host/qemu-11.1.3-probe.txt')
  const file: FileFacts = {inode: '1', device: '1', sizeBytes: 1, modifiedNs: '1', uid: 0, gid: 0, mode: 0o755}
  const files = {stat: () => Promise.resolve(file)} as unknown as Files
  const ask = async (binary: string, cutOff: number): Promise<{version: string | undefined; runs: number}> => {
    let runs = 0
    const run: Run = () => {
      const stdout = ++runs <= cutOff ? whole.slice(0, 40_000) : whole
      return Promise.resolve({stdout, stderr: '', durationMs: 1})
    }
    const facts = await probeQemuAmong([binary], run, files).catch((error: unknown) => {
      assert.instance(error, DecodeError)
      return undefined
    })
    return {version: facts?.version, runs}
  }
  assert.equal(await ask('/a/qemu', 2), {version: '11.1.3', runs: 3})
  assert.equal(await ask('/b/qemu', 99), {version: undefined, runs: 4})
})

test('interfaces of a lab host: addresses, bridges with their ports, kinds', () => {
  const {addresses, bridges, links} = parseIpAddr(fixture('host/iproute2-6.15.0-addr-lab-host.json'))
  assert.equal(
    addresses.find(({dev}) => dev === 'repl0'),
    {dev: 'repl0', address: '10.88.0.1', up: true, mtu: 1500},
  )
  const br0 = bridges.find(({name}) => name === 'br0')
  assert.ok(br0?.ports.includes('up0'))
  assert.is(br0?.stp, false)
  assert.equal(
    links.find(({name}) => name === 'up0'),
    {name: 'up0', kind: 'veth', carrier: true, mtu: 1500, master: 'br0'},
  )
})

test('interfaces that are down', () => {
  const {links, addresses} = parseIpAddr(fixture('host/iproute2-6.1.0-addr-one-nic.json'))
  assert.is(links.find(({name}) => name === 'ifb0')?.carrier, false)
  assert.is(addresses.find(({dev}) => dev === 'lo')?.address, '127.0.0.1')
})

test('STP of a bridge; empty objects of older iproute2; other output', () => {
  const bridge = {ifname: 'br0', mtu: 1500, flags: ['UP'], linkinfo: {info_kind: 'bridge', info_data: {stp_state: 1}}}
  assert.equal(parseIpAddr(JSON.stringify([{}, bridge])).bridges, [{name: 'br0', up: true, stp: true, ports: []}])
  assert.throws(() => parseIpAddr('Device "x" does not exist.'), /not JSON/)
  assert.throws(() => parseIpAddr('[{"ifname": 1}]'), /not an interface/)
})

test('CPU and memory', () => {
  assert.equal(parseCpuinfo(fixture('host/linux-6.18-cpuinfo-two-cpus.txt')), {model: 'AMD EPYC', count: 2})
  assert.equal(parseCpuinfo('processor\t: 0\n'), {model: '', count: 1})
  const {totalBytes, availableBytes} = parseMeminfo(fixture('host/linux-6.18-meminfo.txt'))
  assert.ok(totalBytes > availableBytes && availableBytes > 0 && totalBytes % 1024 === 0)
  assert.throws(() => parseMeminfo('MemFree: 1 kB'), /no MemTotal/)
})

test('listening ports of both families, each once', () => {
  const tables = [fixture('host/linux-6.18-tcp-lab-host.txt'), fixture('host/linux-6.18-tcp6-lab-host.txt')]
  assert.equal(parseListening(...tables), [22, 9103, 9104, 9105, 9106])
  assert.equal(parseListening('', ''), [])
})

test('file systems: the longest mount point wins', () => {
  const mounts = fixture('host/linux-6.18-mounts-lab-host.txt')
  assert.is(fileSystemOf(mounts, '/run/colo/scratch/web1'), 'tmpfs')
  assert.is(fileSystemOf(mounts, '/var/lib/colo/images'), 'overlay')
  assert.is(fileSystemOf(mounts, '/runway'), 'overlay')
  assert.is(fileSystemOf('/dev/sda1 /a\\040b ext4 rw 0 0\n', '/a b/c'), 'ext4')
  assert.is(isMemoryBacked(undefined), false)
})

test('images', () => {
  assert.equal(parseImageInfo(fixture('host/qemu-img-7.2.22-info-snapshot.json')), {
    format: 'qcow2',
    virtualSizeBytes: 67108864,
    snapshots: 1,
  })
  assert.equal(parseImageInfo(fixture('host/qemu-img-7.2.22-info-backing.json')), {
    format: 'qcow2',
    virtualSizeBytes: 67108864,
    snapshots: 0,
    backing: 'a.qcow2',
  })
  assert.is(parseImageInfo(fixture('host/qemu-img-11.1.3-info-raw.json')).format, 'raw')
  assert.throws(() => parseImageInfo('{}'), /format is not a string/)
})

test('only a lock means in use', () => {
  const exit = (firstLine: string): ToolError => new ToolError(['qemu-img'], {kind: 'exit', status: 1, firstLine})
  assert.ok(isLocked(exit(`qemu-img: Could not open 'a': Failed to get shared "write" lock`)))
  assert.not(isLocked(exit(`qemu-img: Could not open 'a': Permission denied`)))
  assert.not(isLocked(new ToolError(['qemu-img'], {kind: 'missing'})))
})

test('the guest of the KVM probe is a boot sector', () => {
  const sector = bootSector()
  assert.is(sector.length, 512)
  assert.equal([...sector.slice(510)], [0x55, 0xaa])
})

test('a clock is read in the middle of the round trip', () => {
  assert.equal(readClock({sentMs: 1000, roundTripMs: 40, atMs: 3020}), {offsetMs: 2000, uncertaintyMs: 21})
})

test.run()

import {strict as assert} from 'node:assert'
import {existsSync, readFileSync} from 'node:fs'

import type {Argv, RunResult} from '../../src/os/process.js'
import {openLabSandbox, waitFor, type LabSandbox} from '../support/lab-sandbox.js'
import {suite, type T} from '../support/suite.js'

type Test = (title: string, body: (t: T) => unknown, ms?: number) => void

/** The first lab of a machine builds a root file system: minutes on a slow mirror. */
const buildMs = 1_500_000

const whole = suite('lab')
const why = whyNoLab()
const test: Test = why === undefined ? whole : (title) => whole.skip(title, why)
let shared: Promise<LabSandbox> | undefined

/** One sandbox with a lab for all tests that do not end it; it goes with this process's last test. */
async function labOf(): Promise<LabSandbox> {
  shared ??= openLabSandbox().then(async (sandbox) => {
    await sandbox.colo(['lab', 'up'], {timeoutMs: buildMs})
    return sandbox
  })
  return shared
}

async function onHost(sandbox: LabSandbox, place: string, argv: Argv): Promise<RunResult> {
  return sandbox.colo(['lab', 'exec', place, '--', ...argv])
}

/** Exit status 0 of a ping: one packet, one second. */
async function reaches(sandbox: LabSandbox, from: string, address: string): Promise<boolean> {
  return sandbox.colo(['lab', 'exec', from, '--', 'ping', '-c1', '-W1', address]).then(
    () => true,
    () => false,
  )
}

async function leftovers(sandbox: LabSandbox): Promise<string[]> {
  const namespaces = (await sandbox.run(['ip', 'netns', 'list'])).stdout.split('\n').filter((line) => line !== '')
  const links = (await sandbox.run(['ip', '-br', 'link'])).stdout.split('\n').filter((line) => line.startsWith('colo-'))
  const processes = (await sandbox.run(['ps', '-eo', 'args'])).stdout
    .split('\n')
    .filter((line) => /sshd|libvirtd|virtlogd|colo-lab|qemu/.test(line))
  const mounts = (await sandbox.run(['cat', '/proc/self/mounts'])).stdout.split('\n').filter(
    // `ip netns` makes its directory a mount of its own once and for all
    (line) => !sandbox.mountsBefore.includes(line) && !line.startsWith('tmpfs /run/netns '),
  )
  const files = (await sandbox.run(['find', '/run', '-maxdepth', '1', '-name', 'colo*'])).stdout
    .split('\n')
    .filter((line) => line !== '')
  return [...namespaces, ...links, ...processes, ...mounts, ...files]
}

test(
  'up a second time starts nothing and says how to use it',
  async () => {
    const sandbox = await labOf()
    const result = JSON.parse((await sandbox.colo(['lab', 'up', '--json'])).stdout) as {
      startedHosts: string[]
      env: Record<string, string>
    }
    assert.deepEqual(result.startedHosts, [])
    assert.equal(result.env['COLO_HOSTS'], '/run/colo-lab/hosts.yaml')
  },
  buildMs,
)

test('status names every host, its versions and the accelerator', async () => {
  const sandbox = await labOf()
  const status = JSON.parse((await sandbox.colo(['lab', 'status', '--json'])).stdout) as {
    accelerator: string
    versions: {qemu: string}
    hosts: Array<{name: string; running: boolean; cut: string[]}>
  }
  assert.match(status.accelerator, /^(kvm|tcg)$/)
  assert.match(status.versions.qemu, /^1:(1[1-9]|[2-9]\d)\./)
  assert.deepEqual(
    status.hosts.map(({name, running, cut}) => [name, running, cut]),
    [
      ['alpha', true, []],
      ['beta', true, []],
      ['gamma', true, []],
    ],
  )
}, 60_000)

test('ssh reaches the hosts from the machine and from each other', async () => {
  const sandbox = await labOf()
  const ssh = ['ssh', '-F', '/run/colo-lab/ssh/config'] as const
  assert.equal((await sandbox.run([...ssh, 'root@10.99.0.2', 'hostname'])).stdout, 'beta')
  assert.equal((await sandbox.run([...ssh, 'alpha', 'ssh', 'root@10.99.0.3', 'hostname'])).stdout, 'gamma')
}, 60_000)

const domain = (
  name: string,
  devices: string,
): string => `<domain type='qemu'><name>${name}</name><memory unit='MiB'>128</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>${devices}
<serial type='file'><source path='/tmp/${name}.log'/></serial></devices></domain>`

const image = (name: string): string => `/var/lib/colo/images/${name}.qcow2`

/** Boots the firmware disk in a host and waits for its services. */
async function bootGuest(
  sandbox: LabSandbox,
  at: {host: string; name: string; nic: string; bus: string},
): Promise<void> {
  const {host, name, nic, bus} = at
  const target = bus === 'virtio' ? 'vda' : 'hda'
  const xml = domain(
    name,
    `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${image(name)}'/><target dev='${target}' bus='${bus}'/></disk>
<interface type='bridge'><mac address='52:54:00:c0:10:00'/><source bridge='br0'/><model type='${nic}'/></interface>
<interface type='bridge'><mac address='52:54:00:c0:10:01'/><source bridge='br1'/><model type='${nic}'/></interface>`,
  )
  await onHost(sandbox, host, ['cp', '/var/lib/colo/guest/disk.qcow2', image(name)])
  await onHost(sandbox, host, [
    'sh',
    '-c',
    `cat >/tmp/${name}.xml <<'END'\n${xml}\nEND\nvirsh -q create /tmp/${name}.xml`,
  ])
  const ready = async (): Promise<boolean> =>
    (await onHost(sandbox, host, ['cat', `/tmp/${name}.log`])).stdout.includes('GUEST READY')
  await waitFor(ready, `guest ${name}`, 90_000)
}

const get = async (sandbox: LabSandbox, url: string): Promise<string> =>
  (await onHost(sandbox, 'client', ['curl', '-gsS', '-m', '10', url])).stdout

for (const [nic, bus] of [
  ['virtio', 'virtio'],
  ['e1000', 'ide'],
] as const) {
  test(`the guest boots by firmware and serves, ${nic} and ${bus}`, async (t) => {
    const sandbox = await labOf()
    await bootGuest(sandbox, {host: 'alpha', name: 'fw', nic, bus})
    t.defer(() => onHost(sandbox, 'alpha', ['virsh', '-q', 'destroy', 'fw']))
    const page = await get(sandbox, 'http://10.77.0.10/')
    assert.match(page, /same on both sides/)
    assert.equal(await get(sandbox, 'http://[fd77::10]/'), page)
    assert.equal(await get(sandbox, 'http://10.78.0.10/'), page)
    assert.notEqual(await get(sandbox, 'http://10.77.0.10/uptime'), await get(sandbox, 'http://10.77.0.10/uptime'))
    assert.match(await get(sandbox, 'http://10.77.0.10/write?disk=0&sector=131072&value=hello+there'), /^written/)
    assert.equal(await get(sandbox, 'http://10.77.0.10/read?disk=0&sector=131072'), 'hello there')
    const head = (await onHost(sandbox, 'client', ['curl', '-sSi', 'http://10.77.0.10/'])).stdout
    assert.doesNotMatch(head, /^Date:/im)
    const echo = 'exec 3<>/dev/tcp/10.77.0.10/7; echo one >&3; read -r a <&3; echo two >&3; read -r b <&3; echo $a $b'
    assert.equal((await onHost(sandbox, 'client', ['bash', '-c', echo])).stdout, 'one two')
  }, 180_000)
}

test('a stopped QEMU is silent until it continues; a killed one is gone', async () => {
  const sandbox = await labOf()
  await bootGuest(sandbox, {host: 'beta', name: 'victim', nic: 'virtio', bus: 'virtio'})
  await sandbox.colo(['lab', 'fault', 'stop', 'qemu', 'beta', 'victim'])
  assert.equal(await reaches(sandbox, 'client', '10.77.0.10'), false)
  await sandbox.colo(['lab', 'fault', 'continue', 'qemu', 'beta', 'victim'])
  await waitFor(() => reaches(sandbox, 'client', '10.77.0.10'), 'the guest to answer again')
  await sandbox.colo(['lab', 'fault', 'kill', 'qemu', 'beta', 'victim'])
  const gone = async (): Promise<boolean> =>
    (await onHost(sandbox, 'beta', ['virsh', '-q', 'list', '--name'])).stdout.trim() === ''
  await waitFor(gone, 'libvirt to notice')
  await assert.rejects(sandbox.colo(['lab', 'fault', 'kill', 'qemu', 'beta', 'victim']))
}, 180_000)

test('stop-nbd ends the NBD server inside QEMU', async (t) => {
  const sandbox = await labOf()
  await bootGuest(sandbox, {host: 'beta', name: 'export', nic: 'virtio', bus: 'virtio'})
  t.defer(() => onHost(sandbox, 'beta', ['virsh', '-q', 'destroy', 'export']))
  const start =
    '{"execute":"nbd-server-start","arguments":{"addr":{"type":"inet","data":{"host":"10.88.0.2","port":"9999"}}}}'
  await onHost(sandbox, 'beta', ['virsh', '-q', 'qemu-monitor-command', 'export', start])
  const listens = async (): Promise<boolean> =>
    (await onHost(sandbox, 'beta', ['ss', '-Hltn', 'sport', '=', ':9999'])).stdout !== ''
  assert.equal(await listens(), true)
  await sandbox.colo(['lab', 'fault', 'stop-nbd', 'beta', 'export'])
  assert.equal(await listens(), false)
}, 180_000)

/** Opens a connection alpha -> beta over the replication link and captures what beta sees of its end while `fault` happens. */
async function endSeenByPeer(sandbox: LabSandbox, fault: readonly string[]): Promise<string> {
  const client = await sandbox.background(
    [
      'bin/dev.js',
      'lab',
      'exec',
      'alpha',
      '--',
      'bash',
      '-c',
      'exec 3<>/dev/tcp/10.88.0.2/22; read -r line <&3; echo connected; sleep 600',
    ],
    'connected',
  )
  const capture = await sandbox.background(
    [
      'bin/dev.js',
      'lab',
      'exec',
      'beta',
      '--',
      'tcpdump',
      '-i',
      'repl0',
      '-nnl',
      'src 10.88.0.1 and tcp[tcpflags] & (tcp-fin|tcp-rst) != 0',
    ],
    'listening on',
  )
  await sandbox.colo(['lab', 'fault', ...fault])
  await sandbox.run(['sleep', '1.5'])
  const seen = await capture.output()
  await capture.kill()
  await client.kill()
  return seen
    .split('\n')
    .filter((line) => line.includes('Flags'))
    .join('\n')
}

test('power-off is silent, the disk survives, /run does not', async () => {
  const sandbox = await labOf()
  await onHost(sandbox, 'alpha', ['sh', '-c', 'echo kept >/var/lib/colo/mark; sync; echo gone >/run/colo/mark'])
  assert.equal(await endSeenByPeer(sandbox, ['power-off', 'alpha']), '')
  assert.equal(await reaches(sandbox, 'beta', '10.88.0.1'), false)
  const capture = await sandbox.background(
    [
      'bin/dev.js',
      'lab',
      'exec',
      'beta',
      '--',
      'tcpdump',
      '-i',
      'repl0',
      '-nnl',
      'src 10.88.0.1 and tcp[tcpflags] & (tcp-fin|tcp-rst) != 0',
    ],
    'listening on',
  )
  await sandbox.colo(['lab', 'fault', 'power-on', 'alpha'])
  await waitFor(() => reaches(sandbox, 'beta', '10.88.0.1'), 'alpha to be back')
  await sandbox.run(['sleep', '1'])
  assert.doesNotMatch(await capture.output(), /Flags/)
  await capture.kill()
  const files = await onHost(sandbox, 'alpha', [
    'sh',
    '-c',
    'cat /var/lib/colo/mark; ls /run/colo/mark 2>/dev/null; true',
  ])
  assert.equal(files.stdout, 'kept')
}, 120_000)

test('crash is visible: the peer gets the end of its connections', async () => {
  const sandbox = await labOf()
  assert.match(await endSeenByPeer(sandbox, ['crash', 'alpha']), /Flags/)
  await sandbox.colo(['lab', 'fault', 'power-on', 'alpha'])
}, 120_000)

const carrier = async (sandbox: LabSandbox, host: string, device: string): Promise<string> =>
  (await onHost(sandbox, host, ['cat', `/sys/class/net/${device}/carrier`])).stdout.trim()

test('a cut takes the carrier away, with --keep-carrier it does not, and heal undoes both', async () => {
  const sandbox = await labOf()
  const fault = (...words: string[]): Promise<RunResult> => sandbox.colo(['lab', 'fault', ...words])
  await fault('cut', 'replication', 'alpha')
  assert.equal(await carrier(sandbox, 'alpha', 'repl0'), '0')
  await fault('heal', 'replication', 'alpha')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  await fault('cut', 'replication', 'alpha', '--keep-carrier')
  assert.equal(await carrier(sandbox, 'alpha', 'repl0'), '1')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), false)
  await fault('heal', 'replication', 'alpha')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  await fault('cut', 'fwd0', 'beta')
  assert.equal(await carrier(sandbox, 'alpha', 'fwd0'), '0')
  await fault('heal', 'fwd0', 'beta')
  assert.equal(await carrier(sandbox, 'alpha', 'fwd0'), '1')
}, 120_000)

test('a cut in one direction lets the other through', async () => {
  const sandbox = await labOf()
  for (const [direction, seenByBeta] of [
    ['in', true],
    ['out', false],
  ] as const) {
    await sandbox.colo(['lab', 'fault', 'cut', 'replication', 'alpha', '--direction', direction])
    const capture = await sandbox.background(
      [
        'bin/dev.js',
        'lab',
        'exec',
        'beta',
        '--',
        'tcpdump',
        '-i',
        'repl0',
        '-nnl',
        'ether proto 0x88b5 or icmp or arp',
      ],
      'listening on',
    )
    assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), false)
    assert.equal((await capture.output()).includes('10.88.0.1'), seenByBeta, direction)
    await capture.kill()
    await sandbox.colo(['lab', 'fault', 'heal', 'replication', 'alpha'])
    assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  }
}, 120_000)

test('drop-connection resets what uses the port, and nothing else', async () => {
  const sandbox = await labOf()
  const open = [
    'bash',
    '-c',
    'exec 3<>/dev/tcp/10.88.0.2/22; read -r line <&3; echo connected; cat <&3; echo ended',
  ] as const
  const client = await sandbox.background(['bin/dev.js', 'lab', 'exec', 'alpha', '--', ...open], 'connected')
  await sandbox.colo(['lab', 'fault', 'drop-connection', 'alpha', '--port', '9999'])
  assert.doesNotMatch(await client.output(), /ended|reset|abort/i)
  await sandbox.colo(['lab', 'fault', 'drop-connection', 'alpha', '--port', '22'])
  await waitFor(async () => /ended|reset|abort/i.test(await client.output()), 'the end of the connection')
}, 60_000)

test('fill-scratch leaves no byte free, free-scratch gives it back', async () => {
  const sandbox = await labOf()
  const free = async (): Promise<number> =>
    Number((await onHost(sandbox, 'gamma', ['sh', '-c', 'df --output=avail /run/colo/scratch | tail -n1'])).stdout)
  await sandbox.colo(['lab', 'fault', 'fill-scratch', 'gamma'])
  assert.equal(await free(), 0)
  await sandbox.colo(['lab', 'fault', 'free-scratch', 'gamma'])
  assert.ok((await free()) > 100_000)
}, 60_000)

test('up heals every kind of cut and starts a host that is off', async () => {
  const sandbox = await labOf()
  for (const words of [
    'cut lan1 beta',
    'cut fwd1 alpha',
    'cut management alpha --keep-carrier',
    'cut replication beta --direction in',
    'power-off gamma',
  ]) {
    await sandbox.colo(['lab', 'fault', ...words.split(' ')])
  }
  const up = JSON.parse((await sandbox.colo(['lab', 'up', '--json'])).stdout) as {startedHosts: string[]}
  assert.deepEqual(up.startedHosts, ['gamma'])
  const status = JSON.parse((await sandbox.colo(['lab', 'status', '--json'])).stdout) as {hosts: Array<{cut: string[]}>}
  assert.deepEqual(
    status.hosts.flatMap(({cut}) => cut),
    [],
  )
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  assert.equal(await reaches(sandbox, 'gamma', '10.99.0.1'), true)
}, 120_000)

test('an agent is killed, started, stopped and continued', async () => {
  const sandbox = await labOf()
  const agent = async (): Promise<string | undefined> => {
    const {stdout} = await sandbox.colo(['lab', 'status', '--json'])
    return (JSON.parse(stdout) as {hosts: Array<{name: string; agent: string}>}).hosts.find(
      ({name}) => name === 'gamma',
    )?.agent
  }
  const seen = [await agent()]
  for (const verb of ['stop', 'continue', 'kill', 'start']) {
    await sandbox.colo(['lab', 'fault', verb, 'agent', 'gamma'])
    seen.push(await agent())
  }
  assert.deepEqual(seen, ['listening', 'stopped', 'listening', 'silent', 'listening'])
}, 120_000)

test('two hosts lose their power at the same time', async () => {
  const sandbox = await labOf()
  const both = (verb: string): Promise<unknown> =>
    Promise.all(['beta', 'gamma'].map((host) => sandbox.colo(['lab', 'fault', verb, host])))
  await both('power-off')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.3'), false)
  await both('power-on')
  await waitFor(
    async () => (await reaches(sandbox, 'beta', '10.88.0.3')) && reaches(sandbox, 'gamma', '10.99.0.2'),
    'both to be back',
  )
}, 120_000)

test('down leaves nothing behind, and a second down is done', async (t) => {
  const sandbox = await labOf()
  t.defer(() => sandbox.close())
  shared = undefined
  assert.notDeepEqual(await leftovers(sandbox), [])
  await sandbox.colo(['lab', 'down'])
  assert.deepEqual(await leftovers(sandbox), [])
  assert.equal((await sandbox.colo(['lab', 'down'])).stdout, 'there is no lab')
}, 120_000)

test('an up killed at any moment is cleaned up by down, or completed by up', async (t) => {
  const sandbox = await openLabSandbox()
  t.defer(() => sandbox.close())
  for (const afterMs of [500, 700, 900, 1100, 1400, 1800]) {
    await sandbox
      .run(['timeout', '-s', 'KILL', String(afterMs / 1000), 'bin/dev.js', 'lab', 'up', '--quiet'])
      .catch(() => undefined)
    await sandbox.colo(['lab', 'down'])
    assert.deepEqual(await leftovers(sandbox), [], `killed after ${afterMs} ms`)
  }
  await sandbox.run(['timeout', '-s', 'KILL', '1', 'bin/dev.js', 'lab', 'up', '--quiet']).catch(() => undefined)
  await sandbox.colo(['lab', 'up'])
  assert.equal(await reaches(sandbox, 'alpha', '10.99.0.3'), true)
}, 300_000)

test('foreign namespaces with the same names are not touched', async (t) => {
  const sandbox = await openLabSandbox()
  t.defer(() => sandbox.close())
  await sandbox.run(['ip', 'netns', 'add', 'colo-alpha'])
  await assert.rejects(sandbox.colo(['lab', 'up', '--quiet']), /not make|colo-alpha|conflict|namespaces/i)
  assert.match((await sandbox.run(['ip', 'netns', 'list'])).stdout, /^colo-alpha/)
}, 120_000)

/** What this machine lacks for a lab; undefined when nothing is known to be missing. */
function whyNoLab(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  if (!existsSync('/proc/self/ns/net')) return 'the kernel has no network namespaces'
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlay file system'
  return undefined
}

whole.run()

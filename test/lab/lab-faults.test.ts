import {strict as assert} from 'node:assert'

import type {RunResult} from '../../src/os/process.js'
import {bootGuest, reaches} from '../support/lab-guest.js'
import {buildMs, sharedLab, waitFor, type Background, type LabSandbox} from '../support/lab-sandbox.js'
import {labSuite} from '../support/lab-suite.js'

const {test, whole} = labSuite('lab faults')

const fault = (sandbox: LabSandbox, words: string): Promise<RunResult> =>
  sandbox.colo(['lab', 'fault', ...words.split(' ')])

/** A connection from alpha to beta's sshd over the replication link. */
const connect = (sandbox: LabSandbox): Promise<Background> =>
  sandbox.start(
    'alpha',
    ['bash', '-c', 'exec 3<>/dev/tcp/10.88.0.2/22; read -r line <&3; echo connected; cat <&3; echo ended'],
    'connected',
  )

/** What beta sees of connections of alpha that end. */
const captureEnds = (sandbox: LabSandbox): Promise<Background> =>
  sandbox.start(
    'beta',
    ['tcpdump', '-i', 'repl0', '-nnl', 'src 10.88.0.1 and tcp[tcpflags] & (tcp-fin|tcp-rst) != 0'],
    'listening on',
  )

test(
  'a stopped QEMU is silent until it continues; a killed one is gone',
  async () => {
    const sandbox = await sharedLab()
    await bootGuest(sandbox, {host: 'beta', name: 'victim', nic: 'virtio', bus: 'virtio'})
    await fault(sandbox, 'stop qemu beta victim')
    assert.equal(await reaches(sandbox, 'client', '10.77.0.10'), false)
    await fault(sandbox, 'continue qemu beta victim')
    await waitFor(() => reaches(sandbox, 'client', '10.77.0.10'), 'the guest to answer again')
    await fault(sandbox, 'kill qemu beta victim')
    const gone = async (): Promise<boolean> =>
      (await sandbox.on('beta', ['virsh', '-q', 'list', '--name'])).stdout.trim() === ''
    await waitFor(gone, 'libvirt to notice')
    await assert.rejects(fault(sandbox, 'kill qemu beta victim'))
  },
  buildMs,
)

test('stop-nbd ends the NBD server inside QEMU', async (t) => {
  const sandbox = await sharedLab()
  t.defer(() => sandbox.on('beta', ['virsh', '-q', 'destroy', 'export']))
  await bootGuest(sandbox, {host: 'beta', name: 'export', nic: 'virtio', bus: 'virtio'})
  const addr = {type: 'inet', data: {host: '10.88.0.2', port: '9999'}}
  const start = JSON.stringify({execute: 'nbd-server-start', arguments: {addr}})
  await sandbox.on('beta', ['virsh', '-q', 'qemu-monitor-command', 'export', start])
  const listens = async (): Promise<boolean> =>
    (await sandbox.on('beta', ['ss', '-Hltn', 'sport', '=', ':9999'])).stdout !== ''
  assert.equal(await listens(), true)
  await fault(sandbox, 'stop-nbd beta export')
  assert.equal(await listens(), false)
}, 180_000)

test('power-off is silent, then and after power-on; the disk survives, /run does not', async (t) => {
  const sandbox = await sharedLab()
  await sandbox.on('alpha', ['sh', '-c', 'echo kept >/var/lib/colo/mark; sync; echo gone >/run/colo/mark'])
  const client = await connect(sandbox)
  t.defer(() => client.kill())
  const capture = await captureEnds(sandbox)
  t.defer(() => capture.kill())
  await fault(sandbox, 'power-off alpha')
  assert.equal(await reaches(sandbox, 'beta', '10.88.0.1'), false)
  await fault(sandbox, 'power-on alpha')
  await waitFor(() => reaches(sandbox, 'beta', '10.88.0.1'), 'alpha to be back')
  // longer than the first retransmissions of a FIN would take
  await sandbox.run(['sleep', '1.5'])
  assert.doesNotMatch(await capture.output(), /Flags/)
  const {stdout} = await sandbox.on('alpha', ['sh', '-c', 'cat /var/lib/colo/mark; ls /run/colo/mark 2>&1 || true'])
  assert.match(stdout, /^kept\n.*No such file/)
}, 120_000)

test('crash is visible: the peer gets the end of its connections', async (t) => {
  const sandbox = await sharedLab()
  const client = await connect(sandbox)
  t.defer(() => client.kill())
  const capture = await captureEnds(sandbox)
  t.defer(() => capture.kill())
  await fault(sandbox, 'crash alpha')
  await waitFor(async () => (await capture.output()).includes('Flags'), 'the end of the connection')
  await fault(sandbox, 'power-on alpha')
}, 120_000)

test('two hosts lose their power at the same time', async () => {
  const sandbox = await sharedLab()
  const both = (verb: string): Promise<unknown> =>
    Promise.all(['beta', 'gamma'].map((host) => fault(sandbox, `${verb} ${host}`)))
  await both('power-off')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.3'), false)
  await both('power-on')
  await waitFor(() => reaches(sandbox, 'beta', '10.88.0.3'), 'both to be back')
}, 120_000)

test('a cut takes the carrier away, with --keep-carrier it does not, and heal undoes both', async () => {
  const sandbox = await sharedLab()
  const carrier = async (device: string): Promise<string> =>
    (await sandbox.on('alpha', ['cat', `/sys/class/net/${device}/carrier`])).stdout.trim()
  await fault(sandbox, 'cut replication alpha')
  assert.equal(await carrier('repl0'), '0')
  await fault(sandbox, 'heal replication alpha')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  await fault(sandbox, 'cut replication alpha --keep-carrier')
  assert.equal(await carrier('repl0'), '1')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), false)
  await fault(sandbox, 'heal replication alpha')
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  await fault(sandbox, 'cut fwd0 beta')
  assert.equal(await carrier('fwd0'), '0')
  await fault(sandbox, 'heal fwd0 beta')
  assert.equal(await carrier('fwd0'), '1')
}, 120_000)

for (const [direction, seenByBeta] of [
  ['in', true],
  ['out', false],
] as const) {
  test(`a cut of what goes ${direction} lets the other direction through`, async (t) => {
    const sandbox = await sharedLab()
    await fault(sandbox, `cut replication alpha --direction ${direction}`)
    const capture = await sandbox.start(
      'beta',
      ['tcpdump', '-i', 'repl0', '-Q', 'in', '-nnl', 'icmp or arp'],
      'listening on',
    )
    t.defer(() => capture.kill())
    assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), false)
    assert.equal((await capture.output()).includes('10.88.0.1'), seenByBeta)
    await fault(sandbox, 'heal replication alpha')
    assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  }, 60_000)
}

test('drop-connection resets what uses the port, and nothing else', async (t) => {
  const sandbox = await sharedLab()
  const client = await connect(sandbox)
  t.defer(() => client.kill())
  await fault(sandbox, 'drop-connection alpha --port 9999')
  assert.doesNotMatch(await client.output(), /ended|reset|abort/i)
  await fault(sandbox, 'drop-connection alpha --port 22')
  await waitFor(async () => /ended|reset|abort/i.test(await client.output()), 'the end of the connection')
}, 60_000)

test('fill-scratch leaves no byte free, free-scratch gives it back', async () => {
  const sandbox = await sharedLab()
  const freeKib = async (): Promise<number> => {
    const {stdout} = await sandbox.on('gamma', ['df', '--output=avail', '/run/colo/scratch'])
    return Number(stdout.split('\n').at(-1))
  }
  await fault(sandbox, 'fill-scratch gamma')
  assert.equal(await freeKib(), 0)
  await fault(sandbox, 'free-scratch gamma')
  assert.ok((await freeKib()) > 100_000)
}, 60_000)

test('an agent is killed, started, stopped and continued', async () => {
  const sandbox = await sharedLab()
  const agent = async (): Promise<string | undefined> => {
    const {stdout} = await sandbox.colo(['lab', 'status', '--json'])
    const {hosts} = JSON.parse(stdout) as {hosts: Array<{name: string; agent: string}>}
    return hosts.find(({name}) => name === 'gamma')?.agent
  }
  const seen: Array<string | undefined> = [await agent()]
  for (const verb of ['stop', 'continue', 'kill', 'start']) {
    await fault(sandbox, `${verb} agent gamma`)
    seen.push(await agent())
  }
  assert.deepEqual(seen, ['listening', 'stopped', 'listening', 'silent', 'listening'])
}, 120_000)

whole.run()

import {strict as assert} from 'node:assert'

import type {LabStatus, LabUp} from '../../src/lab/index.js'
import {reaches} from '../support/lab-guest.js'
import {buildMs, openLabSandbox, sharedLab, type LabSandbox} from '../support/lab-sandbox.js'
import {labSuite} from '../support/lab-suite.js'

const {test, whole} = labSuite('lab')

const statusOf = async (sandbox: LabSandbox): Promise<Extract<LabStatus, {up: true}>> =>
  JSON.parse((await sandbox.colo(['lab', 'status', '--json'])).stdout) as Extract<LabStatus, {up: true}>

const upAgain = async (sandbox: LabSandbox): Promise<LabUp> =>
  JSON.parse((await sandbox.colo(['lab', 'up', '--json'])).stdout) as LabUp

/** Everything a lab could leave on a machine. */
async function leftovers(sandbox: LabSandbox): Promise<string[]> {
  const lines = async (...argv: [string, ...string[]]): Promise<string[]> =>
    (await sandbox.run(argv)).stdout.split('\n').filter((line) => line !== '')
  const links = (await lines('ip', '-br', 'link')).filter((line) => line.startsWith('colo-'))
  const processes = (await lines('ps', '-eo', 'args')).filter((line) =>
    /sshd|libvirtd|virtlogd|colo-lab|qemu/.test(line),
  )
  const mounts = (await lines('cat', '/proc/self/mounts')).filter(
    // `ip netns` makes its directory a mount of its own once and for all
    (line) => !sandbox.mountsBefore.includes(line) && !line.startsWith('tmpfs /run/netns '),
  )
  const files = await lines('find', '/run', '-maxdepth', '1', '-name', 'colo*')
  return [...(await lines('ip', 'netns', 'list')), ...links, ...processes, ...mounts, ...files]
}

test(
  'up a second time starts nothing and says how to use it',
  async () => {
    const again = await upAgain(await sharedLab())
    assert.deepEqual(again.startedHosts, [])
    assert.deepEqual(again.env, {
      COLO_HOSTS: '/run/colo-lab/hosts.yaml',
      COLO_SSH_CONFIG: '/run/colo-lab/ssh/config',
    })
  },
  buildMs,
)

test('status names every host, its versions and the accelerator', async () => {
  const status = await statusOf(await sharedLab())
  assert.match(status.accelerator, /^(kvm|tcg)$/)
  assert.match(status.versions.qemu, /^1:(1[1-9]|[2-9]\d)\./)
  const seen = status.hosts.map(({name, running, cut}) => [name, running, cut])
  assert.deepEqual(
    seen,
    ['alpha', 'beta', 'gamma'].map((name) => [name, true, []]),
  )
}, 60_000)

test('ssh reaches the hosts from the machine and from each other; exec runs in them', async () => {
  const sandbox = await sharedLab()
  const ssh = ['ssh', '-F', '/run/colo-lab/ssh/config'] as const
  assert.equal((await sandbox.run([...ssh, 'root@10.99.0.2', 'hostname'])).stdout, 'beta')
  assert.equal((await sandbox.run([...ssh, 'alpha', 'ssh', 'root@10.99.0.3', 'hostname'])).stdout, 'gamma')
  assert.equal((await sandbox.colo(['lab', 'exec', 'gamma', '--', 'hostname'])).stdout, 'gamma')
  assert.match((await sandbox.colo(['lab', 'exec', 'client', '--', 'ip', '-br', 'addr'])).stdout, /10\.77\.0\.1/)
  await assert.rejects(sandbox.colo(['lab', 'exec', 'delta', '--', 'true']), /delta/)
}, 60_000)

test('up heals every kind of cut and starts a host that is off', async () => {
  const sandbox = await sharedLab()
  for (const words of [
    'cut lan1 beta',
    'cut fwd1 alpha',
    'cut management alpha --keep-carrier',
    'cut replication beta --direction in',
    'power-off gamma',
  ]) {
    await sandbox.colo(['lab', 'fault', ...words.split(' ')])
  }
  assert.deepEqual((await upAgain(sandbox)).startedHosts, ['gamma'])
  const {hosts} = await statusOf(sandbox)
  assert.deepEqual(
    hosts.flatMap(({cut}) => cut),
    [],
  )
  assert.equal(await reaches(sandbox, 'alpha', '10.88.0.2'), true)
  assert.equal(await reaches(sandbox, 'gamma', '10.99.0.1'), true)
}, 120_000)

test('down leaves nothing behind, and a second down is done', async () => {
  const sandbox = await openLabSandbox()
  await sandbox.colo(['lab', 'up'])
  assert.notDeepEqual(await leftovers(sandbox), [])
  await sandbox.colo(['lab', 'down'])
  assert.deepEqual(await leftovers(sandbox), [])
  assert.equal((await sandbox.colo(['lab', 'down'])).stdout, 'there is no lab')
}, 120_000)

test('an up killed at any moment is cleaned up by down, or completed by up', async () => {
  const sandbox = await openLabSandbox()
  const killedUp = (afterMs: number): Promise<unknown> =>
    sandbox
      .run(['timeout', '-s', 'KILL', String(afterMs / 1000), 'bin/dev.js', 'lab', 'up', '--quiet'])
      .catch(() => undefined)
  for (const afterMs of [500, 700, 900, 1100, 1400, 1800]) {
    await killedUp(afterMs)
    await sandbox.colo(['lab', 'down'])
    assert.deepEqual(await leftovers(sandbox), [], `killed after ${afterMs} ms`)
  }
  await killedUp(1000)
  await sandbox.colo(['lab', 'up'])
  assert.equal(await reaches(sandbox, 'alpha', '10.99.0.3'), true)
}, 300_000)

test('namespaces with the same names that are not ours are not touched', async () => {
  const sandbox = await openLabSandbox()
  await sandbox.run(['ip', 'netns', 'add', 'colo-alpha'])
  await assert.rejects(sandbox.colo(['lab', 'up', '--quiet']), /not make|colo-alpha|namespaces/i)
  await sandbox.colo(['lab', 'down'])
  assert.match((await sandbox.run(['ip', 'netns', 'list'])).stdout, /^colo-alpha/)
}, 120_000)

whole.run()

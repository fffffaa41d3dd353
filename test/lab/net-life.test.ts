import * as assert from 'uvu/assert'
import {execIn, labUp, namespaces, type LabHost} from '../../src/lab/index.js'
import {run} from '../../src/os/process.js'
import type {PairStatus} from '../../src/pair/status.js'
import {
  capture,
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  openStream,
  removePair,
  statusOf,
} from '../support/lab.js'
import {suite, type T} from '../support/suite.js'

/* What an operator does with a pair, done with one whose packets the kernel forwards. */
const test = suite('kernel forwarding: life')
const minutes = 60_000
const name = 'tc4'
const address = '10.77.0.44'
const fromGuest = 'ether src 52:54:00:77:00:2c'

test(
  'planned failover, test-failover, suspend and resume, stop and start, another secondary; one output each time, every NIC given back',
  async (t) => {
    await labUp()
    t.defer(() => removePair(name))
    const before = await linksOf(['alpha', 'beta', 'gamma'])
    await createPair({name, model: 'virtio', nics: 1, disks: 1, byte: 44, forward: 'tc'})
    await guestAnswers(address)
    const stream = await openStream(address)
    t.defer(() => stream.kill())

    await coloOk('pair', 'failover', name, '--yes')
    await holds('beta', 'alpha')
    const silent = await capture('alpha', fromGuest)
    await disk.write(0, 600, 'moved', address)
    assert.equal(await silent.stop(), [], 'the former primary on the LAN')

    await legInLan(t)
    await coloOk('pair', 'test-failover', name, '--probe', `tcp://${address}:7`, '--yes')
    await holds('alpha', 'beta')
    const summary = await stream.stop()
    assert.is(summary.resets + summary.lost + summary.doubled + summary.outOfOrder, 0, JSON.stringify(summary))

    await coloOk('pair', 'suspend', name, '--yes')
    await guestAnswers(address)
    assert.equal(await linksOf(['beta']), before.slice(1, 2), 'nothing is left on the host of the copy that ended')
    await coloOk('pair', 'resume', name)
    await holds('alpha', 'beta')

    const stopped = (await coloOk('pair', 'stop', name))['status'] as PairStatus
    assert.is(stopped.state, 'stopped', JSON.stringify(stopped.reasons))
    assert.equal(await linksOf(['alpha', 'beta', 'gamma']), before, 'stopped: the NICs are as they were')
    const started = (await coloOk('pair', 'start', name))['status'] as PairStatus
    assert.is(started.state, 'protected', `both are equal, nothing is copied: ${JSON.stringify(started.reasons)}`)
    await guestAnswers(address)
    await holds('alpha', 'beta')

    // the cable of alpha's forward NIC is plugged into gamma instead
    t.defer(() => cable('alpha', 'beta'))
    await cable('alpha', 'gamma')
    await coloOk('pair', 'replace', name, '--secondary', 'gamma', '--yes')
    await holds('alpha', 'gamma')
    assert.not.match((await linksOf(['beta'])).join(''), /52540077002c|clsact/, 'nothing is left on beta')

    assert.match(await disk.read(0, 600, address), /moved/)
    await coloOk('pair', 'destroy', name, '--yes')
    await cable('alpha', 'beta')
    assert.equal(await linksOf(['alpha', 'beta', 'gamma']), before)
  },
  8 * minutes,
)

/** Protected with these roles, served, its path proven from end to end, and nothing of a tap in a bridge but the primary's. */
async function holds(primary: LabHost, secondary: LabHost): Promise<void> {
  const status = await statusOf(name)
  assert.equal(
    [status.state, status.primary, status.secondary],
    ['protected', primary, secondary],
    JSON.stringify(status),
  )
  await guestAnswers(address)
  const verified = await colo('net', 'verify', name)
  assert.is(verified.exit, 0, JSON.stringify(verified.json))
}

/** Devices, queueing disciplines and what is saved about forward NICs, host by host. */
async function linksOf(hosts: readonly LabHost[]): Promise<string[]> {
  const script = `ls /sys/class/net | grep -v '^fwd'; tc qdisc show | grep -v 'dev fwd. root'
for d in fwd0 fwd1; do
  [ -e /sys/class/net/$d ] && ip -o link show $d | grep -o '<[^>]*>' && cat /proc/sys/net/ipv6/conf/$d/disable_ipv6
done
ls /run/colo/forward 2>/dev/null; true`
  return Promise.all(hosts.map(async (host) => (await execIn(host, ['sh', '-c', script])).stdout))
}

/** A new cable between the forward NICs of two hosts, in place of the one that the first has. */
async function cable(near: LabHost, far: LabHost): Promise<void> {
  const ip = (host: LabHost, ...words: readonly string[]) => run(['ip', '-n', namespaces.host(host), ...words])
  await ip(near, 'link', 'del', 'fwd0').catch(() => undefined)
  await ip(near, 'link', 'add', 'fwd0', 'type', 'veth', 'peer', 'name', 'fwd0', 'netns', namespaces.host(far))
  await ip(near, 'link', 'set', 'fwd0', 'up')
  await ip(far, 'link', 'set', 'fwd0', 'up')
}

/** Probes run from the machine of the command: it gets a leg in the guest's LAN. */
async function legInLan(t: T): Promise<void> {
  await run(['ip', 'link', 'add', 'probe2', 'type', 'veth', 'peer', 'name', 'probe3', 'netns', namespaces.lan])
  t.defer(() => run(['ip', 'link', 'del', 'probe2']))
  await run(['ip', '-n', namespaces.lan, 'link', 'set', 'probe3', 'master', 'br0', 'up'])
  await run(['ip', 'address', 'add', '10.77.0.251/24', 'dev', 'probe2'])
  await run(['ip', 'link', 'set', 'probe2', 'up'])
}

test.run()

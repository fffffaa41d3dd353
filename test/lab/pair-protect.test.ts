import * as assert from 'uvu/assert'
import {execIn} from '../../src/lab/index.js'
import {colo, createPair, disk, guestAnswers, http, removePair, statusOf} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('a protected pair')
const minutes = 60_000

test(
  'two disks, two virtio NICs: protected, both NICs answer, equal answers cost no checkpoint, unequal ones do',
  async (t) => {
    t.defer(() => removePair('web1'))
    const result = await createPair({name: 'web1', model: 'virtio', nics: 2, disks: 2, interval: '30s'})
    assert.is((result['status'] as {state: string}).state, 'protected')
    await guestAnswers()
    await guestAnswers('10.78.0.10')

    const equal = await checkpointsOf(20, '/')
    const without = equal.filter((count) => count === 0).length
    assert.ok(without >= 18, `checkpoints per identical answer: ${equal.join(' ')}`)

    const differing = await checkpointsOf(20, '/uptime')
    assert.ok(
      differing.every((count) => count >= 1),
      `checkpoints per differing answer: ${differing.join(' ')}`,
    )

    for (const [n, value] of [
      [0, 'first'],
      [1, 'second'],
    ] as const)
      await disk.write(n, 1000 + n, value)
    assert.is((await colo('pair', 'checkpoint', 'web1')).exit, 0)
    for (const [n, value] of [
      [0, 'first'],
      [1, 'second'],
    ] as const) {
      assert.match(await disk.read(n, 1000 + n), new RegExp(value))
      assert.match(await sectorOnSecondary(n, 1000 + n), new RegExp(value), `disk ${n} of the secondary`)
    }
    assert.is((await statusOf('web1')).state, 'protected')
  },
  3 * minutes,
)

test(
  'one disk, one e1000 NIC: protected, answers, and destroy leaves nothing behind',
  async (t) => {
    t.defer(() => removePair('web2'))
    const result = await createPair({name: 'web2', model: 'e1000', nics: 1, disks: 1, byte: 11})
    assert.is((result['status'] as {state: string}).state, 'protected')
    await guestAnswers('10.77.0.11')
    assert.is((await statusOf('web2')).exit, 0)

    assert.is((await colo('pair', 'destroy', 'web2', '--yes')).exit, 0)
    for (const host of ['alpha', 'beta'] as const) {
      const {stdout} = await execIn(host, [
        'sh',
        '-c',
        'virsh list --all --name; ls /var/lib/colo/pairs /run/colo/pairs; nft list tables; ls /run/colo/scratch',
      ])
      assert.not.match(stdout, /web2/, `${host} still has: ${stdout}`)
    }
    const {exit} = await colo('pair', 'status', 'web2')
    assert.is(exit, 3)
  },
  2 * minutes,
)

/** How many checkpoints each of `count` requests cost; waits for the one that a differing answer forces. */
async function checkpointsOf(count: number, path: string): Promise<number[]> {
  const costs: number[] = []
  let before = (await statusOf('web1')).checkpoints.count
  for (let i = 0; i < count; i++) {
    await http(path)
    const after = (await statusOf('web1')).checkpoints.count
    costs.push(after - before)
    before = after
  }
  return costs
}

/** A sector of the secondary's own image as QEMU holds it: what the primary wrote has arrived over NBD. */
async function sectorOnSecondary(n: number, sector: number): Promise<string> {
  const image = `/var/lib/colo/images/web1-${n}.qcow2`
  const script = `qemu-img dd -U -f qcow2 -O raw if=${image} of=/tmp/sector bs=512 skip=${sector} count=1 && cat /tmp/sector && rm -f /tmp/sector`
  return (await execIn('beta', ['sh', '-c', script])).stdout
}

test.run()

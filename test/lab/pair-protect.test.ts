import * as assert from 'uvu/assert'
import {execIn} from '../../src/lab/index.js'
import {
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  http,
  removePair,
  statusOf,
  writePairFile,
  type GuestSpec,
} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('a protected pair')
const minutes = 60_000

test(
  'two disks, two virtio NICs: protected, both NICs answer, equal answers cost no checkpoint, unequal ones do',
  async (t) => {
    t.defer(() => removePair('web1'))
    const result = await createPair({name: 'web1', model: 'virtio', nics: 2, disks: 2, interval: '30s'})
    assert.is((result['status'] as {state: string}).state, 'protected')
    const info = ['virsh', '-q', 'qemu-monitor-command', '--hmp', 'web1', 'info network'] as const
    const chains = (await execIn('alpha', info)).stdout
    for (const nic of ['nic0', 'nic1'])
      assert.match(
        chains,
        new RegExp(`${nic}-gate: .*${nic}-mirror: `, 's'),
        'what comes in is held before it is mirrored',
      )
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

    const values = ['first', 'second']
    for (const [n, value] of values.entries()) await disk.write(n, 1000 + n, value)
    assert.is((await colo('pair', 'checkpoint', 'web1')).exit, 0)
    for (const [n, value] of values.entries()) {
      assert.match(await disk.read(n, 1000 + n), new RegExp(value))
      assert.is(await contentOf('alpha', 'web1', n), await contentOf('beta', 'web1', n), `disk ${n}`)
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

test(
  'a copy is never assumed equal: whatever the image of the secondary held is overwritten, also where the primary has nothing',
  async (t) => {
    t.defer(() => removePair('web1'))
    const guest: GuestSpec = {name: 'web1', model: 'virtio', nics: 1, disks: 1}
    const file = await writePairFile(guest)
    t.defer(() => file.remove())
    await coloOk('disk', 'prepare', '-f', file.path)
    const image = '/var/lib/colo/images/web1-0.qcow2'
    const garbage = `qemu-img create -q -f qcow2 ${image} 64M && qemu-io -c 'write -P 0xaa 0 64M' ${image}`
    await execIn('beta', ['sh', '-c', garbage])
    const refused = await colo('pair', 'create', '-f', file.path, '--yes')
    assert.is(refused.exit, 6, 'an image that exists is not overwritten without a word')
    await coloOk('pair', 'create', '-f', file.path, '--yes', '--force', 'image-secondary')
    await coloOk('pair', 'checkpoint', 'web1')
    assert.is(await contentOf('alpha', 'web1', 0), await contentOf('beta', 'web1', 0))
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

/** The content of a disk's image as it lies on a host, as one hash; equal on both sides after a checkpoint. */
async function contentOf(host: 'alpha' | 'beta', pair: string, n: number): Promise<string> {
  const image = `/var/lib/colo/images/${pair}-${n}.qcow2`
  const script = `qemu-img convert -U -f qcow2 -O raw ${image} /tmp/content && sha256sum </tmp/content; rm -f /tmp/content`
  return (await execIn(host, ['sh', '-c', script], {timeoutMs: 30_000})).stdout
}

test.run()

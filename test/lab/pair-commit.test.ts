import * as assert from 'uvu/assert'
import {execIn, faults} from '../../src/lab/index.js'
import {colo, coloOk, createPair, disk, guestAnswers, removePair, statusOf} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('commit after a promotion')

test('QEMU killed while the promoted copy still merges its overlays: the next start has every acknowledged write', async (t) => {
  t.defer(() => removePair('web1'))
  await createPair({name: 'web1', model: 'virtio', nics: 1, disks: 1, interval: '30s'})
  await guestAnswers()
  const sectors = Array.from({length: 12}, (_, n) => 4000 + n * 300)
  for (const sector of sectors) await disk.write(0, sector, `value${sector}`)

  await faults.signalQemu('kill', {host: 'alpha', pair: 'web1'})
  await Promise.all([killedWhileItMerges(), colo('pair', 'failover', 'web1', '--yes')])

  const clean = await colo('disk', 'clean', 'web1')
  assert.is(clean.exit, 5, 'overlays that hold acknowledged writes are not cleaned away')
  assert.is((await statusOf('web1')).state, 'failed')
  await coloOk('pair', 'start', 'web1')
  await guestAnswers()
  for (const sector of sectors)
    assert.match(await disk.read(0, sector), new RegExp(`value${sector}`), `sector ${sector}`)
  await coloOk('pair', 'resync', 'web1')
}, 240_000)

/**
 * Kills QEMU of beta as soon as its record carries the mark. A shell on the host does it: with little to merge, and a quiet machine, the mark is
 * there for some 20 ms.
 */
async function killedWhileItMerges(): Promise<void> {
  const script = `
    qemu=$(cat /run/libvirt/qemu/web1.pid) tries=0
    until grep -Eq '"why": *"commit"' /var/lib/colo/pairs/web1/record.json; do
      tries=$((tries + 1))
      [ $tries -lt 20000 ] || exit 1
    done
    kill -9 "$qemu"`
  await execIn('beta', ['sh', '-c', script], {timeoutMs: 60_000})
}

test.run()

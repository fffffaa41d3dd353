import * as assert from 'uvu/assert'
import {execIn, faults, type LabHost} from '../../src/lab/index.js'
import type {PairStatus, Reason} from '../../src/pair/status.js'
import {
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  http,
  labReady,
  removePair,
  statusOf,
  type GuestSpec,
} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('what runs out, and what must not run back')
const minutes = 60_000
const guest: GuestSpec = {name: 'room', model: 'virtio', nics: 1, disks: 1, byte: 62}
const address = '10.77.0.62'

test(
  'scratch full on the secondary: the guest goes on, scratch full is said, and resync mends it once there is room',
  async (t) => {
    t.defer(() => removePair(guest.name))
    await labReady()
    // a disk of its own for the images of beta, small enough to be filled
    await sh('beta', 'mount -t tmpfs -o mode=711,size=96m images /var/lib/colo/images')
    await createPair(guest)
    await guestAnswers(address)
    await disk.write(0, 3000, 'before', address)

    t.defer(() => faults.freeScratch('beta'))
    await faults.fillScratch('beta')
    await disk.write(0, 4000, 'meanwhile', address)
    const full = await unprotectedBy('scratch-full')
    assert.match(full.message, /^scratch full: no room for the overlays of room on beta/)
    assert.is(full.remedy, 'colo pair resync room')
    await unharmed()

    await faults.freeScratch('beta')
    await coloOk('pair', 'resync', guest.name, '--yes')
    assert.is((await statusOf(guest.name)).state, 'protected')
    assert.match(await disk.read(0, 4000, address), /meanwhile/)

    // the same pair: the file system of the secondary's images, and the clock
    await sh('beta', 'dd if=/dev/zero of=/var/lib/colo/images/.fill bs=64k 2>/dev/null; true')
    await disk.write(0, 60_000, 'nowhere', address)
    const noDisk = await unprotectedBy('disk-full')
    assert.match(noDisk.message, /^disk full: no room on beta/)
    await unharmed()
    const spoiled = await colo('pair', 'failover', guest.name, '--to', 'beta', '--yes')
    assert.is(spoiled.exit, 22, JSON.stringify(spoiled.json))

    await sh('beta', 'rm /var/lib/colo/images/.fill')
    await coloOk('pair', 'resync', guest.name, '--yes')
    await clockAcross(async () => {
      await coloOk('pair', 'failover', guest.name, '--yes', '--no-resync')
    })
    await coloOk('pair', 'wait', guest.name, '--for', 'unprotected', '--timeout', '60s')
    await coloOk('pair', 'resync', guest.name, '--yes')
    await clockAcross(async () => {
      await faults.signalQemu('kill', {host: 'beta', pair: guest.name})
      await coloOk('pair', 'failover', guest.name, '--yes')
    })
    assert.match(await disk.read(0, 60_000, address), /nowhere/)
  },
  5 * minutes,
)

/** Waits until the pair is unprotected for this reason. */
async function unprotectedBy(code: string): Promise<Reason> {
  const until = performance.now() + 30_000
  for (;;) {
    const status: PairStatus & {exit: number} = await statusOf(guest.name)
    const found = status.reasons.find((reason) => reason.code === code)
    if (status.state === 'unprotected' && found !== undefined) {
      assert.is.not(status.exit, 0)
      return found
    }
    if (performance.now() > until) throw new Error(`never unprotected by ${code}: ${JSON.stringify(status)}`)
  }
}

/** The guest answers, keeps what it was told, and takes more. */
async function unharmed(): Promise<void> {
  await guestAnswers(address, 10_000)
  assert.match(await disk.read(0, 3000, address), /before/)
  await disk.write(0, 5000, 'more', address)
  assert.match(await disk.read(0, 5000, address), /more/)
}

/**
 * The guest's clocks, asked again and again while `act` runs: none goes back, and between two answers, also those before and after the
 * failover, what it gained differs from what passed here by less than a second. The guest looked at its clock some time between question
 * and answer: an answer may be held back, and come from the other copy when this one is gone.
 */
async function clockAcross(act: () => Promise<void>): Promise<void> {
  const seen: Array<{wall: number; steady: number; asked: number; told: number}> = []
  const look = async (): Promise<void> => {
    const asked = performance.now() / 1000
    const text = await http('/time', {address, timeoutMs: 5000}).catch(() => undefined)
    if (text === undefined) return // nobody answers in the middle of a failover
    const [wall = NaN, steady = NaN] = text.split(' ').map(Number)
    seen.push({wall, steady, asked, told: performance.now() / 1000})
  }
  await look()
  let acting = true
  const acted = act().finally(() => {
    acting = false
  })
  while (acting) await look()
  await acted
  await guestAnswers(address)
  await look()
  for (const [index, each] of seen.entries()) {
    const before = seen[index - 1]
    if (before === undefined) continue
    for (const clock of ['wall', 'steady'] as const) {
      const gained = each[clock] - before[clock]
      const [least, most] = [each.asked - before.told, each.told - before.asked]
      assert.ok(gained >= 0, `${clock} went back by ${-gained} s: ${JSON.stringify([before, each])}`)
      assert.ok(gained > least - 1 && gained < most + 1, `${clock} moved: ${JSON.stringify([before, each])}`)
    }
  }
}

async function sh(host: LabHost, script: string): Promise<void> {
  await execIn(host, ['sh', '-c', script], {timeoutMs: 60_000})
}

test.run()

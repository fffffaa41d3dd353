import * as assert from 'uvu/assert'
import {execIn, faults} from '../../src/lab/index.js'
import {
  capture,
  colo,
  coloOk,
  createPair,
  guestAnswers,
  http,
  openStream,
  removePair,
  statusOf,
} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('hung is not dead, cut off is not dead')
const minutes = 60_000
const guestAddress = '10.77.0.10'
const guestMac = '52:54:00:77:00:0a'
const fromGuest = `ether src ${guestMac}`

test(
  'S3, S1: a hung primary is fenced at its tap before the secondary takes over; continued it lets no frame out',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair({name: 'web1', model: 'virtio', nics: 1, disks: 1})
    await guestAnswers()
    const before = await capture('beta', fromGuest)
    await http('/')
    await faults.signalQemu('stop', {host: 'alpha', pair: 'web1'})
    assert.equal(await before.stop(), [], 'the secondary let frames out before the failover')

    const loser = await capture('alpha', fromGuest)
    await coloOk('pair', 'failover', 'web1', '--yes')
    await guestAnswers()
    // ending the loser is part of the failover; one that was only stopped and came back would have to stay silent, too
    await faults.signalQemu('continue', {host: 'alpha', pair: 'web1'}).catch(() => undefined)
    await poke()
    assert.equal(await loser.stop(), [], 'the loser let frames out')
    assert.is((await statusOf('web1')).primary, 'beta')
  },
  3 * minutes,
)

test(
  'S1: a primary that was cut off stays silent, is fenced by its own agent at first contact, and cannot be primary again',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair({name: 'web1', model: 'virtio', nics: 1, disks: 1})
    await guestAnswers()
    const stream = await openStream(guestAddress)
    await coloOk('pair', 'checkpoint', 'web1')
    t.defer(() => stream.kill())

    t.defer(() => faults.heal({host: 'alpha', link: 'replication'}))
    t.defer(() => faults.heal({host: 'alpha', link: 'management'}))
    await faults.cut({host: 'alpha', link: 'replication', keepCarrier: true})
    await faults.cut({host: 'alpha', link: 'management', keepCarrier: true})
    const loser = await capture('alpha', fromGuest)
    await coloOk('pair', 'failover', 'web1', '--to', 'beta', '--yes', '--force', 'peer-unknown')
    await guestAnswers()
    await poke()
    const frames = await loser.stop()
    assert.equal(
      frames.filter((line) => !/ethertype ARP/.test(line)),
      [],
      'only ARP may leave a loser that nobody can reach',
    )

    const silent = await capture('alpha', fromGuest)
    await faults.heal({host: 'alpha', link: 'replication'})
    await faults.heal({host: 'alpha', link: 'management'})
    await waitFor('alpha to learn of the newer generation', async () => {
      const {members} = await statusOf('web1')
      return members.find(({host}) => host === 'alpha')?.currency === 'stale'
    })
    const {stdout} = await execIn('alpha', ['sh', '-c', 'for t in /sys/class/net/co5254*; do cat $t/flags; done'])
    for (const flags of stdout.trim().split('\n')) assert.is(Number(flags) & 1, 0, 'the tap of the loser is up')
    await poke()
    assert.equal(await silent.stop(), [], 'a fenced loser lets nothing out')

    const again = await colo('pair', 'failover', 'web1', '--to', 'alpha', '--yes')
    assert.is(again.exit, 22, JSON.stringify(again.json))
    await coloOk('pair', 'wait', 'web1', '--for', 'unprotected', '--timeout', '60s')
    await coloOk('pair', 'resync', 'web1')
    assert.is((await statusOf('web1')).state, 'protected')
    const summary = await stream.stop()
    assert.is(summary.resets + summary.lost + summary.doubled, 0, JSON.stringify(summary))
  },
  4 * minutes,
)

test(
  'S3: a hung secondary does not hold the primary for ever',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair({name: 'web1', model: 'e1000', nics: 1, disks: 1})
    await guestAnswers()
    await faults.signalQemu('stop', {host: 'beta', pair: 'web1'})
    const found = await colo('pair', 'status', 'web1')
    assert.is.not(found.exit, 0)
    await coloOk('pair', 'failover', 'web1', '--to', 'alpha', '--yes')
    await guestAnswers()
    await coloOk('pair', 'resync', 'web1')
    assert.is((await statusOf('web1')).state, 'protected')
  },
  3 * minutes,
)

/** Traffic that invites every protocol of a loser: IPv4, IPv6 neighbour discovery, ARP. Nobody has to answer. */
async function poke(): Promise<void> {
  for (const address of ['10.77.0.10', '[fd77::10]']) await http('/', {address, timeoutMs: 1000}).catch(() => undefined)
}

async function waitFor(what: string, done: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const until = performance.now() + limitMs
  while (!(await done())) if (performance.now() > until) throw new Error(`waited ${limitMs} ms for ${what}`)
}

test.run()

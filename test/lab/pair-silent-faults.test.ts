import * as assert from 'uvu/assert'
import {execIn, faults} from '../../src/lab/index.js'
import {layoutOf} from '../../src/pair/layout.js'
import type {PairRecord} from '../../src/pair/record.js'
import type {PairSpec} from '../../src/pair/spec.js'
import type {PairStatus} from '../../src/pair/status.js'
import {parsePairFile} from '../../src/config/pair-file.js'
import {
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  http,
  pairFile,
  removePair,
  statusOf,
  type GuestSpec,
} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('S7: what is silently broken is not shown as protected')
const minutes = 60_000
const guest: GuestSpec = {name: 'web1', model: 'virtio', nics: 1, disks: 1}
const spec: PairSpec = parsePairFile(pairFile(guest), 'web1.yaml')
const [nic] = layoutOf(spec).nics

test(
  'mirror dropped, filter missing, comparer fed by one side, agent dead: named with a remedy, and mended',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair({...guest, interval: '30s'})
    await guestAnswers()
    const {objects, chardevs} = nic!

    // a connection that drops for a moment: this QEMU takes it up again by itself, older ones have to be repaired
    await faults.dropConnection('beta', (await portsOf('web1')).nics[0]!.mirror)
    await repairedIfNeeded()
    await comparesQuietly()

    // one that stays away
    await qmp('alpha', {execute: 'object-del', arguments: {id: objects.mirror}})
    await qmp('alpha', {execute: 'chardev-remove', arguments: {id: chardevs.mirrorLink}})
    await named(['link-lost', 'filter-missing'])
    await coloOk('pair', 'status', 'web1', '--repair')
    assert.is((await statusOf('web1')).state, 'protected')

    await setFilter('alpha', objects.mirror, 'off')
    await named(['filter-off'])
    await coloOk('pair', 'status', 'web1', '--repair')
    assert.is((await statusOf('web1')).state, 'protected')

    await qmp('beta', {execute: 'object-del', arguments: {id: objects.rewriter}})
    await named(['filter-missing'])
    await coloOk('pair', 'resync', 'web1')
    assert.is((await statusOf('web1')).state, 'protected')

    await setFilter('beta', objects.divert, 'off')
    await named(['filter-off'])
    await coloOk('pair', 'status', 'web1', '--repair')
    assert.is((await statusOf('web1')).state, 'protected')

    await faults.signalAgent('kill', 'beta')
    t.defer(() => faults.startAgent('beta'))
    const {state, reasons} = await statusOf('web1')
    assert.is(state, 'suspect')
    assert.ok(reasons.some(({code, host}) => code === 'unreachable' && host === 'beta'))
    await faults.startAgent('beta')
    await eventually('protected')
  },
  4 * minutes,
)

test(
  'vnet_hdr missing on one filter is seen',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair(guest)
    await guestAnswers()
    const {objects, netdev, chardevs} = nic!
    await qmp('beta', {execute: 'object-del', arguments: {id: objects.inject}})
    await qmp('beta', {
      execute: 'object-add',
      arguments: {
        'qom-type': 'filter-redirector',
        id: objects.inject,
        netdev,
        queue: 'tx',
        indev: chardevs.mirrorLink,
        insert: 'before',
        position: `id=${objects.divert}`,
      },
    })
    await named(['vnet-hdr'])
  },
  2 * minutes,
)

test(
  'NBD lost while the rest lives, then writes, then the primary loses its power: the bad copy is refused',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair(guest)
    await guestAnswers()
    await faults.dropConnection('beta', (await portsOf('web1')).nbd)
    await disk.write(0, 3000, 'after')
    await coloOk('pair', 'checkpoint', 'web1')
    await named(['nbd-lost', 'quorum-report-bad', 'not-promotable'])
    t.defer(() => faults.powerOn('alpha').catch(() => undefined))
    await faults.powerOff('alpha')
    const refused = await colo('pair', 'failover', 'web1', '--to', 'beta', '--yes', '--force', 'peer-unknown')
    assert.is(refused.exit, 22, JSON.stringify(refused.json))
    assert.match(JSON.stringify(refused.json), /not-promotable/)
  },
  3 * minutes,
)

test(
  'a hung secondary stops the beat of checkpoints',
  async (t) => {
    t.defer(() => removePair('web1'))
    await createPair(guest)
    await guestAnswers()
    await faults.signalQemu('stop', {host: 'beta', pair: 'web1'})
    t.defer(() => faults.signalQemu('continue', {host: 'beta', pair: 'web1'}).catch(() => undefined))
    const status = await named(['hung', 'no-beat'])
    assert.ok(status.reasons.every(({remedy}) => remedy !== undefined))
  },
  2 * minutes,
)

/** Waits until the status is not protected and names one of these codes. */
async function named(codes: readonly string[]): Promise<PairStatus> {
  const until = performance.now() + 30_000
  for (;;) {
    const status = await statusOf('web1')
    const found = status.reasons.find(({code}) => codes.includes(code))
    if (status.state !== 'protected' && found !== undefined) {
      assert.is.not(status.exit, 0)
      assert.ok(found.remedy !== undefined, `${found.code} has no remedy`)
      return status
    }
    if (performance.now() > until) throw new Error(`none of ${codes.join(', ')} named: ${JSON.stringify(status)}`)
  }
}

async function eventually(state: string): Promise<void> {
  await coloOk('pair', 'wait', 'web1', '--for', state, '--timeout', '30s')
}

async function portsOf(pair: string): Promise<PairRecord['ports']> {
  const {stdout} = await execIn('beta', ['cat', `/var/lib/colo/pairs/${pair}/record.json`])
  return (JSON.parse(stdout) as PairRecord).ports
}

async function qmp(host: 'alpha' | 'beta', command: object): Promise<void> {
  const {stdout} = await execIn(host, ['virsh', 'qemu-monitor-command', 'web1', JSON.stringify(command)])
  assert.not.match(stdout, /"error"/)
}

async function setFilter(host: 'alpha' | 'beta', id: string, value: 'on' | 'off'): Promise<void> {
  await qmp(host, {execute: 'qom-set', arguments: {path: `/objects/${id}`, property: 'status', value}})
}

/** Repairs the pair when its status asks for it. */
async function repairedIfNeeded(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3000)) // clients of chardevs try again once a second
  if ((await statusOf('web1')).state === 'protected') return
  await coloOk('pair', 'status', 'web1', '--repair')
  await eventually('protected')
}

/** Both sides really see the same packets: identical answers cost (almost) no checkpoint. */
async function comparesQuietly(): Promise<void> {
  const before = (await statusOf('web1')).checkpoints.count
  for (let i = 0; i < 6; i++) await http('/')
  const cost = (await statusOf('web1')).checkpoints.count - before
  assert.ok(cost <= 2, `${cost} checkpoints for 6 identical answers`)
}

test.run()

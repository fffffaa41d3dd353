import * as assert from 'uvu/assert'
import {execIn, faults} from '../../src/lab/index.js'
import {colo, coloOk, createPair, disk, guestAnswers, openStream, removePair, statusOf} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('replace')
const pair = 'moved'
const guestAddress = '10.77.0.62'

test(
  'a dead secondary is replaced by gamma; back, it confuses nobody, and goes by the same command; then the other way with all alive',
  async (t) => {
    t.defer(() => removePair(pair))
    await createPair({name: pair, model: 'virtio', nics: 1, disks: 1, byte: 62})
    await guestAnswers(guestAddress)
    await disk.write(0, 300, 'before', guestAddress)
    const stream = await openStream(guestAddress)
    t.defer(() => stream.kill())
    await coloOk('pair', 'checkpoint', pair)

    await faults.powerOff('beta')
    t.defer(() => faults.powerOn('beta').catch(() => undefined))
    assert.is((await colo('pair', 'replace', pair, '--secondary', 'gamma', '--yes')).exit, 22, 'beta may have gone on')
    await coloOk('pair', 'replace', pair, '--secondary', 'gamma', '--yes', '--force', 'peer-unknown')
    const moved = await statusOf(pair)
    assert.equal([moved.state, moved.primary, moved.secondary], ['protected', 'alpha', 'gamma'])

    await faults.powerOn('beta')
    await faults.startAgent('beta')
    await staleOnBeta()
    const seen = await statusOf(pair)
    assert.equal([seen.state, seen.secondary], ['protected', 'gamma'], JSON.stringify(seen.reasons))
    assert.is(
      (await colo('pair', 'failover', pair, '--to', 'beta', '--yes')).exit,
      2,
      'it is no host of the pair any more',
    )
    await coloOk('pair', 'replace', pair, '--secondary', 'gamma', '--yes')
    assert.not((await filesOnBeta()).includes('record.json'))
    await execIn('beta', ['test', '-e', `/var/lib/colo/images/${pair}-0.qcow2`])
    assert.is((await coloOk('pair', 'replace', pair, '--secondary', 'gamma', '--yes'))['changed'], false)

    // the new secondary is a real one
    await disk.write(0, 301, 'between', guestAddress)
    await coloOk('pair', 'failover', pair, '--yes')
    const over = await statusOf(pair)
    assert.equal([over.state, over.primary, over.secondary], ['protected', 'gamma', 'alpha'])

    // all alive, back to beta, whose image may be overwritten
    const kept = await colo('pair', 'replace', pair, '--secondary', 'beta', '--yes')
    assert.is(kept.exit, 6, 'an image that is there is not overwritten unasked')
    await coloOk(
      'pair',
      'replace',
      pair,
      '--secondary',
      'beta',
      '--yes',
      '--force',
      'image-secondary',
      '--delete-copies',
    )
    const back = await statusOf(pair)
    assert.equal([back.state, back.primary, back.secondary], ['protected', 'gamma', 'beta'])
    const {stdout} = await execIn('alpha', [
      'sh',
      '-c',
      `ls /var/lib/colo/pairs /var/lib/colo/images | grep ${pair} || true`,
    ])
    assert.is(stdout.trim(), '', 'nothing is left on alpha')
    assert.match(await disk.read(0, 300, guestAddress), /before/)
    assert.match(await disk.read(0, 301, guestAddress), /between/)
    const summary = await stream.stop()
    assert.equal([summary.resets, summary.lost, summary.doubled], [0, 0, 0], JSON.stringify(summary))
  },
  6 * 60_000,
)

/** Its agent hears of the newer generation from the primary's, which answers a former member. */
async function staleOnBeta(): Promise<void> {
  const until = performance.now() + 20_000
  for (;;) {
    const {stdout} = await execIn('beta', ['cat', `/var/lib/colo/pairs/${pair}/record.json`])
    if ((JSON.parse(stdout) as {marks: {stale?: string}}).marks.stale !== undefined) return
    if (performance.now() > until) throw new Error('beta never learned that it is stale')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function filesOnBeta(): Promise<string> {
  const {stdout} = await execIn('beta', ['sh', '-c', `ls /var/lib/colo/pairs/${pair} 2>/dev/null || true`])
  return stdout
}

test.run()

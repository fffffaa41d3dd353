import {once} from 'node:events'
import * as assert from 'uvu/assert'
import {execIn, type LabHost} from '../../src/lab/index.js'
import {agentPidFile} from '../../src/lab/agent.js'
import {
  colo,
  coloOk,
  coloProcess,
  createPair,
  guestAnswers,
  openStream,
  removePair,
  statusOf,
  type StreamSummary,
} from '../support/lab.js'
import {suite} from '../support/suite.js'

/* One pair goes through all of these in turn; each test leaves it protected. */
const test = suite('planned moves')
const minutes = 60_000
const pair = 'moves'
const guestAddress = '10.77.0.61'
const tap = 'co52540077003d'

test(
  'planned failover: an established connection goes on, and the old primary becomes the secondary by itself',
  async (t) => {
    await createPair({name: pair, model: 'virtio', nics: 1, disks: 1, byte: 61})
    await guestAnswers(guestAddress)
    const stream = await openStream(guestAddress)
    t.defer(() => stream.kill())
    const result = await coloOk('pair', 'failover', pair, '--yes')
    assert.is((result['status'] as {state: string}).state, 'protected')
    const {state, primary, epoch} = await statusOf(pair)
    assert.equal([state, primary, epoch], ['protected', 'beta', 2])
    clean(await stream.stop())
  },
  3 * minutes,
)

test(
  'a failure before the new primary is confirmed: the old one goes on, in a new generation',
  async (t) => {
    const {primary, secondary, epoch} = await statusOf(pair)
    await coloOk('pair', 'checkpoint', pair)
    const stream = await openStream(guestAddress)
    t.defer(() => stream.kill())
    // the disk of the secondary's host takes no record any more: its copy cannot be marked, so it must not be let go
    const record = `/var/lib/colo/pairs/${pair}/record.json`
    await execIn(secondary as LabHost, ['mount', '--bind', record, record])
    const mended = () => execIn(secondary as LabHost, ['umount', record]).catch(() => undefined)
    t.defer(mended)
    const {exit, json} = await colo('pair', 'failover', pair, '--yes')
    assert.is(exit, 1, JSON.stringify(json))
    assert.match(JSON.stringify(json), /EBUSY/)
    await guestAnswers(guestAddress)
    const after = await statusOf(pair)
    assert.equal([after.state, after.primary, after.epoch], ['unprotected', primary, (epoch ?? 0) + 1])
    await mended()
    const {json: refused, exit: code} = await colo('pair', 'failover', pair, '--to', secondary ?? '', '--yes')
    assert.is(code, 22, `its copy takes over from nobody now: ${JSON.stringify(refused)}`)
    await coloOk('pair', 'resync', pair)
    clean(await stream.stop())
  },
  3 * minutes,
)

test(
  'the command killed between fence and grant: the agents let one copy go on by themselves',
  async (t) => {
    const {primary, secondary} = await statusOf(pair)
    const stream = await openStream(guestAddress)
    t.defer(() => stream.kill())
    await coloOk('pair', 'checkpoint', pair)
    const stopped = execIn(secondary as LabHost, [
      'sh',
      '-c',
      `until [ -e /var/lib/colo/pairs/${pair}/intent.json ]; do :; done; kill -STOP $(cat ${agentPidFile})`,
    ])
    t.defer(() => execIn(secondary as LabHost, ['sh', '-c', `kill -CONT $(cat ${agentPidFile})`]))
    const command = coloProcess('pair', 'failover', pair, '--yes')
    await stopped
    await execIn(primary as LabHost, [
      'sh',
      '-c',
      `until [ $(( $(cat /sys/class/net/${tap}/flags) & 1 )) = 0 ]; do :; done`,
    ])
    command.kill('SIGKILL')
    await once(command, 'exit')
    await execIn(secondary as LabHost, ['sh', '-c', `kill -CONT $(cat ${agentPidFile})`])
    await guestAnswers(guestAddress)
    const up = await Promise.all(
      [primary, secondary].map(async (host) => {
        const {stdout} = await execIn(host as LabHost, ['cat', `/sys/class/net/${tap}/flags`])
        return Number(stdout.trim()) & 1
      }),
    )
    assert.is(up.filter((each) => each === 1).length, 1, 'one output, not two (S1)')
    const status = await statusOf(pair)
    assert.ok(
      status.reasons.every(({code}) => code !== 'interrupted'),
      JSON.stringify(status.reasons),
    )
    if (status.state !== 'protected') {
      await coloOk('pair', 'wait', pair, '--for', 'unprotected', '--timeout', '60s')
      await coloOk('pair', 'resync', pair)
    }
    clean(await stream.stop())
  },
  3 * minutes,
)

test('the pair is taken away', async () => {
  await removePair(pair)
  assert.is((await colo('pair', 'status', pair)).exit, 3)
})

function clean(summary: StreamSummary): void {
  const text = JSON.stringify(summary)
  console.error(`longest silence ${summary.maxWaitMs} ms`)
  assert.is(summary.resets, 0, text)
  assert.is(summary.lost, 0, text)
  assert.is(summary.doubled, 0, text)
  assert.is(summary.outOfOrder, 0, text)
  assert.ok(summary.received > 20, text)
}

test.run()

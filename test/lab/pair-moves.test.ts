import * as assert from 'uvu/assert'
import {execIn, namespaces, type LabHost} from '../../src/lab/index.js'
import {run} from '../../src/os/process.js'
import {
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  openStream,
  removePair,
  statusOf,
  type StreamSummary,
} from '../support/lab.js'
import {strike} from '../soak/strike.js'
import {suite, type T} from '../support/suite.js'

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
    const fenced = await strike(['failover', pair, '--yes'], {
      step: `${primary}/fence`,
      state: 'done',
      victim: 'command',
    })
    assert.ok(fenced.reached, fenced.stderr)
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

test(
  'test-failover: the primary really ends, the connection and the probes go on, the pair is protected again',
  async (t) => {
    const {primary, secondary} = await statusOf(pair)
    await legInLan(t)
    const probes = ['--probe', `tcp://${guestAddress}:7`, '--probe', `http://${guestAddress}/`]
    const wrong = await colo('pair', 'test-failover', pair, '--probe', `tcp://${guestAddress}:9`, '--yes')
    assert.is(wrong.exit, 6, 'a service that does not answer before the test is no test')
    assert.is((await statusOf(pair)).primary, primary)
    const unsaid = await colo('pair', 'test-failover', pair, ...probes)
    assert.is(unsaid.exit, 22, 'the name must be typed')

    const stream = await openStream(guestAddress)
    t.defer(() => stream.kill())
    await coloOk('pair', 'checkpoint', pair)
    const document = await coloOk('pair', 'test-failover', pair, ...probes, '--yes')
    const reports = document['probes'] as ReadonlyArray<{url: string; answers: boolean; longestSilenceMs: number}>
    assert.equal(
      reports.map(({answers}) => answers),
      [true, true],
    )
    console.error(
      `took over in ${String(document['takeOverMs'])} ms; silent ${reports.map((r) => r.longestSilenceMs).join(', ')} ms`,
    )
    assert.ok(reports.every(({longestSilenceMs}) => longestSilenceMs > 0))
    assert.ok(Number(document['takeOverMs']) > 0)
    const after = await statusOf(pair)
    assert.equal([after.state, after.primary, after.secondary], ['protected', secondary, primary])
    clean(await stream.stop())
  },
  3 * minutes,
)

test(
  'suspend, two thousand writes, resume: the copy that was away has them all, and both disks are equal as a whole',
  async () => {
    const {primary, secondary, epoch} = await statusOf(pair)
    await coloOk('pair', 'suspend', pair, '--yes')
    const suspended = await statusOf(pair)
    assert.equal(
      [suspended.state, suspended.qualifier, suspended.epoch],
      ['unprotected', 'suspended', (epoch ?? 0) + 1],
    )
    assert.match(suspended.reasons[0]?.message ?? '', /suspended by \S+@\S+ pid \d+, 20/)
    assert.is(suspended.reasons[0]?.remedy, `colo pair resume ${pair}`)
    const {stdout} = await execIn(secondary as LabHost, ['virsh', 'list', '--name'])
    assert.is(stdout.trim(), '', 'the secondary has ended')
    await execIn(secondary as LabHost, ['test', '-e', `/var/lib/colo/images/${pair}-0.qcow2`])
    assert.is((await coloOk('pair', 'suspend', pair, '--yes'))['changed'], false, 'twice is fine')
    assert.is((await colo('pair', 'resync', pair)).exit, 5, 'only resume ends it')

    await writeMany(20_000, 2000, 'suspended')
    await coloOk('pair', 'resume', pair)
    const resumed = await statusOf(pair)
    assert.equal([resumed.state, resumed.qualifier, resumed.primary], ['protected', undefined, primary])
    assert.is((await coloOk('pair', 'resume', pair))['changed'], false)
    // the copy that was away takes over
    await coloOk('pair', 'failover', pair, '--yes', '--no-resync')
    await coloOk('pair', 'wait', pair, '--for', 'unprotected', '--timeout', '60s')
    assert.match(await disk.read(0, 21_999, guestAddress), /suspended/)
    const [left, right] = await Promise.all([primary, secondary].map((host) => contentOf(host as LabHost, 'suspended')))
    assert.is(left?.sectors, 2000, 'the copy that went on alone')
    assert.equal(right, left, 'the copy that was away')
    await coloOk('pair', 'resync', pair)
  },
  4 * minutes,
)

test(
  'the pair is taken away',
  async () => {
    await removePair(pair)
    assert.is((await colo('pair', 'status', pair)).exit, 3)
  },
  minutes,
)

/** Probes run from the machine of the command: it gets a leg in the guest's LAN. */
async function legInLan(t: T): Promise<void> {
  await run(['ip', 'link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1', 'netns', namespaces.lan])
  t.defer(() => run(['ip', 'link', 'del', 'probe0']))
  await run(['ip', '-n', namespaces.lan, 'link', 'set', 'probe1', 'master', 'br0', 'up'])
  await run(['ip', 'address', 'add', '10.77.0.250/24', 'dev', 'probe0'])
  await run(['ip', 'link', 'set', 'probe0', 'up'])
}

/** Consecutive sectors written through the guest, each fsynced before its answer; one curl asks for all of them. */
async function writeMany(first: number, count: number, value: string): Promise<void> {
  const url = `http://${guestAddress}/write?disk=0&sector=[${first}-${first + count - 1}]&value=${value}`
  const fails = ['--fail', '--fail-early', '--max-time', '60', '-o', '/dev/null']
  const argv = ['ip', 'netns', 'exec', namespaces.client, 'curl', '-sS', ...fails, '-Z', '--parallel-max', '50', url]
  await run(argv as [string, ...string[]], {timeoutMs: 170_000})
}

/** The pair's disk on a host, as the guest would read it: a sum over all of it, and how many sectors begin with a word. */
async function contentOf(host: LabHost, word: string): Promise<{sum: string; sectors: number}> {
  const script = `
    raw=$(mktemp)
    qemu-img convert -U -O raw /var/lib/colo/images/${pair}-0.qcow2 "$raw" && sha256sum <"$raw" && grep -ao '${word}' "$raw" | wc -l
    rm -f "$raw"`
  const {stdout} = await execIn(host, ['sh', '-c', script])
  const [sum = '', sectors = ''] = stdout.split('\n')
  return {sum, sectors: Number(sectors)}
}

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

import * as assert from 'uvu/assert'
import {execIn} from '../../src/lab/index.js'
import type {PairEventsDocument} from '../../src/cli/events.js'
import type {PairStatsDocument} from '../../src/cli/stats.js'
import {parseTraceLine} from '../../src/stats/trace-line.js'
import {colo, coloOk, createPair, guestAnswers, http, removePair} from '../support/lab.js'
import {openTmux} from '../support/tmux.js'
import {suite} from '../support/suite.js'

const test = suite('top and stats in the lab')
const minutes = 60_000
const guests = {top1: '10.77.0.51', top2: '10.77.0.52'} as const

test(
  'two pairs: list, filter, sort, detail, failover by dialog and back to protected, on the screen',
  async (t) => {
    t.defer(() => Promise.all([removePair('top1'), removePair('top2')]))
    await createPair({name: 'top1', model: 'virtio', nics: 1, disks: 1, byte: 51, resync: 'manual'})
    await createPair({name: 'top2', model: 'virtio', nics: 1, disks: 1, byte: 52})
    await Promise.all(Object.values(guests).map((address) => guestAnswers(address)))
    const traffic = keepAsking(t.signal)
    t.defer(() => traffic)

    const readOnly = await openTmux(t, ['top', '--read-only'])
    await readOnly.shows(/^. top1 +protected/m)
    await readOnly.press('f')
    await readOnly.shows(/read-only: no actions/)
    await readOnly.press('q')
    await readOnly.shows(/ended 0/)

    const top = await openTmux(t, ['top'])
    await top.shows(/^. top1 +protected[^]*^. top2 +protected/m)
    await top.press('/', ...Array.from('top2'), 'Enter')
    await top.shows((screen) => !/^. top1/m.test(screen) && /^. top2/m.test(screen))
    await top.press('Escape')
    await top.shows(/^. top1/m)
    await top.press('N')
    await top.shows(/^. top2[^]*^. top1/m)
    await top.press('N', 'g', 'Enter')
    await top.shows(/^top1 +protected[^]*CHECKPOINTS[^]*PACKET PATH/m)

    await top.press('f')
    await top.shows(/Type top1 to confirm/)
    await top.press(...Array.from('top2'), 'Tab', 'Enter')
    await top.shows(/top2 is not top1: nothing was done/)
    await top.press('Escape')
    await top.shows((screen) => !screen.includes('Type top1'))
    assert.is((await coloOk('pair', 'status', 'top1'))['epoch'], 1)

    await top.press('f', ...Array.from('top1'), 'Tab', 'Enter')
    await top.shows(/(RUNNING|DONE) .*Fail over top1/)
    await top.shows(/^top1 +(failing-over|committing|unprotected) +generation 2/m, 20_000)
    await top.shows(/^top1 +unprotected +generation 2/m, 30_000)
    await guestAnswers(guests.top1)
    await top.press('r', ...Array.from('top1'), 'Tab', 'Enter')
    await top.shows(/^top1 +resyncing/m, 30_000)
    await top.shows(/^top1 +protected +generation 2/m, 60_000)

    await top.press('u')
    await top.shows(/top1 is not suspended/)
    await top.press('s', ...Array.from('top1'), 'Tab', 'Enter')
    await top.shows(/^top1 +unprotected[^]*suspended/m, 30_000)
    await top.press('r')
    await top.shows(/top1 is suspended: u resumes it/)
    await top.press('u', ...Array.from('top1'), 'Tab', 'Enter')
    await top.shows(/^top1 +protected/m, 60_000)
    await guestAnswers(guests.top1)
    await top.press('t', ...Array.from('top1'), 'Tab', 'Enter')
    await top.shows(/DONE .*Test failover of top1/, 120_000)
    // suspending began a generation of its own
    await top.shows(/^top1 +protected +generation 4/m, 60_000)
    await top.press('Escape', 'q')
    await top.shows(/ended 0/)
  },
  5 * minutes,
)

test(
  'figures agree with the trace log of QEMU: as many checkpoints, pauses alike',
  async (t) => {
    t.defer(() => removePair('top1'))
    await createPair({name: 'top1', model: 'virtio', nics: 1, disks: 1, byte: 51})
    await guestAnswers(guests.top1)
    const monitor = (command: string) => execIn('alpha', ['virsh', 'qemu-monitor-command', 'top1', '--hmp', command])
    const traced = ['colo_vm_state_change', 'vm_state_notify']
    await monitor('logfile /run/colo/pairs/top1/truth.log')
    for (const name of traced) await monitor(`trace-event ${name} on`)
    const before = await statsOf('top1')
    for (let n = 0; n < 7; n++) await http('/uptime', {address: guests.top1})
    await coloOk('pair', 'checkpoint', 'top1')
    for (let n = 0; n < 3; n++) await http('/uptime', {address: guests.top1})
    for (const name of traced) await monitor(`trace-event ${name} off`)
    const after = await statsOf('top1')
    const {stdout} = await execIn('alpha', ['cat', '/run/colo/pairs/top1/truth.log'])
    const {pauses, checkpoints} = truthOf(stdout)
    const [first] = pauses
    const last = pauses.at(-1)
    assert.ok(first !== undefined && last !== undefined && pauses.length >= 8, stdout)
    assert.is(pauses.length, checkpoints, 'QEMU agrees with itself')

    const {events} = (await coloOk('pair', 'events', 'top1')) as unknown as PairEventsDocument
    const seen = recordedPauses(events.filter(({host}) => host === 'alpha')).filter(
      ({atMs}) => atMs >= first.atMs - 20 && atMs <= last.atMs + 20,
    )
    assert.is(seen.length, checkpoints, 'as many checkpoints as in the trace')
    const differences = pauses.map(({ms}, n) => Math.abs(ms - (seen[n]?.ms ?? 1e9))).sort((a, b) => a - b)
    assert.ok((differences[Math.floor(differences.length / 2)] ?? 1e9) < 1, `differences ${differences.join(' ')}`)
    const counted = after.checkpoints.total - before.checkpoints.total
    assert.ok(
      Math.abs(counted - checkpoints) <= 1,
      `${counted} counted, ${checkpoints} traced; the edges may differ by one`,
    )
    assert.is(after.checkpoints.causes.manual - before.checkpoints.causes.manual, 1)
    assert.ok(after.checkpoints.causes.divergence > before.checkpoints.causes.divergence)

    assert.is((await colo('pair', 'trace', 'top1', 'on')).exit, 0)
    await coloOk('pair', 'checkpoint', 'top1')
    await coloOk('pair', 'checkpoint', 'top1')
    assert.is((await colo('pair', 'trace', 'top1', 'off')).exit, 0)
    const {phases} = await statsOf('top1')
    assert.ok((phases?.primary?.durations.transfer?.count ?? 0) >= 2, 'phases of the primary')
    assert.ok((phases?.secondary?.dirtyPages?.max ?? 0) > 0, 'dirty pages of the secondary')
    const {stdout: left} = await execIn('alpha', ['sh', '-c', 'ls /run/colo/pairs/top1'])
    assert.not.match(left, /trace/, 'nothing is left of the traces')
  },
  2 * minutes,
)

async function statsOf(pair: string): Promise<PairStatsDocument> {
  return (await coloOk('pair', 'stats', pair)) as unknown as PairStatsDocument
}

interface Pause {
  readonly atMs: number
  readonly ms: number
}

/**
 * What QEMU's own log says: checkpoints of COLO, and how long its devices knew the guest to stand still. COLO's line itself comes later than
 * the guest stops, after the disks are flushed (docs/statistics.md), so it counts but does not measure.
 */
function truthOf(log: string): {readonly pauses: readonly Pause[]; readonly checkpoints: number} {
  const pauses: Pause[] = []
  let checkpoints = 0
  let since: number | undefined
  for (const line of log.split('\n').map(parseTraceLine)) {
    if (line?.name === 'colo_vm_state_change' && line.text.endsWith("'run'")) checkpoints++
    if (line?.name !== 'vm_state_notify') continue
    if (line.text.startsWith('running 0')) since = line.atMs
    else if (since !== undefined) pauses.push({atMs: since, ms: line.atMs - since})
  }
  return {pauses, checkpoints}
}

function recordedPauses(events: PairEventsDocument['events']): Pause[] {
  const pauses: Pause[] = []
  let since: number | undefined
  for (const {type, atMs} of events) {
    if (type === 'STOP') since ??= atMs
    if (type === 'RESUME' && since !== undefined) {
      pauses.push({atMs: since, ms: atMs - since})
      since = undefined
    }
  }
  return pauses
}

/** Differing answers from both guests, until the test ends; failures in a failover are its business. */
async function keepAsking(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await Promise.allSettled(Object.values(guests).map((address) => http('/uptime', {address, timeoutMs: 2000})))
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

test.run()

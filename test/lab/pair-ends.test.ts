import assert from 'node:assert/strict'
import {execIn, faults, type LabHost} from '../../src/lab/index.js'
import type {PairStatus} from '../../src/pair/status.js'
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
import {suite, type T} from '../support/suite.js'

/* What follows when the guest itself ends: its kernel panics, it powers off, it reboots. One pair; each takes it as the one before has left it. */
const test = suite('how a guest ends')
const minutes = 60_000
const pair = 'ends1'
const guest = '10.77.0.33'
const spec: GuestSpec = {name: pair, model: 'virtio', nics: 1, disks: 1, byte: 33, panic: 0}

let usable: 'not made' | 'yes' | 'no' = 'not made'
function chained(title: string, body: (t: T) => Promise<void>, minutesAtMost: number): void {
  test(
    title,
    async (t) => {
      assert.notEqual(usable, 'no', 'an earlier test of this pair has failed')
      const first = usable === 'not made'
      usable = 'no'
      t.defer(() => (usable === 'yes' ? undefined : removePair(pair)))
      if (first) await createPair(spec)
      if (first) await guestAnswers(guest)
      await body(t)
      usable = 'yes'
    },
    minutesAtMost * minutes,
  )
}

chained(
  'a guest whose kernel panicked: protected, named with the command that ends it, also by an agent that was restarted; the command works',
  async () => {
    await disk.write(0, 3001, 'before', guest)
    await panic()
    await until('the panic to be named', async () => (await panicOf()) !== undefined)
    await coloOk('pair', 'checkpoint', pair) // as of any running guest
    const {state, exit} = await statusOf(pair)
    assert.deepEqual([state, exit], ['protected', 11])
    await faults.signalAgent('kill', 'alpha')
    await faults.startAgent('alpha')
    await until('it to be named again', async () => (await panicOf()) !== undefined)

    // the lab's secondary would run stale translations of the old kernel (decision 16), so the primary is reset alone
    await coloOk('pair', 'suspend', pair, '--yes')
    assert.equal(await panicOf(), `on alpha: virsh reset ${pair}`)
    await isReset(() => execIn('alpha', ['virsh', '-q', 'reset', pair]))
    assert.match(await disk.read(0, 3001, guest), /before/)
    assert.equal(await panicOf(), undefined)
  },
  4,
)

chained(
  'onCrash: restart, given while the guest runs: a panic is a reset, without a person',
  async () => {
    await change({onCrash: 'restart'}, ['vm.onCrash'])
    await isReset(panic)
    assert.equal(await panicOf(), undefined)
    assert.match(await disk.read(0, 3001, guest), /before/)
  },
  3,
)

chained(
  'onPoweroff: restart, and virsh reboot: the guest boots again; colo pair stop still stops it, and resume protects it',
  async () => {
    await change({onPoweroff: 'restart', onCrash: 'restart'}, ['vm.onPoweroff'])
    await isReset(() => http('/poweroff', {address: guest}))
    await isReset(() => execIn('alpha', ['virsh', '-q', 'reboot', pair]))
    assert.match(await disk.read(0, 3001, guest), /before/)
    await disk.write(0, 3002, 'stopped', guest)
    await coloOk('pair', 'stop', pair)
    assert.equal((await statusOf(pair)).state, 'stopped')
    await coloOk('pair', 'start', pair)
    await guestAnswers(guest)
    assert.equal(((await coloOk('pair', 'resume', pair))['status'] as PairStatus).state, 'protected')
    assert.match(await disk.read(0, 3002, guest), /stopped/)
  },
  4,
)

chained(
  'onCrash: stop: a panic ends as stopped, clean, both copies equal; so does a reboot with onReboot: stop',
  async (t) => {
    t.defer(() => removePair(pair))
    await change({onCrash: 'stop'}, ['vm.onPoweroff', 'vm.onCrash'])
    await disk.write(0, 3003, 'panic', guest)
    await panic()
    await isStoppedCleanly()

    await change({onReboot: 'stop'}, ['vm.onCrash', 'vm.onReboot'])
    const started = (await coloOk('pair', 'start', pair))['status'] as PairStatus
    assert.equal(started.state, 'protected', 'both are equal: nothing was copied')
    await guestAnswers(guest)
    assert.match(await disk.read(0, 3003, guest), /panic/)
    await http('/reboot', {address: guest, timeoutMs: 2000}).catch(() => undefined)
    await isStoppedCleanly()
  },
  4,
)

/** In lock-step the answer waits for the other copy, and a kernel that has panicked sends nothing: only what follows counts. */
async function panic(): Promise<void> {
  await http('/panic', {address: guest, timeoutMs: 2000}).catch(() => undefined)
}

/** The guest ends, is reset on the primary, and answers again. */
async function isReset(end: () => Promise<unknown>): Promise<void> {
  const resets = await eventsOf('alpha', 'RESET')
  await end()
  await until('the reset', async () => (await eventsOf('alpha', 'RESET')) > resets)
  await guestAnswers(guest)
}

/** Applies the pair's file with other words for how the guest ends; the pair file names each word that is not the default. */
async function change(ends: NonNullable<GuestSpec['ends']>, fields: readonly string[]): Promise<void> {
  const file = await writePairFile({...spec, ends})
  try {
    const document = await coloOk('pair', 'apply', '-f', file.path)
    const found = (document['differences'] as ReadonlyArray<{field: string}>).map(({field}) => field)
    assert.deepEqual([...found].sort(), [...fields].sort())
  } finally {
    await file.remove()
  }
}

/** What the status says to do about a panic; undefined while there is none. */
async function panicOf(): Promise<string | undefined> {
  const {reasons = []} = (await statusOf(pair)) as Partial<PairStatus>
  return reasons.find(({code}) => code === 'guest-panicked')?.remedy
}

/** The agents alone end it: both records clean, both disks equal. */
async function isStoppedCleanly(): Promise<void> {
  await coloOk('pair', 'wait', pair, '--for', 'stopped', '--timeout', '90s')
  assert.deepEqual((await statusOf(pair)).reasons, [])
  const [alpha, beta] = await Promise.all([contentOf('alpha'), contentOf('beta')])
  assert.equal(alpha, beta)
}

async function contentOf(host: LabHost): Promise<string> {
  const image = `/var/lib/colo/images/${pair}-0.qcow2`
  const script = `qemu-img convert -U -f qcow2 -O raw ${image} /tmp/ends && sha256sum </tmp/ends; rm -f /tmp/ends`
  return (await execIn(host, ['sh', '-c', script], {timeoutMs: 60_000})).stdout
}

/** How many events of a type the agent of a host has recorded. */
async function eventsOf(host: LabHost, type: string): Promise<number> {
  const {json} = await colo('pair', 'events', pair)
  const {events} = json as {events: ReadonlyArray<{host: string; type: string}>}
  return events.filter((event) => event.host === host && event.type === type).length
}

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 90_000
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`${what} never came: ${JSON.stringify(await statusOf(pair))}`)
  }
}

test.run()

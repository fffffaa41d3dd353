import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import * as assert from 'uvu/assert'
import type {PairStatus} from '../../src/pair/status.js'
import {execIn, faults, type LabHost} from '../../src/lab/index.js'
import {
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  pairFile,
  removePair,
  statusOf,
  type GuestSpec,
} from '../support/lab.js'
import {suite, type T} from '../support/suite.js'
import {openTmux} from '../support/tmux.js'

/*
 * One pair goes through all of it. After each scenario every write that was acknowledged is there, or the start was refused with the reason.
 */
const test = suite('apply, start rules, hosts that come back')
const minutes = 60_000
const pair = 'rules1'
const address = '10.77.0.61'
const image = `/var/lib/colo/images/${pair}-0.qcow2`
const acknowledged = new Map<number, string>()
const directories: string[] = []

const guest = {name: pair, model: 'virtio', nics: 1, disks: 1, byte: 61} as const

test(
  'apply changes what runs and both records, under protection, and the second time nothing',
  async () => {
    await createPair(guest)
    const wanted = {...guest, interval: '500ms', uncompared: 'pass'} as const
    const fields = await applied(wanted)
    assert.equal(fields, ['nics[net0].uncompared', 'checkpoint.interval', 'checkpoint.compareTimeout'])
    assert.equal(await applied(wanted), [])
    const {state, qualifier} = await statusOf(pair)
    assert.equal([state, qualifier], ['protected', 'IPv4 only on net0'])
    assert.is((await colo('pair', 'apply', '-f', await fileOf({...wanted, disks: 2}))).exit, 4)
    await applied(guest)
    assert.is((await statusOf(pair)).state, 'protected')
  },
  3 * minutes,
)

test(
  'S4: one host absent after both lost power: refused, with the reason in the status; a replaced image, too; --alone and the typed name start it',
  async (t) => {
    await guestAnswers(address)
    await write(100, 'before')
    await bothOff()
    await faults.powerOn('alpha')
    await waits('alpha', /waits for a word of the agent on beta/)
    await refusedStart(/beta does not answer/)

    const alone = ['--alone', 'alpha', '--yes', '--force', 'peer-unknown'] as const
    await execIn('alpha', ['mv', image, `${image}.away`])
    await execIn('alpha', ['cp', `${image}.away`, image])
    await refusedStart(/is another file \(inode/, ...alone)
    await execIn('alpha', ['mv', '-f', `${image}.away`, image])
    await unasked(/--yes --force peer-unknown/, 'start', pair, '--alone', 'alpha')
    await typed(t, ['pair', 'start', pair, '--alone', 'alpha'])
    await allThere()
  },
  4 * minutes,
)

test(
  'S4: the outdated host comes back beside one that went on: it starts nothing, and its agent makes it the secondary',
  async () => {
    await write(101, 'alone')
    await faults.powerOn('beta')
    await protectedAgain('alpha')
    await allThere()
  },
  3 * minutes,
)

test(
  'S4: both hosts lose power at once and come back: their agents start the primary, and only that, and protect it; nobody is asked',
  async () => {
    await write(102, 'both')
    await bothOff()
    await Promise.all([faults.powerOn('alpha'), faults.powerOn('beta')])
    await allThere()
    await protectedAgain('alpha')
    await allThere()
  },
  3 * minutes,
)

test(
  'S4: failover to beta, beta dies, alpha returns: refused, also from outside colo; with beta back the pair goes on there',
  async () => {
    await faults.powerOff('alpha')
    await coloOk('pair', 'failover', pair, '--to', 'beta', '--yes', '--force', 'peer-unknown')
    await guestAnswers(address)
    await write(103, 'beta')
    await faults.powerOff('beta')
    await faults.powerOn('alpha')
    await waits('alpha', /waits for a word of the agent on beta/)
    await refusedStart(/beta does not answer/)
    await startedFromOutside('alpha')
    await faults.powerOn('beta')
    await allThere()
    await protectedAgain('beta')
  },
  4 * minutes,
)

test(
  'S4: both sides failed over during one cut: split-brain, which nothing ends silently; resolve does',
  async (t) => {
    await write(104, 'together')
    t.defer(() => heal())
    for (const link of ['replication', 'management'] as const) {
      await faults.cut({host: 'alpha', link, keepCarrier: true})
    }
    const blind = ['--yes', '--force', 'peer-unknown']
    await coloOk('pair', 'failover', pair, '--to', 'beta', ...blind)
    await execIn('alpha', ['colo', 'pair', 'failover', pair, '--to', 'alpha', ...blind], {timeoutMs: 60_000})
    await heal()

    await until('both to be seen', async () => (await looked()).members.filter(({reachable}) => reachable).length === 2)
    const before = await Promise.all([recordOf('alpha'), recordOf('beta')])
    assert.equal([(await statusOf(pair)).state, (await statusOf(pair)).exit], ['split-brain', 12])
    for (const verb of ['resync', 'failover', 'destroy']) {
      const {exit, json} = await colo('pair', verb, pair, '--yes')
      assert.is(exit, 22, `${verb}: ${JSON.stringify(json)}`)
    }
    assert.equal(await Promise.all([recordOf('alpha'), recordOf('beta')]), before, 'nobody gave anything up')

    await unasked(/--yes/, 'resolve', pair, '--discard', 'alpha')
    await typed(t, ['pair', 'resolve', pair, '--discard', 'alpha'])
    const {state, primary, members} = await statusOf(pair)
    assert.equal([state, primary], ['unprotected', 'beta'])
    assert.is(members.find(({host}) => host === 'alpha')?.currency, 'stale')
    const again = await colo('pair', 'resolve', pair, '--discard', 'beta', '--yes')
    assert.is(again.exit, 5, 'it is no split-brain any more')
    await allThere()
    await coloOk('pair', 'resync', pair)
  },
  4 * minutes,
)

test(
  'a host is drained before its shutdown: the other one goes on, with every write; after its boot it is the secondary again, unasked',
  async (t) => {
    t.defer(() => removePair(pair))
    t.defer(() => Promise.all(directories.map((path) => rm(path, {recursive: true}))))
    const {pairs} = (await coloOk('host', 'drain', 'beta', '--yes')) as {pairs: unknown}
    assert.equal(pairs, [{pair, role: 'primary', outcome: 'failed-over', to: 'alpha'}])
    await write(105, 'drained')
    const {primary, members} = await statusOf(pair)
    assert.is(primary, 'alpha')
    assert.equal(members.map(({host, domain, currency}) => [host, domain, currency]).sort(), [
      ['alpha', 'running', 'current'],
      ['beta', 'absent', 'stale'],
    ])
    const nothing = await coloOk('host', 'drain', 'beta', '--yes')
    assert.equal([nothing['changed'], nothing['pairs']], [false, []], 'run again it has nothing to do')
    await allThere()

    await faults.powerOff('beta')
    await faults.powerOn('beta')
    await protectedAgain('alpha')
    await allThere()
  },
  4 * minutes,
)

/** The agents alone protect it, with this host as the primary; a person's resync meanwhile waits for them, and changes nothing. */
async function protectedAgain(primary: LabHost): Promise<void> {
  await coloOk('pair', 'wait', pair, '--for', 'protected', '--timeout', '120s')
  const status = await statusOf(pair)
  assert.equal([status.state, status.primary], ['protected', primary])
}

/** Applies a file; the fields that were changed. Values other than the guest's own change the compare timeout, too. */
async function applied(wanted: GuestSpec): Promise<string[]> {
  const document = await coloOk('pair', 'apply', '-f', await fileOf(wanted))
  const fields = (document['differences'] as ReadonlyArray<{field: string}>).map(({field}) => field)
  assert.is(document['changed'], fields.length > 0)
  return fields
}

async function fileOf(wanted: GuestSpec): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-apply-'))
  directories.push(directory)
  const text = pairFile(wanted)
  const path = join(directory, `${pair}.yaml`)
  await writeFile(path, wanted === guest ? text : text.replace('compareTimeout: 3s', 'compareTimeout: 2s'))
  return path
}

async function write(sector: number, value: string): Promise<void> {
  await disk.write(0, sector, value, address)
  acknowledged.set(sector, value)
}

/** The guest answers and has everything it ever acknowledged. */
async function allThere(): Promise<void> {
  await guestAnswers(address, 90_000)
  for (const [sector, value] of acknowledged) {
    assert.match(await disk.read(0, sector, address), new RegExp(value), `sector ${sector}`)
  }
}

async function bothOff(): Promise<void> {
  await Promise.all([faults.powerOff('alpha'), faults.powerOff('beta')])
}

async function heal(): Promise<void> {
  await faults.heal({host: 'alpha', link: 'replication'})
  await faults.heal({host: 'alpha', link: 'management'})
}

async function refusedStart(why: RegExp, ...flags: readonly string[]): Promise<void> {
  const {exit, json} = await colo('pair', 'start', pair, ...flags)
  assert.is(exit, 22, JSON.stringify(json))
  assert.match((json as {error: {message: string}}).error.message, why)
}

/** Nobody is there to type a name: refused, with the flags that stand for it. */
async function unasked(flags: RegExp, ...words: readonly string[]): Promise<void> {
  const {exit, json} = await colo('pair', ...words)
  assert.is(exit, 22, JSON.stringify(json))
  assert.match((json as {error: {hint: string}}).error.hint, flags)
}

/** A person at a terminal: another name than the pair's is refused, the right one goes on. */
async function typed(t: T, words: readonly string[]): Promise<void> {
  for (const [name, ending, status] of [
    ['rules2', /not confirmed: "rules2" is not rules1/, /ended 22/],
    [pair, new RegExp(`${pair} is unprotected`), /ended 0/],
  ] as const) {
    const terminal = await openTmux(t, words)
    await terminal.shows(new RegExp(`Type ${pair} to go on:`), 60_000)
    await terminal.press(name, 'Enter')
    assert.match(await terminal.shows(/ended \d+/, 120_000), ending)
    await terminal.shows(status)
  }
}

/** The status says that, and why, the agent of a booted host has not started its copy. */
async function waits(host: LabHost, why: RegExp): Promise<void> {
  await until(`${host} to say what it waits for`, async () => {
    const {reasons} = await looked()
    const waiting = reasons.find(({code, host: at}) => code === 'boot-waits' && at === host)
    if (waiting !== undefined) assert.match(waiting.remedy ?? '', new RegExp(`colo pair start ${pair}`))
    return waiting !== undefined && why.test(waiting.message)
  })
}

/** What somebody would try who does not know of colo: libvirt has no such domain to start, and its hook refuses one made by hand. */
async function startedFromOutside(host: LabHost): Promise<void> {
  const attempt =
    `virsh -q start ${pair} && exit 0; colo pair xml ${pair} --host ${host} >/tmp/${pair}.xml 2>/dev/null; ` +
    `test -s /tmp/${pair}.xml || exit 9; virsh -q create /tmp/${pair}.xml`
  const failed = await execIn(host, ['sh', '-c', attempt], {timeoutMs: 60_000}).then(
    () => 'it started',
    (error: unknown) => (error as {failure: {status: number}}).failure.status,
  )
  assert.is(failed, 1, 'virsh create was tried and refused')
  const {stdout} = await execIn(host, ['virsh', '-q', 'list', '--all', '--name'])
  assert.is(stdout.trim(), '', 'no domain is left')
}

/** The status; empty while no agent answers, as just after a boot. */
async function looked(): Promise<Pick<PairStatus, 'reasons' | 'members'>> {
  const {reasons = [], members = []} = (await statusOf(pair)) as Partial<PairStatus>
  return {reasons, members}
}

async function recordOf(host: LabHost): Promise<unknown> {
  const {stdout} = await execIn(host, ['cat', `/var/lib/colo/pairs/${pair}/record.json`])
  const {generation, alone, role, marks} = JSON.parse(stdout) as Record<string, unknown>
  return {generation, alone, role, marks}
}

async function until(what: string, done: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await done())) if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`)
}

test.run()

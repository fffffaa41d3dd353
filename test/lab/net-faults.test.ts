import * as assert from 'uvu/assert'
import {execIn, faults, labUp, namespaces, type LabHost} from '../../src/lab/index.js'
import {run} from '../../src/os/process.js'
import {colo, coloOk, createPair, guestAnswers, http, removePair, statusOf, writePairFile} from '../support/lab.js'
import {suite} from '../support/suite.js'

/* What can go wrong with the dedicated NIC, and what an operator sees of it: one pair for all. */
const test = suite('kernel forwarding: faults')
const minutes = 60_000
const name = 'tc3'
const address = '10.77.0.43'
/** ten times compareTimeout and two intervals of the lab's pairs: a busy machine is late, a watch that does not watch never sees it */
const detectMs = 10 * (3000 + 2 * 1000)

test(
  'a NIC that is in use is refused by name before anything is made, and a wrong cable before any image is',
  async (t) => {
    await labUp()
    const guest = {name, model: 'virtio', nics: 1, disks: 1, byte: 43, forward: 'tc'} as const
    t.defer(() => removePair(name))
    const file = await writePairFile(guest)
    t.defer(() => file.remove())
    await coloOk('disk', 'prepare', '-f', file.path)
    await ip('beta', 'addr', 'add', '10.9.9.1/24', 'dev', 'fwd0')
    t.defer(() => ip('beta', 'addr', 'flush', 'dev', 'fwd0'))
    const used = await colo('pair', 'create', '-f', file.path, '--yes')
    assert.is(used.exit, 6)
    assert.match(JSON.stringify(used.json), /fwd0 has the address 10\.9\.9\.1/)
    await ip('beta', 'addr', 'flush', 'dev', 'fwd0')

    await tc('beta', 'qdisc', 'add', 'dev', 'fwd0', 'clsact')
    t.defer(() => tc('beta', 'qdisc', 'del', 'dev', 'fwd0', 'clsact').catch(() => undefined))
    const foreign = await colo('pair', 'create', '-f', file.path, '--yes')
    assert.ok([4, 6].includes(foreign.exit), String(foreign.exit))
    assert.match(JSON.stringify(foreign.json), /fwd0 has a clsact qdisc/)
    const {stdout} = await execIn('beta', ['tc', 'qdisc', 'show', 'dev', 'fwd0'])
    assert.match(stdout, /clsact/, 'what is foreign is left')
    await tc('beta', 'qdisc', 'del', 'dev', 'fwd0', 'clsact')

    // the spec names fwd0 on both hosts, but the cable of alpha's fwd0 leads to beta's fwd1
    await recable([
      ['fwd0', 'fwd1'],
      ['fwd1', 'fwd0'],
    ])
    t.defer(() =>
      recable([
        ['fwd0', 'fwd0'],
        ['fwd1', 'fwd1'],
      ]),
    )
    const crossed = await colo('pair', 'create', '-f', file.path, '--yes')
    assert.is(crossed.exit, 6, JSON.stringify(crossed.json))
    assert.match(JSON.stringify(crossed.json), /arrived at fwd1, not at fwd0/)
    const left = await execIn('beta', ['sh', '-c', 'ls /var/lib/colo/pairs /run/colo/forward; nft list tables'])
    assert.not.match(left.stdout, /tc3|fwd0|probe/, left.stdout)
  },
  2 * minutes,
)

test(
  'show and verify; a cut, a re-used and a swapped link are seen in time and named with the remedy',
  async (t) => {
    t.defer(() => removePair(name))
    await createPair({name, model: 'virtio', nics: 1, disks: 1, byte: 43, forward: 'tc'})
    await guestAnswers(address)
    assert.is((await statusOf(name)).state, 'protected')

    // the agents look once a second
    const limitMs = performance.now() + detectMs
    let hops = await hopsShown()
    while (hops.some(({packets}) => packets === 0) && performance.now() < limitMs) hops = await hopsShown()
    assert.equal(
      hops.map(({host}) => host),
      ['alpha', 'beta', 'beta', 'alpha', 'alpha'],
    )
    assert.ok(
      hops.every(({packets}) => packets > 0),
      JSON.stringify(hops),
    )
    assert.is((await coloOk('net', 'verify', name))['ok'], true)
    assert.is((await coloOk('net', 'up', name))['changed'], false, 'running it twice changes nothing')
    assert.is((await colo('net', 'down', name)).exit, 5, 'refused while packets are compared over it')

    await faults.cut({host: 'beta', link: 'fwd0'})
    await seen('forward-no-carrier', /fwd0 has no carrier/)
    await faults.heal({host: 'beta', link: 'fwd0'})
    const touched = await seen('forward-touched', /cut or re-plugged/)
    assert.is(touched.remedy, `colo net verify ${name}`)
    await coloOk('net', 'verify', name)
    await coloOk('pair', 'wait', name, '--for', 'protected', '--timeout', '20s')

    await ip('alpha', 'addr', 'add', '10.9.9.1/24', 'dev', 'fwd0')
    await seen('forward-reused', /fwd0 has the address 10\.9\.9\.1/)
    await ip('alpha', 'addr', 'flush', 'dev', 'fwd0')
    await coloOk('pair', 'wait', name, '--for', 'protected', '--timeout', '20s')

    // a rule is gone: verify says where the frames stop, status mends it
    await tc('beta', 'filter', 'del', 'dev', 'fwd0', 'ingress')
    await seen('forward-rules', /no redirect from fwd0 ingress/)
    const stopped = await colo('net', 'verify', name)
    assert.is(stopped.exit, 6)
    assert.match(
      JSON.stringify(stopped.json),
      /to the secondary: frames stop before fwd0 ingress on beta: its rule is missing/,
    )
    await coloOk('pair', 'status', name, '--repair')

    t.defer(() =>
      recable([
        ['fwd0', 'fwd0'],
        ['fwd1', 'fwd1'],
      ]),
    )
    // alpha's fwd0 leads to beta's fwd1 now: the rules can be put back, but no frame arrives
    await recable([
      ['fwd0', 'fwd1'],
      ['fwd1', 'fwd0'],
    ])
    await seen('forward-rules', /fwd0/)
    await colo('net', 'up', name)
    const wrong = await colo('net', 'verify', name)
    assert.is(wrong.exit, 6)
    assert.match(JSON.stringify(wrong.json), /it counted 0 of 5/)
    await seen('forward-touched', /re-plugged/)
    await recable([
      ['fwd0', 'fwd0'],
      ['fwd1', 'fwd1'],
    ])
    await colo('net', 'up', name)
    assert.is((await coloOk('net', 'verify', name))['ok'], true)
    assert.is((await statusOf(name)).state, 'protected')
    assert.match(await http('/', {address}), /Hello/)
  },
  5 * minutes,
)

async function hopsShown(): Promise<ReadonlyArray<{readonly host: string; readonly packets: number}>> {
  const {json} = await colo('net', 'show', name)
  return (json['nics'] as ReadonlyArray<{hops: ReadonlyArray<{host: string; packets: number}>}>)[0]?.hops ?? []
}

/** The reason of that code, seen before the limit. */
async function seen(code: string, message: RegExp): Promise<{message: string; remedy?: string}> {
  const startedMs = performance.now()
  for (;;) {
    const {reasons} = await statusOf(name)
    const found = reasons.find((reason) => reason.code === code)
    if (found !== undefined) {
      assert.match(found.message, message)
      return found
    }
    assert.ok(performance.now() - startedMs < detectMs, `${code} not seen in time: ${JSON.stringify(reasons)}`)
  }
}

/** New cables between the forward NICs of both hosts: [end on alpha, end on beta]. */
async function recable(cables: ReadonlyArray<readonly [string, string]>): Promise<void> {
  for (const [end] of cables) await ip('alpha', 'link', 'del', end).catch(() => undefined)
  for (const [near, far] of cables) {
    await ip('alpha', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', namespaces.host('beta'))
    await ip('alpha', 'link', 'set', near, 'up')
    await ip('beta', 'link', 'set', far, 'up')
  }
}

async function ip(host: LabHost, ...words: readonly string[]): Promise<void> {
  await run(['ip', '-n', namespaces.host(host), ...words])
}

async function tc(host: LabHost, ...words: readonly string[]): Promise<void> {
  await run(['tc', '-n', namespaces.host(host), ...words])
}

test.run()

import assert from 'node:assert/strict'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Forwarding} from '../../../src/agent/forwarding.js'
import {HeldTool} from '../../../src/agent/held-tool.js'
import {wishOf} from '../../../src/net/forward/wish.js'
import {startChild} from '../../../src/os/child.js'
import {systemClock} from '../../../src/os/clock.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import {run, type Argv, type Run} from '../../../src/os/process.js'
import type {ForwardPath} from '../../../src/plan/action.js'
import {suite, type T} from '../../support/suite.js'

/* The rules as the real tc and ip make them, and as they show them, in a network namespace of its own. */
const test = suite('contract: forwarding')

const path: ForwardPath = {
  owner: 'web1/net0',
  cookie: '636f6c6f525400770010',
  tap: 'co525400770010',
  ifb: 'ci525400770010',
  feedTap: 'cf525400770010',
  vlanDevice: 'cv525400770010',
  nic: 'eth2',
  bridge: 'br0',
  vnetHdr: true,
}

for (const role of ['primary', 'secondary'] as const) {
  test(`${role}: up, up again, down; what was there before is there after`, async (t) => {
    const {forwarding, within} = await scratch(t)
    const before = await dump(within)
    const wish = wishOf(path, {role, mirror: role === 'primary', uid: 65_534})
    assert.equal(await forwarding.present([wish]), true)
    const seen = await forwarding.observe()
    assert.equal(seen.rules.length, wish.rules.length)
    assert.equal(await forwarding.present([wish]), false, 'nothing to do the second time')
    assert.equal(await forwarding.absent([path]), true)
    assert.equal(await dump(within), before)
    assert.equal(await forwarding.absent([path]), false)
  })
}

test('a foreign filter is named and left', async (t) => {
  const {forwarding, within} = await scratch(t)
  await within(['tc', 'qdisc', 'add', 'dev', 'eth2', 'clsact'])
  await within(
    'tc filter add dev eth2 ingress protocol ip prio 7 u32 match u32 0 0 action mirred egress redirect dev lo'.split(
      ' ',
    ) as unknown as Argv,
  )
  const before = await dump(within)
  const wish = wishOf(path, {role: 'secondary', mirror: false, uid: 0})
  await assert.rejects(
    forwarding.present([wish]),
    /eth2 ingress has a filter \(protocol ip pref 7 u32 redirect to lo\)/,
  )
  assert.equal(await dump(within), before)
})

test('a promoted side is released by processes that wait for it, and by plain ones when those are gone', async (t) => {
  const {forwarding, within, started} = await scratch(t)
  await forwarding.present([wishOf(path, {role: 'secondary', mirror: false, uid: 0})])
  forwarding.hold()
  const before = started()
  await forwarding.release([path])
  assert.equal(started(), before, 'nothing was started')
  assert.match((await within(['ip', 'link', 'show', path.tap])).stdout, /master br0/)
  assert.doesNotMatch((await within(['tc', 'filter', 'show', 'dev', path.tap, 'ingress'])).stdout, /mirred/)
  await forwarding.release([path]) // safe to run again

  await within(['ip', 'link', 'set', path.tap, 'nomaster'])
  await forwarding.present([wishOf(path, {role: 'secondary', mirror: false, uid: 0})])
  forwarding.close()
  await forwarding.release([path])
  assert.ok(started() > before)
  assert.match((await within(['ip', 'link', 'show', path.tap])).stdout, /master br0/)
  assert.doesNotMatch((await within(['tc', 'filter', 'show', 'dev', path.tap, 'ingress'])).stdout, /mirred/)
})

/** A namespace with a forward NIC, a guest's tap and a bridge; gone with the test. */
async function scratch(t: T): Promise<{forwarding: Forwarding; within: Run; started: () => number}> {
  const name = `colo-contract-${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  await run(['ip', 'netns', 'add', name])
  t.defer(() => run(['ip', 'netns', 'del', name]))
  const root = await mkdtemp(join(tmpdir(), 'colo-forward-'))
  t.defer(() => rm(root, {recursive: true, force: true}))
  const within: Run = (argv, options) => run(['ip', 'netns', 'exec', name, ...argv], options)
  let calls = 0
  const counted: Run = (argv, options) => (calls++, within(argv, options))
  const start = (argv: Argv) => startChild(['ip', 'netns', 'exec', name, ...argv])
  const held = {
    tc: new HeldTool('tc', {start, clock: systemClock, answerMs: 30_000}),
    ip: new HeldTool('ip', {start, clock: systemClock, answerMs: 30_000}),
  }
  const forwarding = new Forwarding({run: counted, files: nodeFiles, root, held})
  t.defer(() => {
    forwarding.close()
  })
  await within(['ip', 'link', 'add', 'eth2', 'type', 'veth', 'peer', 'name', 'eth3'])
  await within(['ip', 'tuntap', 'add', 'dev', path.tap, 'mode', 'tap'])
  await within(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
  // a device that was never up has no queueing discipline yet, and keeps the one it gets
  for (const device of ['eth3', 'eth2', path.tap]) await within(['ip', 'link', 'set', device, 'up'])
  await within(['ip', 'link', 'set', 'eth2', 'down'])
  // the files of /proc and /sys are those of the machine: a NIC of that name need not be there
  return {forwarding, within, started: () => calls}
}

async function dump(within: Run): Promise<string> {
  const texts = await Promise.all([
    within(['ip', '-json', '-details', 'link', 'show', 'eth2']),
    within(['ip', '-json', 'link', 'show']),
    within(['tc', '-json', 'qdisc', 'show']),
  ])
  return texts.map(({stdout}) => stdout).join('\n')
}

test.run()

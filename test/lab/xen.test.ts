import * as assert from 'uvu/assert'

import {xenPrimaryDown, xenPrimaryUp, xenSecondaryDown, xenSecondaryUp} from '../../src/net/forward/xen.js'
import {coloArgsOf, primaryDeviceModelArgs} from '../../src/xen/device-model.js'
import {receiverArgv, remusArgv} from '../../src/xen/remus.js'
import {firstGeneration} from '../../src/pair/generation.js'
import {planXenCreate} from '../../src/plan/xen/create.js'
import type {Step} from '../../src/plan/plan.js'
import {suite} from '../support/suite.js'
import {coloPair, configCases, configOf, xenIdentity} from '../support/xen/config-cases.js'
import {bootDom0, type Dom0, type XenHost} from '../support/xen/dom0.js'

/*
 * A real Xen 4.17 of Debian 12 under an emulated processor; in its dom0 two hosts, each with sshd, agent and records of its own. Domains they
 * share, so xa's `xrem` and xb's `xrem--incoming` stand side by side in one list. One boot serves all tests, in this order.
 */
const test = suite('Xen, in a real dom0')

/** Everything here is emulated, and other tests run beside it. */
const longMs = 600_000
/** Of a wait for one thing that takes seconds on an idle machine. */
const waitMs = 240_000
let dom0: Dom0

/** A guest that counts on its console. Checkpoints are far apart: each costs the emulated processor a second. */
const remusPair = `apiVersion: colo/v1
kind: Pair
name: xrem
engine: xen
mode: checkpoint
hosts: {primary: xa, secondary: xb}
vm: {memory: 96MiB, type: pvh, kernel: {image: /xen/vmlinuz, initrd: /xen/guest.img, cmdline: 'console=hvc0 mitigations=off quiet'}}
checkpoint: {interval: 3s}
`

test(
  'boots, and both hosts say what they can run',
  async () => {
    dom0 = await bootDom0()
    const result = JSON.parse((await dom0.colo(['xen', 'check', 'xa', 'xb', '--json'])).stdout) as {
      verdict: string
      checks: ReadonlyArray<{id: string; host?: string; verdict: string; message: string}>
    }
    assert.is(result.verdict, 'warn')
    for (const host of ['xa', 'xb']) {
      const verdicts = Object.fromEntries(
        result.checks.filter((check) => check.host === host).map(({id, verdict}) => [id, verdict]),
      )
      assert.equal(verdicts, {
        xen: 'pass',
        'xen-hvm': 'pass',
        'xen-remus': 'pass',
        'xen-buffering': 'warn',
        'xen-colo': 'warn',
        'xen-kernel-proxy': 'warn',
      })
    }
    const colo = result.checks.find(({id}) => id === 'xen-colo')
    assert.match(colo?.message ?? '', /built without libnl.*lacks .*xen-set-replication.*replication/)
  },
  longMs,
)

test(
  'every configuration is accepted or refused by the real xl as the cases say',
  async () => {
    const names = Object.keys(configCases)
    names.forEach((name, index) => dom0.share(`case-${index}.cfg`, configCases[name]?.text ?? ''))
    const script = `n=0; while [ $n -lt ${names.length} ]; do
      xl create -n /opt/start/case-$n.cfg >/dev/null 2>/run/said; rc=$? said=0
      while read -r line; do case $line in 'Parsing config from'*) ;; *) said=1 ;; esac; done </run/said
      echo "$n $rc $said"; n=$((n + 1)); done`
    const lines = (await dom0.sh(script)).trim().split('\n')
    const verdicts = lines.map((line) => {
      const [index, status, said] = line.split(' ').map(Number)
      return [names[index ?? -1], status === 0 && said === 0 ? 'accepts' : 'refuses']
    })
    assert.equal(
      verdicts,
      names.map((name) => [name, configCases[name]?.xl]),
    )
  },
  longMs,
)

test(
  "Xen's own script for the kernel proxy and our rules make the same of a real kernel, and each takes away what the other made",
  async () => {
    const by = (vif: string, forward: string): {vif: string; forward: string; bridge: string} => ({
      vif,
      forward,
      bridge: 'br0',
    })
    const [theirs, ours] = [by('vifa', 'nica'), by('vifb', 'nicb')]
    const script = (mode: string, command: string, {vif, forward, bridge}: typeof ours): string =>
      `vifname=${vif} forwarddev=${forward} mode=${mode} index=1 bridge=${bridge} XENBUS_PATH=/colo-test /etc/xen/scripts/colo-proxy-setup ${command}`
    const lines = (argvs: ReadonlyArray<readonly string[]>): string => argvs.map((argv) => argv.join(' ')).join('\n')
    const look = ({vif}: typeof ours): string =>
      `echo ==; tc qdisc show dev ${vif}; tc filter show dev ${vif} parent 1: ; ip -o link show master colobr0 up | cut -d ' ' -f 2; ip -o link show dev colobr0 up | cut -d ' ' -f 2`
    const file = dom0.share(
      'rules.sh',
      [
        'for f in iptables ip6tables arptables modprobe rmmod; do eval "$f() { :; }"; export -f $f; done',
        'for d in vifa nica vifb nicb; do ip link add $d type dummy; ip link set $d up; done',
        'ip link set vifa master br0; ip link set vifb master br0',
        ...[script('primary', 'setup', theirs), look(theirs), lines(xenPrimaryUp(ours)), look(ours)],
        ...[lines(xenPrimaryDown(theirs)), look(theirs), script('primary', 'teardown', ours), look(ours)],
        ...[script('secondary', 'setup', theirs), look(theirs), lines(xenSecondaryDown(theirs)), look(theirs)],
        ...[lines(xenSecondaryUp(ours)), look(ours), script('secondary', 'teardown', ours), look(ours)],
        'for d in vifa nica vifb nicb; do ip link del $d; done',
      ].join('\n'),
    )
    const said = await dom0.sh(`bash ${file} 2>/dev/null; true`)
    const [, primary, ourPrimary, down, ourDown, secondary, secondaryDown, ourSecondary, ourSecondaryDown] = said
      .replace(/(vif|nic)[ab]/g, '$1')
      .replace(/\s(index|ref|bind) \d+/g, '')
      .split('==\n')
      .map((each) => each.trim())
    assert.match(primary ?? '', /qdisc prio 1: root[^]*mirred \(Egress Mirror to device nic\)/)
    assert.is(ourPrimary, primary)
    assert.not.match(down ?? '', /prio|mirred/)
    assert.is(ourDown, down)
    assert.match(secondary ?? '', /vif:[^]*nic:[^]*colobr0:|nic:[^]*vif:[^]*colobr0:/)
    assert.is(ourSecondary, secondary)
    assert.not.match(secondaryDown ?? '', /colobr0/)
    assert.is(ourSecondaryDown, secondaryDown)
  },
  longMs,
)

/** What `colo pair create` would do for the COLO pair, but for the guest, which stays paused; its own checks refuse it on this build. */
const colo = xenIdentity(coloPair)
const coloSteps = planXenCreate({
  planId: 'by-hand',
  identity: colo,
  generation: firstGeneration('gen-1'),
  config: configOf(coloPair),
  buffering: false,
  nowMs: 0,
}).steps.map((step): Step => ({
  ...step,
  actions: step.actions.filter((action) => action.kind !== 'xen-run' || action.state !== 'running'),
}))

test(
  'an HVM guest made with the COLO options: its QEMU has every filter, socket and disk that it should',
  async () => {
    await dom0.sh('mkdir -p /var/lib/colo/images && truncate -s 1M /var/lib/colo/images/xweb.raw')
    await runSteps('xa', ['xa/record', 'xa/domain'])
    await runSteps('xb', ['xb/record'])
    const read =
      'cat /proc/$(xenstore-read /local/domain/$(xl domid xweb)/image/device-model-pid)/cmdline | tr "\\0" "\\n"'
    const cmdline = (await dom0.sh(read)).split('\n').join('\0')
    assert.equal(coloArgsOf(cmdline), primaryDeviceModelArgs(colo, {primary: 'xa', secondary: 'xb'}))
  },
  longMs,
)

test(
  'the commands that the real xl asks the other host for are those that the relay there lets pass',
  async () => {
    const recorder = dom0.share('recorder', '#!/bin/sh\nprintf "%s " "$@"\necho\nexit 3\n')
    await dom0.sh(`cp ${recorder} /run/recorder && chmod 755 /run/recorder`)
    const modes = [
      {mode: 'checkpoint', proxy: 'none'},
      {mode: 'colo', proxy: 'userspace'},
      {mode: 'colo', proxy: 'kernel'},
    ] as const
    for (const each of modes) {
      const argv = remusArgv({
        domain: 'xweb',
        intervalMs: 500,
        buffering: false,
        transport: '/run/asked',
        peer: 'xb',
        ...each,
      })
      const asked = `printf '#!/bin/sh\\n/run/recorder "$@" >/run/recorded\\nexit 3\\n' >/run/asked; chmod 755 /run/asked; rm -f /run/recorded`
      const said = await dom0.sh(`${asked}; ${argv.join(' ')} >/dev/null 2>&1; cat /run/recorded`)
      assert.equal(said.trim().split(' '), ['xb', ...receiverArgv(each)])
    }
  },
  longMs,
)

test(
  '`xl remus -c` is refused by this build, and colo says why; destroy leaves nothing',
  async () => {
    await runSteps('xb', ['xb/receive'])
    const refused = await runSteps('xa', ['xa/protect']).then(
      () => runSteps('xb', ['xb/checkpoint']).then(() => '', messageOf),
      messageOf,
    )
    assert.match(refused, /this libxenlight was built without COLO/)
    await dom0.colo(['pair', 'destroy', 'xweb', '--yes'])
    assert.equal(await domains(), [])
  },
  longMs,
)

test(
  'Remus: created to protected, and checkpoints go on',
  async () => {
    const spec = dom0.file('xrem.yaml', remusPair)
    await dom0.colo(['pair', 'create', '-f', spec])
    const first = await status()
    assert.is(first.state, 'protected')
    const {count} = first.checkpoints
    await until(
      'another checkpoint',
      async () => (JSON.parse(await receiver()) as {checkpoints: number}).checkpoints > count,
    )
    assert.equal(await domains(), ['xrem', 'xrem--incoming'])
    assert.match(await consoleOf('xrem'), /GUEST UP/)
  },
  longMs,
)

test(
  "S2: the primary's xl is killed, and no second copy runs before the grant; then it goes on where the other stopped",
  async () => {
    const before = await lastTick('xrem')
    // the agent noted the shell that started it
    const shell = `$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' /run/colo/pairs/xrem/xen/remus.json)`
    await dom0.sh(`kill -9 $(pgrep -x xl -P ${shell})`)
    await until('the receiver to hold', async () => (await receiver()).includes('"held"'))
    // left to itself it would take over within a second
    const looks = await dom0.sh('for look in 1 2 3 4 5; do sleep 1; xl list xrem--incoming | tail -n 1; done')
    assert.equal(
      looks
        .trim()
        .split('\n')
        .map((row) => / --p--- /.test(row)),
      Array(5).fill(true),
    )
    assert.is(await consoleOf('xrem--incoming'), '')
    const cut = await status()
    assert.is(cut.state, 'suspect')
    assert.ok(cut.reasons.some(({code}) => code === 'stream-broken'))

    await dom0.colo(['pair', 'failover', 'xrem', '--to', 'xb', '--yes'])
    await until('the guest to count on', async () => (await lastTick('xrem--incoming')) > before)
    const all = await consoleOf('xrem--incoming')
    assert.not.match(all, /GUEST UP/)
    const after = await status()
    assert.is(after.state, 'unprotected')
    assert.equal(Object.fromEntries(after.members.map(({host, role}) => [host, role])), {
      xa: 'secondary',
      xb: 'primary',
    })
    assert.equal(await domains(), ['xrem'])
  },
  longMs,
)

test(
  'resync after the takeover: protected again, the other way round',
  async () => {
    await dom0.colo(['pair', 'resync', 'xrem']) // fails unless it is protected then
    assert.equal(await domains(), ['xrem', 'xrem--incoming'])
  },
  longMs,
)

test(
  'stop ends the protection, then the guest powers off; start boots it again; destroy leaves nothing',
  async () => {
    await dom0.colo(['pair', 'stop', 'xrem'])
    assert.is((await status()).state, 'stopped')
    assert.equal(await domains(), [])
    await dom0.colo(['pair', 'start', 'xrem'])
    assert.is((await status()).state, 'unprotected')
    await dom0.colo(['pair', 'destroy', 'xrem', '--yes'])
    assert.equal(await domains(), [])
    for (const host of ['xa', 'xb'] as const) {
      assert.is(
        await dom0.sh(
          'ls -A /run/colo/pairs; ls -A /var/lib/colo/pairs; nft list tables; pgrep -f "[x]en-relay|[x]l remus|[m]igrate-receive" || true',
          host,
        ),
        '',
      )
    }
  },
  longMs,
)

test('ends', () => {
  dom0.stop()
})

/** Steps of the plan for the COLO pair, run by a host's own agent as a command would. */
async function runSteps(host: XenHost, ids: readonly string[]): Promise<void> {
  const agent = await dom0.agent(host)
  try {
    const pair = colo.spec.name
    const steps = ids.map((id) => coloSteps.find((step) => step.id === id) ?? assert.unreachable(`no step ${id}`))
    await agent.call('lock.acquire', {pair, owner: 'test', purpose: 'test'})
    await agent.call('steps.run', {pair, steps: steps as Step[]})
  } finally {
    agent.close()
  }
}

interface Status {
  readonly state: string
  readonly reasons: ReadonlyArray<{readonly code: string}>
  readonly members: ReadonlyArray<{readonly host: string; readonly role: string}>
  readonly checkpoints: {readonly count: number}
}

/** 0 protected, 10 not, 11 in doubt: all of them are answers. */
async function status(): Promise<Status> {
  const {stdout} = await dom0.colo(['pair', 'status', 'xrem', '--json'], {statuses: [0, 10, 11]})
  return JSON.parse(stdout) as Status
}

/** What xb's side of the relay says of itself. */
function receiver(): Promise<string> {
  return dom0.sh('cat /run/colo/pairs/xrem/xen/receiver.json', 'xb')
}

/** Names of what Xen runs besides dom0. */
async function domains(): Promise<string[]> {
  const rows = (await dom0.sh('xl list')).trim().split('\n').slice(2)
  return rows.map((row) => row.split(/\s+/)[0] ?? '').sort()
}

/** What the guest wrote, under the name its domain was made with. */
function consoleOf(name: string): Promise<string> {
  return dom0.sh(`cat /var/log/xen/console/guest-${name}.log 2>/dev/null || true`)
}

async function lastTick(name: string): Promise<number> {
  return Number([...(await consoleOf(name)).matchAll(/GUEST tick (\d+)/g)].at(-1)?.[1] ?? 0)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + waitMs
  while (!(await done())) {
    if (performance.now() > endMs) throw new Error(`waited ${waitMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2000)) // a look costs the emulated processor most of a second
  }
}

test.run()

import assert from 'node:assert/strict'
import {identityOf} from '../../../src/pair/identity.js'
import type {Action} from '../../../src/plan/action.js'
import {planCreate} from '../../../src/plan/create.js'
import {describeAction, describePlan} from '../../../src/plan/describe.js'
import {planDestroy} from '../../../src/plan/destroy.js'
import {planFailover} from '../../../src/plan/failover.js'
import {planStartBoth} from '../../../src/plan/start-both.js'
import {planStop} from '../../../src/plan/stop.js'
import {assertGolden} from '../../support/golden.js'
import {recordOf, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('plan/describe')

const identity = identityOf(recordOf('primary'))
const generation = {epoch: 2, id: 'gen-2', ancestors: ['gen-1']}
const xml = (role: string, host: string): string => `<domain>\n  <!-- ${role} on ${host} -->\n</domain>\n`

test('create, as a person could do it', () => {
  const plan = planCreate({planId: 'p', identity, generation, xml, freshSecondaryImages: true, nowMs: 0})
  assertGolden(new URL('../../golden/plan/describe-create.txt', import.meta.url), describePlan(plan))
})

test('failover to the secondary, as a person could do it', () => {
  const plan = planFailover({
    planId: 'p',
    identity,
    to: 'beta',
    from: 'alpha',
    role: 'secondary',
    generation,
    loserReachable: true,
    planned: {otherwise: generation},
  })
  assertGolden(new URL('../../golden/plan/describe-failover.txt', import.meta.url), describePlan(plan))
})

const forwarded = identityOf(
  recordOf('primary', {
    spec: specOf({
      nics: specOf().nics.map((nic, index) => ({
        ...nic,
        forward:
          index === 0
            ? {via: 'tc', nic: {byHost: {alpha: 'eth2', beta: 'eth5'}}}
            : {via: 'tc', nic: {same: 'eth3'}, vlan: 101},
      })),
    }),
  }),
)

test('with kernel forwarding: create, failover and destroy, as a person could do it', () => {
  const at = {planId: 'p', identity: forwarded}
  const plans = {
    create: planCreate({...at, generation, xml, freshSecondaryImages: true, nowMs: 0}),
    failover: planFailover({
      ...at,
      to: 'beta',
      from: 'alpha',
      role: 'secondary',
      generation,
      loserReachable: true,
    }),
    'failover-to-primary': planFailover({
      ...at,
      to: 'alpha',
      from: 'beta',
      role: 'primary',
      generation,
      loserReachable: false,
    }),
    destroy: planDestroy({...at, keep: 'alpha', hosts: ['alpha', 'beta'], deleteCopies: false}),
  }
  for (const [name, plan] of Object.entries(plans)) {
    assertGolden(new URL(`../../golden/plan/describe-tc-${name}.txt`, import.meta.url), describePlan(plan))
  }
})

test('start of two equal copies, as a person could do it', () => {
  const plan = planStartBoth({
    planId: 'p',
    identity,
    primary: 'beta',
    secondary: 'alpha',
    generation,
    leftOver: true,
    xml,
  })
  assertGolden(new URL('../../golden/plan/describe-start-both.txt', import.meta.url), describePlan(plan))
})

test('stop of a protected pair, as a person could do it', () => {
  const between = {planId: 'p', identity, primary: 'alpha', secondary: 'beta', guestMs: 120_000}
  const plan = planStop({...between, primaryStopped: false, powerCut: false})
  assertGolden(new URL('../../golden/plan/describe-stop.txt', import.meta.url), describePlan(plan))
  const cut = planStop({...between, primaryStopped: false, powerCut: true})
  assert.deepEqual(
    cut.steps.map(({id}) => id),
    ['alpha/off', 'beta/follow', 'beta/tidy', 'alpha/tidy'],
  )
  const rest = planStop({...between, primaryStopped: true, powerCut: false})
  assert.deepEqual(
    rest.steps.map(({id}) => id),
    ['beta/follow', 'beta/tidy', 'alpha/tidy'],
  )
  assert.equal(rest.pointOfNoReturn, undefined)
})

const cases: ReadonlyArray<readonly [Action, readonly string[]]> = [
  [{kind: 'tap', tap: 'tap0', state: 'down'}, ['ip link set dev tap0 down']],
  [{kind: 'file-remove', path: "/run/it's"}, ["rm -f '/run/it'\\''s'"]],
  [{kind: 'vm-continue'}, ['agent.qmp {"execute":"cont"}']],
  [
    {kind: 'yank', instances: [{type: 'migration'}]},
    ['yank.qmp {"exec-oob":"yank","arguments":{"instances":[{"type":"migration"}]}}'],
  ],
  [
    {kind: 'vm-await', states: ['running'], timeoutMs: 1500},
    ['# wait until the run state is running (at most 1500 ms)'],
  ],
  [{kind: 'checkpoint-await', timeoutMs: 12 * 3600_000}, ['# wait for a complete checkpoint (at most 12 h)']],
  [
    {kind: 'firewall', ensure: 'absent', table: 'colo-web1'},
    ["nft -f - <<'END'", 'table inet colo-web1', 'delete table inet colo-web1', 'END'],
  ],
  [
    {kind: 'image-create', path: '/s/a.active.qcow2', format: 'qcow2', sizeBytes: 512, existing: 'replace'},
    [
      'rm -f /s/a.active.qcow2',
      'qemu-img create -q -f qcow2 /s/a.active.qcow2 512',
      'chown QEMU-USER:QEMU-GROUP /s/a.active.qcow2',
      'chmod 0600 /s/a.active.qcow2',
    ],
  ],
  [{kind: 'record-change', change: {alone: true, marks: {}}}, ['# record: alone=true, marks=none']],
  [
    {kind: 'object-set', id: 'c', property: 'p', value: 1},
    ['agent.qmp {"execute":"qom-set","arguments":{"path":"/objects/c","property":"p","value":1}}'],
  ],
]
for (const [action, lines] of cases) {
  test(`${action.kind} is ${lines[0] ?? ''}`, () => {
    assert.deepEqual(describeAction(action), lines)
  })
}

test('an old QEMU gets its own options', () => {
  const qemu = {major: 7, minor: 2, micro: 22}
  const client = {type: 'tcp-client', address: '10.88.0.1', port: 9103} as const
  const chardev = describeAction({kind: 'chardev', ensure: 'present', id: 'c', backend: client}, {qemu})
  assert.match(chardev.join('\n'), /"reconnect":1\b/)
  const migrate = {
    kind: 'migrate',
    address: '10.88.0.2',
    port: 9101,
    intervalMs: 1000,
    filtersOn: ['f'],
    timeoutMs: 1000,
  }
  const lines = describeAction(migrate as Action, {qemu})
  assert.ok(!lines.some((line) => line.includes('migrate-continue')))
})

test('every line is a command, a here-document or a remark', () => {
  const plan = planCreate({planId: 'p', identity, generation, xml, freshSecondaryImages: true, nowMs: 0})
  let inside = false
  for (const line of describePlan(plan).split('\n')) {
    if (line === 'END') inside = false
    else if (!inside && line !== '')
      assert.match(line, /^(#|agent\.qmp \{|yank\.qmp \{|(install|chown|chmod|virsh|nft|qemu-img|rm|ip) )/)
    if (line.endsWith("<<'END'")) inside = !line.startsWith('#')
  }
})

test.run()

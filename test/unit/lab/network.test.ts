import {strict as assert} from 'node:assert'

import {cableOf, cablesOf, labHosts, namespaces} from '../../../src/lab/layout.js'
import {planCut, planHeal} from '../../../src/lab/links.js'
import {hostLines, planNetwork} from '../../../src/lab/network.js'
import {suite} from '../../support/suite.js'

const test = suite('lab/network')

const linesOf = (observed: Parameters<typeof planNetwork>[0]): string[] =>
  planNetwork(observed).flatMap(({namespace, lines}) => lines.map((line) => `${namespace ?? '-'}: ${line}`))

test('from nothing every cable is made once', () => {
  const made = linesOf(new Map()).filter((line) => line.includes('type veth'))
  // per host management, replication, lan0, lan1; two forward links; two client cables; one to the machine
  assert.equal(made.length, 3 * 4 + 2 + 2 + 1)
})

test('bridges run no spanning tree and forward at once', () => {
  for (const line of linesOf(new Map()).filter((text) => text.includes('type bridge'))) {
    assert.match(line, /stp_state 0 forward_delay 0/)
  }
})

test('on a whole network nothing is made', () => {
  const observed = new Map<string, Set<string>>()
  const see = (namespace: string, device: string): void => {
    observed.set(namespace, (observed.get(namespace) ?? new Set()).add(device))
  }
  for (const {near, far} of labHosts.flatMap(cablesOf)) for (const end of [near, far]) see(end.namespace, end.device)
  for (const host of labHosts) for (const bridge of ['br0', 'br1']) see(namespaces.host(host), bridge)
  for (const [namespace, device] of [
    [namespaces.management, 'br0'],
    [namespaces.management, 'outer'],
    [namespaces.replication, 'br0'],
    [namespaces.lan, 'br0'],
    [namespaces.lan, 'br1'],
    [namespaces.client, 'eth0'],
    [namespaces.client, 'eth1'],
  ] as const)
    see(namespace, device)
  assert.deepEqual(
    linesOf(observed).filter((line) => line.includes('link add')),
    [],
  )
})

test('a host gets its addresses and ports, forward links no address', () => {
  const lines = hostLines('beta')
  assert.ok(lines.includes('addr replace 10.88.0.2/24 dev repl0'))
  assert.ok(lines.includes('link set up1 master br1'))
  assert.ok(!lines.some((line) => line.startsWith('addr') && line.includes('fwd')))
})

const cable = (link: Parameters<typeof cableOf>[1]): NonNullable<ReturnType<typeof cableOf>> => {
  const found = cableOf('alpha', link)
  assert.ok(found)
  return found
}

test('a plain cut pulls the far end, on a direct cable the near one', () => {
  assert.deepEqual(planCut(cable('lan0'), {}), {
    kind: 'ip',
    batch: {namespace: 'colo-lan', lines: ['link set alpha0 down']},
  })
  assert.deepEqual(planCut(cable('fwd1'), {}), {
    kind: 'ip',
    batch: {namespace: 'colo-alpha', lines: ['link set fwd1 down']},
  })
})

test('keeping the carrier takes the port out of its bridge', () => {
  const action = planCut(cable('replication'), {keepCarrier: true})
  assert.deepEqual(action, {kind: 'ip', batch: {namespace: 'colo-repl', lines: ['link set alpha nomaster']}})
})

test('in and out are seen from the host', () => {
  const rules = (direction: 'in' | 'out'): string => {
    const action = planCut(cable('management'), {direction})
    return action.kind === 'nft' ? action.rules : ''
  }
  assert.match(rules('in'), /oifname "alpha" drop/)
  assert.match(rules('out'), /iifname "alpha" drop/)
})

test('a direct cable has no switch to lose frames in', () => {
  assert.throws(() => planCut(cable('fwd0'), {keepCarrier: true}), /direct cable/)
})

test('healing undoes every kind of cut', () => {
  const text = JSON.stringify(planHeal(cable('lan1')))
  for (const part of [
    'delete table bridge cut_alpha_lan1_in',
    'delete table bridge cut_alpha_lan1_out',
    'master br1',
    'up1 up',
    'alpha1 up',
  ]) {
    assert.ok(text.includes(part), part)
  }
})

test.run()

import assert from 'node:assert/strict'
import {DecodeError, UsageError} from '../../../src/errors.js'
import {firewallRuleset, readFirewall, sameFirewall} from '../../../src/net/firewall.js'
import {parseNftTable, tableRemoval} from '../../../src/net/nft-list.js'
import {deviceInText, dropsAll, readTapFilter, tapFilterRuleset} from '../../../src/net/tap-filter.js'
import {suite} from '../../support/suite.js'

const test = suite('net/nft')
const rule = {address: '10.88.0.1', peer: '10.88.0.2', ports: [9102, 9101, 9102]}

test('firewall: the table is replaced in one transaction', () => {
  assert.equal(
    firewallRuleset('colo-web1', rule),
    `table inet colo-web1
delete table inet colo-web1
table inet colo-web1 {
  chain input {
    type filter hook input priority -10; policy accept;
    ip daddr 10.88.0.1 ip saddr != 10.88.0.2 tcp dport { 9101, 9102 } drop
  }
}
`,
  )
  assert.match(
    firewallRuleset('colo-web1', {...rule, address: 'fd00::1', peer: 'fd00::2'}),
    /ip6 daddr fd00::1 ip6 saddr/,
  )
})

test('tap filter: what is not compared is dropped', () => {
  assert.equal(
    tapFilterRuleset('colo-tap0', 'tap0'),
    `table netdev colo-tap0
delete table netdev colo-tap0
table netdev colo-tap0 {
  chain ingress {
    type filter hook ingress device "tap0" priority -500; policy accept;
    meta protocol ip6 drop
    ether type 0x8100 drop
    ether type 0x88a8 drop
    ip frag-off & 0x3fff != 0 drop
  }
}
`,
  )
})

const bad = [
  () => tableRemoval('inet', 'filter'),
  () => tableRemoval('inet', 'colo-a b'),
  () => tableRemoval('inet', 'colo-a;flush ruleset'),
  () => tapFilterRuleset('colo-x', 'tap0" priority 0; } flush ruleset'),
  () => tapFilterRuleset('colo-x', 'a-name-that-is-too-long'),
  () => firewallRuleset('colo-x', {...rule, address: '0.0.0.0/0'}),
  () => firewallRuleset('colo-x', {...rule, peer: 'fd00::2'}),
  () => firewallRuleset('colo-x', {...rule, ports: []}),
  () => firewallRuleset('colo-x', {...rule, ports: [1.5]}),
]
for (const [index, build] of bad.entries()) {
  test(`bad input ${index} is refused`, () => {
    assert.throws(build, UsageError)
  })
}

const match = (op: string, left: unknown, right: unknown) => ({match: {op, left, right}})
const payload = (protocol: string, field: string) => ({payload: {protocol, field}})
const listing = (chain: object, ...rules: ReadonlyArray<readonly unknown[]>) =>
  parseNftTable(
    JSON.stringify({
      nftables: [
        {metainfo: {version: '1.0.6'}},
        {table: {family: 'inet', name: 'x', handle: 6}},
        {chain: {family: 'inet', table: 'x', name: 'c', handle: 1, type: 'filter', policy: 'accept', ...chain}},
        ...rules.map((expr) => ({rule: {family: 'inet', table: 'x', chain: 'c', handle: 3, expr}})),
      ],
    }),
  )
const input = {hook: 'input', prio: -10}

test('firewall: read back, with a set and with a single port', () => {
  const read = (ports: unknown) =>
    readFirewall(
      listing(input, [
        match('==', payload('ip', 'daddr'), '10.88.0.1'),
        match('!=', payload('ip', 'saddr'), '10.88.0.2'),
        match('==', payload('tcp', 'dport'), ports),
        {drop: null},
      ]),
    )
  assert.deepEqual(read({set: [9101, 9102]}), {address: '10.88.0.1', peer: '10.88.0.2', ports: [9101, 9102]})
  assert.deepEqual(read(9101)?.ports, [9101])
  assert.equal(read({set: [{range: [1, 2]}]}), undefined)
})

test('firewall: anything else in the table is not ours', () => {
  const ours = [
    match('==', payload('ip', 'daddr'), '10.88.0.1'),
    match('!=', payload('ip', 'saddr'), '10.88.0.2'),
    match('==', payload('tcp', 'dport'), 9101),
    {drop: null},
  ]
  assert.ok(readFirewall(listing(input, ours)))
  assert.equal(readFirewall(listing(input)), undefined)
  assert.equal(readFirewall(listing(input, ours, [{accept: null}])), undefined)
  assert.equal(readFirewall(listing(input, [...ours.slice(0, 3), {accept: null}])), undefined)
  assert.equal(
    readFirewall(listing(input, [ours[0], match('==', payload('ip', 'saddr'), 'x'), ours[2], ours[3]])),
    undefined,
  )
  assert.equal(readFirewall(listing({...input, hook: 'output'}, ours)), undefined)
})

test('firewall: the same in another order and spelling is the same', () => {
  assert.ok(sameFirewall(rule, {...rule, ports: [9101, 9102]}))
  assert.ok(!sameFirewall(rule, {...rule, ports: [9101]}))
  assert.ok(!sameFirewall(rule, {...rule, peer: '10.88.0.3'}))
  const six = {address: 'fd00::1', peer: 'fd00::2', ports: [1]}
  assert.ok(sameFirewall(six, {...six, address: 'fd00:0:0:0:0:0:0:1'}))
})

test('tap filter: read back whatever nft calls the EtherTypes', () => {
  const fragment = match('!=', {'&': [payload('ip', 'frag-off'), 16_383]}, 0)
  for (const [vlan, service] of [
    ['8021q', '8021ad'],
    ['vlan', '8021ad'],
    [0x8100, 0x88a8],
  ]) {
    const drops = readTapFilter(
      listing(
        {hook: 'ingress'},
        [match('==', {meta: {key: 'protocol'}}, 'ip6'), {drop: null}],
        [match('==', payload('ether', 'type'), vlan), {drop: null}],
        [match('==', payload('ether', 'type'), service), {drop: null}],
        [fragment, {drop: null}],
      ),
    )
    assert.ok(dropsAll(drops))
  }
  const one = readTapFilter(listing({hook: 'ingress'}, [fragment, {drop: null}]))
  assert.deepEqual([[...(one ?? [])], dropsAll(one)], [['fragment'], false])
  assert.equal(
    readTapFilter(listing({hook: 'ingress'}, [match('==', payload('ether', 'type'), 'arp'), {drop: null}])),
    undefined,
  )
})

test('tap filter: the device is in the text', () => {
  assert.equal(deviceInText('  type filter hook ingress device "tap0" priority -500; policy accept;'), 'tap0')
  assert.equal(deviceInText('  type filter hook ingress priority -500; policy accept;'), undefined)
})

for (const text of [
  '',
  '[]',
  '{"nftables": 1}',
  '{"nftables": [{"rule": {"chain": "x"}}]}',
  '{"nftables": [{"chain": {}}]}',
]) {
  test(`${JSON.stringify(text)} is not what nft prints`, () => {
    assert.throws(() => parseNftTable(text), DecodeError)
  })
}

test.run()

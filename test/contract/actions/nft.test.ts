import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import {nftListArgv, parseNftTable} from '../../../src/net/nft-list.js'
import {run, type Run} from '../../../src/os/process.js'
import type {Action} from '../../../src/plan/action.js'
import {suite, type T} from '../../support/suite.js'
import {builds, contextOf} from './tools.js'

const test = suite('contract: nftables')
let lastNamespace = 0

/** Two network namespaces with a cable between them: `here` has the rules, `there` sends. */
async function cable(t: T): Promise<{here: Run; there: Run}> {
  const names = [0, 1].map(() => `colo-test-${process.pid}-${lastNamespace++}`)
  const [here = '', there = ''] = names
  for (const name of names) {
    await run(['ip', 'netns', 'add', name])
    t.defer(() => run(['ip', 'netns', 'del', name]))
  }
  await run(['ip', '-n', here, 'link', 'add', 'tap0', 'type', 'veth', 'peer', 'name', 'out0', 'netns', there])
  for (const [name, device, last] of [
    [here, 'tap0', 1],
    [there, 'out0', 2],
  ] as const) {
    await run(['ip', '-n', name, 'addr', 'add', `10.99.7.${last}/24`, 'dev', device])
    await run(['ip', '-n', name, 'addr', 'add', `fd99::${last}/64`, 'dev', device, 'nodad'])
    await run(['ip', '-n', name, 'link', 'set', device, 'up'])
    await run(['ip', '-n', name, 'link', 'set', 'lo', 'up'])
  }
  await run(['ip', '-n', there, 'addr', 'add', '10.99.7.3/24', 'dev', 'out0'])
  const inside =
    (name: string): Run =>
    (argv, options) =>
      run(['ip', 'netns', 'exec', name, ...argv], options)
  return {here: inside(here), there: inside(there)}
}

async function contextIn(t: T, here: Run) {
  const [build] = builds
  assert.ok(build)
  return {...(await contextOf(t, build)), run: here}
}

test('firewall: only the peer reaches these ports of that address', async (t) => {
  const {here, there} = await cable(t)
  const context = await contextIn(t, here)
  const action: Action = {
    kind: 'firewall',
    ensure: 'present',
    table: 'colo-web1',
    address: '10.99.7.1',
    peer: '10.99.7.2',
    ports: [9102, 9101],
  }
  assert.equal(await performAction(action, context), 'changed')
  assert.equal(await performAction(action, context), 'unchanged')
  // nobody listens: a packet that passes is answered with a reset at once, a dropped one never
  const reaches = async (from: string, port: number, to = '10.99.7.1'): Promise<boolean> => {
    const script = `import socket,sys
s=socket.socket(socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET); s.settimeout(1); s.bind((sys.argv[1],0))
try: s.connect((sys.argv[2],int(sys.argv[3])))
except ConnectionRefusedError: print('refused')
except (TimeoutError, socket.timeout): print('dropped')`
    return (await there(['python3', '-c', script, from, to, String(port)])).stdout.includes('refused')
  }
  assert.deepEqual(
    await Promise.all([
      reaches('10.99.7.2', 9101),
      reaches('10.99.7.2', 9102),
      reaches('10.99.7.3', 9101),
      reaches('10.99.7.3', 9102),
      reaches('10.99.7.3', 9103),
      reaches('fd99::2', 9101, 'fd99::1'),
    ]),
    [true, true, false, false, true, true],
  )
  assert.equal(await performAction({...action, peer: '10.99.7.3'}, context), 'changed')
  assert.deepEqual(await Promise.all([reaches('10.99.7.2', 9101), reaches('10.99.7.3', 9101)]), [false, true])
  const absent: Action = {kind: 'firewall', ensure: 'absent', table: 'colo-web1'}
  assert.equal(await performAction(absent, context), 'changed')
  assert.equal(await performAction(absent, context), 'unchanged')
  assert.ok(await reaches('10.99.7.2', 9101))
}, 30_000)

test('firewall: a table somebody changed is made anew; other tables stay', async (t) => {
  const {here} = await cable(t)
  const context = await contextIn(t, here)
  const action: Action = {
    kind: 'firewall',
    ensure: 'present',
    table: 'colo-web1',
    address: 'fd99::1',
    peer: 'fd99::2',
    ports: [9101],
  }
  await here(['nft', 'add', 'table', 'inet', 'mine'])
  await performAction(action, context)
  await here(['nft', 'add', 'rule', 'inet', 'colo-web1', 'input', 'accept'])
  assert.equal(await performAction(action, context), 'changed')
  assert.equal(await performAction(action, context), 'unchanged')
  await here(['nft', 'flush', 'chain', 'inet', 'colo-web1', 'input'])
  assert.equal(await performAction(action, context), 'changed')
  assert.match((await here(['nft', 'list', 'tables'])).stdout, /table inet mine/)
}, 30_000)

/** Sends one frame of each kind towards tap0. */
const sender = `import socket,struct
s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind(('out0',0))
eth=b'\\xff'*6+b'\\x02\\0\\0\\0\\0\\x01'
def ip4(frag,tag): 
  return struct.pack('>BBHHHBBH4s4s',0x45,0,28,7,frag,64,17,0,bytes([10,99,7,2]),bytes([10,99,7,1]))+tag.encode().ljust(8,b'.')
s.send(eth+b'\\x08\\0'+ip4(0,'plain'))
s.send(eth+b'\\x08\\0'+ip4(0x4000,'dontfr'))
s.send(eth+b'\\x08\\0'+ip4(0x2000,'first'))
s.send(eth+b'\\x08\\0'+ip4(0x0005,'later'))
s.send(eth+b'\\x08\\x06'+b'arp.....'.ljust(28,b'.'))
s.send(eth+b'\\x86\\xdd'+b'\\x60'+b'ipv6....'.ljust(47,b'.'))
s.send(eth+b'\\x81\\0\\0\\x07\\x08\\0'+ip4(0,'vlan'))
s.send(eth+b'\\x88\\xa8\\0\\x07\\x08\\0'+ip4(0,'qinq'))
s.send(eth+b'\\x81\\0\\0\\x07\\x86\\xdd'+b'\\x60'+b'vlan6...'.ljust(47,b'.'))
s.send(eth+b'\\x08\\0'+ip4(0,'theend'))
`
const words = ['plain', 'dontfr', 'first', 'later', 'arp.', 'ipv6', 'vlan.', 'qinq', 'vlan6']

/** Sits behind a bridge that tap0 is a port of: what it sees has passed the tap. */
const listener = `import socket,sys
s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3)); s.bind(('behind',0)); s.settimeout(5)
print('ready',flush=True)
seen=b''
while b'theend' not in seen:
  seen+=s.recv(2000)
print([w for w in sys.argv[1:] if w.encode() in seen])
`

async function passes(here: Run, there: Run): Promise<string> {
  const listening = here(['python3', '-c', listener, ...words], {timeoutMs: 8000})
  listening.catch(() => undefined)
  for (let tries = 0; tries < 5; tries++) {
    await there(['sh', '-c', 'sleep 0.3'])
    await there(['python3', '-c', sender])
  }
  return (await listening).stdout.split('\n')[1] ?? ''
}

test('tap filter: what the comparer does not compare does not leave the tap', async (t) => {
  const {here, there} = await cable(t)
  const context = await contextIn(t, here)
  for (const argv of [
    ['ip', 'link', 'add', 'br9', 'type', 'bridge'],
    ['ip', 'link', 'add', 'port9', 'type', 'veth', 'peer', 'name', 'behind'],
    ['ip', 'link', 'set', 'tap0', 'master', 'br9'],
    ['ip', 'link', 'set', 'port9', 'master', 'br9'],
    ...['br9', 'port9', 'behind'].map((device) => ['ip', 'link', 'set', device, 'up']),
    // where br_netfilter is loaded a bridge would drop our bare headers by itself; the switch belongs to the namespace
    ['sh', '-c', 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$f" ] || echo 0 > "$f"; done'],
  ]) {
    const [program = '', ...args] = argv
    await here([program, ...args])
  }
  assert.equal(
    await passes(here, there),
    "['plain', 'dontfr', 'first', 'later', 'arp.', 'ipv6', 'vlan.', 'qinq', 'vlan6']",
  )
  const action: Action = {kind: 'tap-filter', ensure: 'present', tap: 'tap0', table: 'colo-tap0'}
  assert.equal(await performAction(action, context), 'changed')
  assert.equal(await performAction(action, context), 'unchanged')
  assert.equal(await passes(here, there), "['plain', 'dontfr', 'arp.']")
  const absent: Action = {kind: 'tap-filter', ensure: 'absent', table: 'colo-tap0'}
  assert.equal(await performAction(absent, context), 'changed')
  assert.equal(await performAction(absent, context), 'unchanged')
  assert.match(await passes(here, there), /'ipv6'/)
}, 60_000)

test('tap filter: moved to another tap, it is made anew; a tap that does not exist is refused', async (t) => {
  const {here} = await cable(t)
  const context = await contextIn(t, here)
  await here(['ip', 'link', 'add', 'tap1', 'type', 'veth', 'peer', 'name', 'tap2'])
  const on = (tap: string): Action => ({kind: 'tap-filter', ensure: 'present', tap, table: 'colo-tap'})
  await performAction(on('tap0'), context)
  assert.equal(await performAction(on('tap1'), context), 'changed')
  assert.equal(await performAction(on('tap1'), context), 'unchanged')
  assert.equal(parseNftTable((await here(nftListArgv('netdev', 'colo-tap'))).stdout).rules.length, 4)
}, 30_000)

test.run()

import assert from 'node:assert/strict'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {assemble, op} from '../../../src/net/forward/bpf.js'
import {levellerObject, programSection} from '../../../src/net/forward/leveller.js'
import {bpfObject} from '../../../src/net/forward/object-file.js'
import {run, type Argv} from '../../../src/os/process.js'
import {suite, type T} from '../../support/suite.js'

/* The program as a real kernel takes it from a real tc, on frames that a real IP stack sends and another one takes. */
const test = suite('contract: leveller')
const near = '192.0.2.1'
const far = '192.0.2.2'
const payload = 'as it was'
/** an IPv4 header with twelve bytes of options, a UDP header, the payload */
const levelled = 20 + 12 + 8 + payload.length

for (const added of [0, 6]) {
  test(`a datagram in a frame with ${added} bytes too many: twelve bytes of options, true lengths and sums`, async (t) => {
    const {sender, receiver} = await hosts(t, added)
    const heard = run(within(receiver, [process.execPath, '-e', listener]), {timeoutMs: 60_000})
    await untilListens(receiver)
    await run(within(sender, ['bash', '-c', `printf '${payload}' >/dev/udp/${far}/9000`]))
    assert.equal((await heard).stdout, payload)
    const {stdout} = await run(within(receiver, ['nft', 'list', 'table', 'ip', 'seen']))
    assert.match(stdout, /0x0?1(01){11} counter packets 1 /, stdout)
    const frames = await run(within(receiver, ['nft', 'list', 'table', 'netdev', 'seen']))
    assert.match(frames.stdout, new RegExp(`meta length ${levelled} counter packets 1 `), frames.stdout)
  })
}

/** Prints the first datagram. */
const listener = `const s = require('node:dgram').createSocket('udp4')
s.on('message', (m) => { process.stdout.write(m); s.close() }); s.bind(9000, '${far}')`

/** Two namespaces; what one sends to the other goes through the program on its way, after `added` bytes were hung on. */
async function hosts(t: T, added: number): Promise<{sender: string; receiver: string}> {
  const mark = `${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  const [sender, receiver] = [`colo-level-a-${mark}`, `colo-level-b-${mark}`]
  for (const name of [sender, receiver]) {
    await run(['ip', 'netns', 'add', name])
    t.defer(() => run(['ip', 'netns', 'del', name]))
  }
  const directory = await mkdtemp(join(tmpdir(), 'colo-level-'))
  t.defer(() => rm(directory, {recursive: true, force: true}))
  const [leveller, lengthener] = [join(directory, 'level.o'), join(directory, 'longer.o')]
  await writeFile(leveller, levellerObject())
  await writeFile(lengthener, longer(added))
  // out of a0 by its routes, but through c0 by the rule
  const setUp: ReadonlyArray<readonly [string, string]> = [
    [sender, 'ip link add a0 type veth peer name a1'],
    [sender, `ip link add c0 type veth peer name d0 netns ${receiver}`],
    [sender, `ip addr add ${near}/24 dev a0`],
    [receiver, `ip addr add ${far}/24 dev d0`],
    [receiver, 'ip link set d0 address 02:00:00:00:00:02 up'],
    ...['a0', 'a1', 'c0'].map((name) => [sender, `ip link set ${name} up`] as const),
    [sender, `ip neigh add ${far} lladdr 02:00:00:00:00:02 dev a0`],
    [sender, 'tc qdisc add dev a0 clsact'],
    [sender, `tc filter add dev a0 egress protocol all prio 1 bpf object-file ${lengthener} section longer`],
    [
      sender,
      `tc filter add dev a0 egress protocol ip prio 2 bpf object-file ${leveller} section ${programSection} action mirred egress redirect dev c0`,
    ],
  ]
  for (const [host, line] of setUp) await run(within(host, line.split(' ') as unknown as Argv))
  const rules = `table ip seen { chain in { type filter hook prerouting priority 0; @nh,160,96 0x010101010101010101010101 counter; }; }
table netdev seen { chain in { type filter hook ingress device d0 priority 0; meta length ${levelled} counter; }; }`
  await run(within(receiver, ['nft', '-f', '-']), {input: rules})
  return {sender, receiver}
}

/** Hangs bytes on every frame, as a link with a shortest frame does, and lets it pass. */
function longer(bytes: number): Buffer {
  const code = assemble([
    op.load32(2, 1, 0),
    op.add(2, bytes),
    op.set(3, 0),
    op.call('changeTail'),
    op.set(0, 0),
    op.exit,
  ])
  return bpfObject({section: 'longer', code, license: 'GPL'})
}

async function untilListens(host: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const {stdout} = await run(within(host, ['cat', '/proc/net/udp']))
    if (stdout.includes(':2328 ')) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('nobody listens')
}

function within(host: string, argv: Argv): Argv {
  return ['ip', 'netns', 'exec', host, ...argv]
}

test.run()

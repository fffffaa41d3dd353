import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import * as assert from 'uvu/assert'
import {execIn, faults, type LabHost} from '../../src/lab/index.js'
import {
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  labReady,
  removePair,
  statusOf,
  type GuestSpec,
} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('what a pair leaves open to others')
const minutes = 60_000
const guest: GuestSpec = {name: 'confined', model: 'virtio', nics: 1, disks: 1, byte: 61}
const qemuUser = 'libvirt-qemu'

/** One pair for all tests of this file, made by the first: what is tested here must not harm it. */
const sides = ['alpha', 'beta'] as const
/** of the packet filters, before there was a pair */
let rulesWere: readonly string[] | undefined
/** migration, NBD, mirror and compare of the first pair of a host */
const ports = [9101, 9102, 9103, 9104] as const

test(
  'a third host on the replication link knocks at every port all the time: it gets through nowhere, and does not spoil create',
  async (t) => {
    await labReady()
    const rulesBefore = await rules()
    const knocking = await knock('gamma')
    t.defer(knocking.stop)
    await createPair(guest)
    await guestAnswers('10.77.0.61')
    assert.is((await statusOf(guest.name)).state, 'protected')
    for (const host of sides) {
      const {stdout} = await execIn(host, ['ss', '-Htln'])
      const open = stdout.split('\n').filter((line) => /:91\d\d /.test(line))
      assert.is(open.length, 2, `${host} listens: ${stdout}`)
      assert.ok(
        open.every((line) => line.includes(` 10.88.0.${host === 'alpha' ? 1 : 2}:`)),
        `on the replication address only: ${stdout}`,
      )
    }
    // to the beacon: noise, and what a captured word would look like
    await execIn('gamma', [
      'sh',
      '-c',
      'for host in 1 2; do for text in x "{}" "{\\"pair\\":\\"confined\\",\\"epoch\\":99}"; do printf %s "$text" | nc -u -w1 10.88.0.$host 9100; done; done',
    ])
    await movedAndProtected()
    const {tries, through} = await knocking.stop()
    assert.equal(through, [])
    assert.ok(tries > 50, `only ${tries} tries`)
    rulesWere = rulesBefore
  },
  4 * minutes,
)

test(
  "QEMU runs as libvirt's own user in its own mounts; files are its own or root's, and nobody else's to read",
  async () => {
    const {secondary} = await statusOf(guest.name)
    for (const host of sides) {
      const owners = await ownersBelow(host)
      const of = (path: string): string => owners.get(path) ?? `${path} is missing: ${[...owners.keys()].join(' ')}`
      assert.is(of('/var/lib/colo/images/confined-0.qcow2'), `${qemuUser} 600`)
      assert.is(of('/var/lib/colo/pairs'), 'root 700')
      assert.is(of('/var/lib/colo/pairs/confined/record.json'), 'root 600')
      assert.is(of('/var/lib/colo/pairs/confined/events.jsonl'), 'root 600')
      assert.is(of('/run/colo/agent.sock'), 'root 600')
      assert.is(of('/run/colo/scratch'), 'root 711')
      assert.is(of('/run/colo/pairs/confined'), `${qemuUser} 700`)
      // QEMU made them, and other guests run as the same user
      assert.is(of('/run/colo/pairs/confined/agent.qmp'), 'root 600')
      assert.is(of('/run/colo/pairs/confined/yank.qmp'), 'root 600')
      if (host === secondary) {
        for (const overlay of ['active', 'hidden'])
          assert.is(of(`/run/colo/scratch/confined-disk0.${overlay}.qcow2`), `${qemuUser} 600`)
      }
      // the two local sockets of the comparer are QEMU's business, in a directory that only QEMU may enter
      const closed = [...owners].filter(([, owner]) => / [0-7]*0$/.test(owner)).map(([path]) => `${path}/`)
      const open = [...owners].filter(
        ([path, owner]) => /[4567]$/.test(owner) && !closed.some((directory) => path.startsWith(directory)),
      )
      assert.equal(open, [], `${host}: readable for everybody`)

      assert.match(await processOf(host), new RegExp(`^${qemuUser} CapEff:\\s*0+ own mounts$`))
      assert.match(await asQemuUser(host, '/run/colo/pairs/confined/agent.qmp'), /[Pp]ermission denied/)
      assert.match(await asQemuUser(host, '/run/colo/agent.sock'), /[Pp]ermission denied/)
    }
    assert.is((await colo('pair', 'status', guest.name)).json['state'], 'protected')
  },
  3 * minutes,
)

test(
  'libvirt starts a copy for colo alone: a stale one, one without its mark, one under another name are refused; other guests start',
  async () => {
    const {primary} = await statusOf(guest.name)
    const host = primary === 'alpha' ? 'beta' : 'alpha'
    const made = `/var/lib/colo/pairs/${guest.name}/domain.xml`
    const other = `sed 's/<name>${guest.name}/<name>other/; s/<uuid>[^<]*/<uuid>00000000-1111-4222-8333-444444444444/' ${made}`
    for (const script of [
      `${other} >/tmp/x.xml; virsh create /tmp/x.xml`,
      `${other} | grep -v colo:pair >/tmp/x.xml; virsh create /tmp/x.xml`,
      `virsh define /tmp/x.xml; virsh start other; virsh undefine other >/dev/null`,
    ]) {
      const text = await sh(host, `{ ${script}; } 2>&1 || true`)
      assert.match(
        text,
        /copy of the pair confined: only colo starts it.*colo pair start confined/s,
        `${script}: ${text}`,
      )
    }
    const plain = `<domain type="qemu"><name>plain</name><memory unit="MiB">32</memory><os><type>hvm</type></os></domain>`
    await sh(host, `echo '${plain}' >/tmp/plain.xml; virsh create /tmp/plain.xml; virsh destroy plain`)
    assert.is((await statusOf(guest.name)).state, 'protected')
  },
  2 * minutes,
)

test(
  'libvirtd and both agents restarted, one after the other and together: protected again by itself, the guest notices nothing',
  async () => {
    const pids = async (): Promise<string[]> =>
      Promise.all(sides.map((host) => sh(host, `cat /run/libvirt/qemu/${guest.name}.pid`)))
    const before = await pids()
    const {epoch} = await statusOf(guest.name)
    for (const host of sides) await sh(host, restartLibvirtd)
    assert.is((await statusOf(guest.name)).state, 'protected')
    for (const host of sides) {
      await faults.signalAgent('kill', host)
      await faults.startAgent(host)
    }
    await coloOk('pair', 'wait', guest.name, '--for', 'protected', '--timeout', '30s')
    await Promise.all(
      sides.map(async (host) => {
        await faults.signalAgent('kill', host)
        await sh(host, restartLibvirtd)
        await faults.startAgent(host)
      }),
    )
    await coloOk('pair', 'wait', guest.name, '--for', 'protected', '--timeout', '30s')
    assert.equal(await pids(), before)
    assert.is((await statusOf(guest.name)).epoch, epoch)
    await disk.write(0, 5000, 'afterwards', '10.77.0.61')
    assert.match(await disk.read(0, 5000, '10.77.0.61'), /afterwards/)
  },
  3 * minutes,
)

test(
  'readers that were stopped delay nobody',
  async (t) => {
    const readers = [
      ['pair', 'events', guest.name, '--follow'],
      ['top', '--plain', '--interval', '200ms'],
      ['pair', 'status', guest.name, '--json'],
    ].map((args) => stoppedReader(args))
    t.defer(async () => {
      for (const reader of await Promise.all(readers)) reader.kill('SIGKILL')
    })
    await Promise.all(readers)
    await coloOk('pair', 'checkpoint', guest.name)
    await movedAndProtected()
    await guestAnswers('10.77.0.61')
  },
  3 * minutes,
)

test(
  'a record of a newer format is refused by name and left as it is',
  async (t) => {
    const file = `/var/lib/colo/pairs/${guest.name}/record.json`
    const host: LabHost = 'beta'
    const own = await sh(host, `cat ${file}`)
    assert.match(own, /^ {2}"format": \d+,$/m)
    await faults.signalAgent('kill', host)
    await sh(host, `cp ${file} ${file}.own; sed -i 's/^  "format": [0-9]*,/  "format": 99,/' ${file}`)
    t.defer(async () => {
      await faults.signalAgent('kill', host).catch(() => undefined)
      await sh(host, `mv ${file}.own ${file}`)
      await faults.startAgent(host)
      await coloOk('pair', 'wait', guest.name, '--for', 'protected', '--timeout', '30s')
    })
    await faults.startAgent(host)
    const status = await colo('pair', 'status', guest.name)
    assert.is.not(status.exit, 0)
    assert.match(JSON.stringify(status.json), /format 99|newer/)
    for (const verb of ['failover', 'resync', 'destroy']) {
      const refused = await colo('pair', verb, guest.name, '--yes')
      assert.is.not(refused.exit, 0, verb)
      if (verb === 'failover') assert.match(JSON.stringify(refused.json), /beta answers, but .*format 99 is newer/)
    }
    assert.match(await sh(host, `cat ${file}`), /"format": 99/)
  },
  3 * minutes,
)

test(
  'the audit log of each host says who did what, and how it ended',
  async () => {
    for (const host of sides) {
      const lines = (await sh(host, 'cat /var/log/colo/audit.log'))
        .split('\n')
        .map((line) => JSON.parse(line) as Audited)
      const ofPair = lines.filter(({pair}) => pair === guest.name)
      assert.ok(ofPair.every(({user, argv}) => user === 'root' && argv.length > 0))
      const done = ofPair.filter(({result, kind}) => result === 'done' && kind !== 'disk')
      assert.ok(done.length >= 2, JSON.stringify(ofPair))
      assert.equal([done[0]!.kind, done[0]!.host, done[0]!.epoch], ['create', host, 1])
      assert.ok(done[0]!.argv.includes('create'))
      assert.is(ofPair.filter(({result}) => result === 'begun').length, ofPair.length / 2, JSON.stringify(ofPair))
      assert.is(await sh(host, 'stat -c "%a %U" /var/log/colo/audit.log'), '600 root')
    }
  },
  minutes,
)

interface Audited {
  readonly pair: string
  readonly host: string
  readonly kind: string
  readonly result: string
  readonly epoch: number
  readonly user: string
  readonly argv: readonly string[]
}

test(
  'destroy puts the rules of the packet filter back as they were',
  async (t) => {
    t.defer(() => removePair(guest.name))
    await coloOk('pair', 'destroy', guest.name, '--yes', '--delete-copies')
    assert.equal(await rules(), rulesWere)
    for (const host of sides) {
      assert.not.match(await sh(host, 'ss -Htln'), /:91\d\d /)
      assert.is(await sh(host, `ls -d /run/colo/pairs/${guest.name} 2>/dev/null || echo gone`), 'gone')
    }
  },
  2 * minutes,
)

async function rules(): Promise<string[]> {
  return Promise.all(sides.map((host) => sh(host, 'nft list ruleset')))
}

const restartLibvirtd =
  'kill "$(cat /run/libvirtd.pid)"; while [ -e "/proc/$(cat /run/libvirtd.pid 2>/dev/null || echo x)" ]; do sleep 0.05; done; libvirtd -d; virsh -q list >/dev/null'

/** A planned failover: the other side becomes the primary, and is protected again. */
async function movedAndProtected(): Promise<void> {
  const {epoch = 0} = await statusOf(guest.name)
  const moved = await coloOk('pair', 'failover', guest.name, '--yes')
  const status = await statusOf(guest.name)
  assert.is(status.state, 'protected', JSON.stringify([moved, status]))
  assert.ok((status.epoch ?? 0) > epoch)
}

async function sh(host: LabHost, script: string): Promise<string> {
  return (await execIn(host, ['sh', '-c', script], {timeoutMs: 60_000})).stdout.trim()
}

/** Connects from a host to every port of a pair on both others, again and again, until it is stopped. */
async function knock(host: LabHost): Promise<{stop: () => Promise<{tries: number; through: string[]}>}> {
  const places = ['10.88.0.1', '10.88.0.2'].flatMap((address) => ports.map((port) => `${address} ${port}`))
  const loop = places
    .map(
      (place) =>
        `(while [ -e /tmp/knock ]; do nc -n -z -w 1 ${place} && echo '${place}' >>/tmp/through; echo >>/tmp/tries; sleep 0.1; done) &`,
    )
    .join('\n')
  await sh(host, 'rm -f /tmp/through /tmp/tries; touch /tmp/knock /tmp/through /tmp/tries')
  const done = execIn(host, ['sh', '-c', `exec 2>/dev/null\n${loop}\nwait`], {timeoutMs: 240_000})
  let result: Promise<{tries: number; through: string[]}> | undefined
  const stop = async (): Promise<{tries: number; through: string[]}> => {
    await sh(host, 'rm -f /tmp/knock')
    await done
    const [tries, through] = [await sh(host, 'wc -l </tmp/tries'), await sh(host, 'sort -u /tmp/through')]
    return {tries: Number(tries), through: through.split('\n').filter((line) => line !== '')}
  }
  return {stop: () => (result ??= stop())}
}

/** A command of ours that reads, stopped as soon as it has said something. */
async function stoppedReader(args: readonly string[]): Promise<ReturnType<typeof spawn>> {
  const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
  const env = {...process.env, COLO_HOSTS: '/run/colo-lab/hosts.yaml', COLO_SSH_CONFIG: '/run/colo-lab/ssh/config'}
  const child = spawn(process.execPath, [program, ...args], {env, stdio: ['ignore', 'pipe', 'ignore']})
  await once(child.stdout, 'readable')
  child.kill('SIGSTOP')
  return child
}

/** `owner mode` of everything of ours on a host, by path. */
async function ownersBelow(host: LabHost): Promise<Map<string, string>> {
  const where = ['/var/lib/colo', '/run/colo', '/var/log/colo', '/var/log/colo-agent.log']
  const guests = ['-path', '/var/lib/colo/guest', '-prune']
  const find = ['find', ...where, ...guests, '-o', '-printf', '%p %u %m\\n'] as const
  const {stdout} = await execIn(host, ['sh', '-c', '"$@" 2>/dev/null || true', 'sh', ...find])
  return new Map(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  )
}

/** Whose process QEMU is, what it may do, and whether it sees mounts of its own. */
async function processOf(host: LabHost): Promise<string> {
  const script = `pid=$(cat /run/libvirt/qemu/${guest.name}.pid)
[ "$(readlink /proc/$pid/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ] && mounts='mounts of the host' || mounts='own mounts'
echo "$(stat -c %U /proc/$pid) $(grep CapEff /proc/$pid/status) $mounts"`
  return (await execIn(host, ['sh', '-c', script])).stdout.trim()
}

/** What a process of QEMU's user gets when it connects to a socket. */
async function asQemuUser(host: LabHost, socket: string): Promise<string> {
  const connect = ['setpriv', '--reuid', qemuUser, '--regid', qemuUser, '--init-groups', 'nc', '-N', '-U', socket]
  const {stdout} = await execIn(host, ['sh', '-c', '"$@" </dev/null 2>&1 || true', 'sh', ...connect])
  return stdout
}

test.run()

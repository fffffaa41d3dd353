import * as assert from 'uvu/assert'
import {execIn, type LabHost} from '../../src/lab/index.js'
import {colo, createPair, guestAnswers, removePair, type GuestSpec} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('what a pair leaves open to others')
const minutes = 60_000
const guest: GuestSpec = {name: 'confined', model: 'virtio', nics: 1, disks: 1, byte: 61}
const qemuUser = 'libvirt-qemu'

test(
  "QEMU runs as libvirt's own user in its own mounts; files are its own or root's, and nobody else's to read",
  async (t) => {
    t.defer(() => removePair(guest.name))
    await createPair(guest)
    await guestAnswers('10.77.0.61')
    for (const host of ['alpha', 'beta'] as const) {
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
      if (host === 'beta') {
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

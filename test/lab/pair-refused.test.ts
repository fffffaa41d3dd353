import * as assert from 'uvu/assert'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {execIn} from '../../src/lab/index.js'
import {colo, labReady, pairFile, removePair} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('S6: refused before any host is touched')
const image = '/var/lib/colo/images/bad1-0.qcow2'
const good = pairFile({name: 'bad1', model: 'virtio', nics: 1, disks: 1})

/** What is wrong, the file, what the primary's host has, the exit status, and what the message must name. */
const cases: ReadonlyArray<{name: string; text: string; setUp?: string; exit: number; message: RegExp}> = [
  {name: 'unknown key', text: good.replace('vcpus:', 'vcpu:'), exit: 2, message: /:\d+:\d+: .*vcpu/},
  {name: 'wrong unit', text: good.replace('128MiB', '128 apples'), exit: 2, message: /:\d+:\d+: .*memory/},
  {
    name: 'a name that is a path',
    text: good.replace('name: bad1', "name: '../etc'"),
    exit: 2,
    message: /:\d+:\d+: .*name/,
  },
  {
    name: 'a name that is a command',
    text: good.replace('name: bad1', "name: 'x; rm -rf /'"),
    exit: 2,
    message: /:\d+:\d+: .*name/,
  },
  {
    name: 'hosts identical',
    text: good.replace('secondary: beta', 'secondary: alpha'),
    exit: 2,
    message: /:\d+:\d+: .*secondary/,
  },
  {
    name: 'host not in the inventory',
    text: good.replace('secondary: beta', 'secondary: delta'),
    exit: 3,
    message: /delta/,
  },
  {name: 'image missing', text: good, exit: 6, message: /does not exist/},
  {
    name: 'image of the wrong size',
    text: good,
    setUp: `qemu-img create -q -f qcow2 ${image} 32M`,
    exit: 6,
    message: /virtual size/,
  },
  {
    name: 'image of the wrong format',
    text: good,
    setUp: `qemu-img create -q -f raw ${image} 64M`,
    exit: 6,
    message: /raw/,
  },
  {
    name: 'bridge missing',
    text: good.replace('bridge: br0', 'bridge: br9'),
    setUp: `qemu-img create -q -f qcow2 ${image} 64M`,
    exit: 6,
    message: /br9/,
  },
  {
    name: 'kernel missing',
    text: good.replace('guest/vmlinuz', 'guest/nothing'),
    setUp: `qemu-img create -q -f qcow2 ${image} 64M`,
    exit: 6,
    message: /nothing/,
  },
  {
    name: 'machine type unknown',
    text: good.replace('vcpus: 1', 'vcpus: 1\n  machine: pc-i440fx-99.0'),
    setUp: `qemu-img create -q -f qcow2 ${image} 64M`,
    exit: 6,
    message: /99\.0/,
  },
  {
    name: 'image in use',
    text: good,
    setUp: `qemu-img create -q -f qcow2 ${image} 64M; qemu-system-x86_64 -M none -display none -daemonize -pidfile /tmp/holder.pid -blockdev driver=qcow2,node-name=n,file.driver=file,file.filename=${image} -device virtio-blk-pci,drive=n 2>/dev/null || (qemu-io -c 'sleep 20000' ${image} >/dev/null 2>&1 & echo $! >/tmp/holder.pid); sleep 0.5`,
    exit: 6,
    message: /use|lock/,
  },
]

for (const {name, text, setUp, exit, message} of cases) {
  test(
    name,
    async (t) => {
      await labReady()
      t.defer(() => removePair('bad1'))
      t.defer(() =>
        execIn('alpha', [
          'sh',
          '-c',
          'test -e /tmp/holder.pid && kill $(cat /tmp/holder.pid); rm -f /tmp/holder.pid; true',
        ]),
      )
      if (setUp !== undefined) await execIn('alpha', ['sh', '-c', setUp])
      const before = await traces()
      const result = await createFrom(text)
      assert.is(result.exit, exit, JSON.stringify(result.json))
      assert.match(JSON.stringify(result.json), message)
      assert.equal(await traces(), before, 'something was left behind')
    },
    60_000,
  )
}

async function createFrom(text: string) {
  const directory = await mkdtemp(join(tmpdir(), 'colo-test-'))
  try {
    const path = join(directory, 'pair.yaml')
    await writeFile(path, text)
    return await colo('pair', 'create', '-f', path, '--yes')
  } finally {
    await rm(directory, {recursive: true, force: true})
  }
}

/** Everything a create could leave on the two hosts. */
async function traces(): Promise<string[]> {
  const look =
    'virsh list --all --name; find /var/lib/colo /run/colo -mindepth 1 | sort; nft list tables; ls /sys/class/net'
  const answers = await Promise.all((['alpha', 'beta'] as const).map((host) => execIn(host, ['sh', '-c', look])))
  return answers.map(({stdout}) => stdout)
}

test.run()

import * as assert from 'uvu/assert'

import {parsePairFile} from '../../../src/config/pair-file.js'
import {suite} from '../../support/suite.js'
import {edit, goodPair, problemsOf} from './samples.js'

const test = suite('bad pair files')

/** What to replace by what in the good spec (all of it when `from` is absent), and the problem: place and text. */
interface BadCase {
  readonly from?: string
  readonly to: string
  readonly at: `${number}:${number}`
  readonly says: string
  readonly hint?: string
}

const kernel = (line: string): string => `  vcpus: 2\n  kernel: {image: /boot/k, ${line}}`
const nic = (line: string): string => `    bridge: br1\n    ${line}`
const disk = (line: string): string => `    size: 64MiB\n    ${line}`
const disks = (bus: string, count: number): string =>
  Array.from({length: count}, (_, index) => `  - {name: d${index}, image: /d${index}, size: 1MiB, bus: ${bus}}\n`).join(
    '',
  )

const cases: Readonly<Record<string, BadCase>> = {
  'empty file': {to: '', at: '1:1', says: 'the file is empty'},
  'only comments': {to: '# nothing\n', at: '1:1', says: 'the file is empty'},
  'a list': {to: '- a\n', at: '1:1', says: 'not a map'},
  'a word': {to: 'web1\n', at: '1:1', says: 'not a map'},
  'open bracket': {to: 'apiVersion: [\n', at: '2:1', says: 'not valid YAML'},
  'tab as indentation': {from: '  memory', to: '\tmemory', at: '6:1', says: 'Tabs', hint: 'spaces'},
  'two documents': {from: 'checkpoint', to: '---\ncheckpoint', at: '23:1', says: 'more than one YAML document'},
  'duplicate key at the top': {
    from: 'checkpoint:',
    to: 'name: web2\ncheckpoint:',
    at: '23:1',
    says: 'name: this key is there twice',
  },
  'duplicate key in a NIC': {
    from: 'bridge: br0',
    to: 'bridge: br0\n    bridge: br1',
    at: '20:5',
    says: 'nics[0].bridge: this key is there twice',
  },
  'duplicate key, quoted': {
    from: '  vcpus: 2',
    to: '  "memory": 2GiB',
    at: '7:3',
    says: 'vm.memory: this key is there twice',
  },
  'a map as key': {from: '  vcpus: 2', to: '  ? {a: b}\n  : 2', at: '7:5', says: 'vm: a key must be plain text'},
  alias: {
    from: 'name: web1',
    to: 'name: &n web1\nmode: *n',
    at: '3:7',
    says: '"&n": anchors and aliases',
    hint: 'write the value out',
  },
  'merge key with alias': {from: '  vcpus: 2', to: '  <<: *base', at: '7:7', says: '"*base": anchors and aliases'},
  'merge key with map': {from: '  vcpus: 2', to: '  <<: {vcpus: 2}', at: '7:3', says: 'unknown key'},
  'custom tag': {from: 'web1\n', to: '!exec web1\n', at: '3:7', says: '"!exec": tags are not accepted'},
  'standard tag': {from: 'web1\n', to: '!!binary d2ViMQ==\n', at: '3:7', says: 'tags are not accepted'},
  directive: {from: 'apiVersion', to: '%YAML 1.1\n---\napiVersion', at: '1:1', says: 'directives'},
  'deep flow nesting': {from: 'web1\n', to: `${'['.repeat(50)}\n`, at: '3:27', says: 'nested too deeply'},
  'deep block nesting': {from: 'web1\n', to: `\n${'- '.repeat(50)}x\n`, at: '4:21', says: 'nested too deeply'},
  'no apiVersion': {from: 'apiVersion: colo/v1\n', to: '', at: '1:1', says: 'apiVersion: is missing'},
  'other apiVersion': {
    from: 'colo/v1',
    to: 'colo/v2',
    at: '1:13',
    says: 'apiVersion: "colo/v2" is not possible',
    hint: 'colo/v1',
  },
  'other kind': {from: 'kind: Pair', to: 'kind: pair', at: '2:7', says: 'kind: "pair"', hint: 'did you mean Pair?'},
  'unknown key at the top': {
    from: 'checkpoint',
    to: 'chekpoint',
    at: '23:1',
    says: 'chekpoint: unknown key',
    hint: 'did you mean checkpoint?',
  },
  'unknown key in vm': {
    from: '  vcpus',
    to: '  vcpu',
    at: '7:3',
    says: 'vm.vcpu: unknown key',
    hint: 'did you mean vcpus?',
  },
  'key in another style': {
    from: '{interval: 1s}',
    to: '{compare_timeout: 1s}',
    at: '23:14',
    says: 'unknown key',
    hint: 'did you mean compareTimeout?',
  },
  'unknown key far from any': {
    from: '  vcpus: 2',
    to: '  zzz: 2',
    at: '7:3',
    says: 'vm.zzz: unknown key',
    hint: 'possible are: memory, vcpus',
  },
  'name missing': {from: 'name: web1\n', to: '', at: '1:1', says: 'name: is missing'},
  'name empty': {from: 'name: web1', to: 'name:', at: '3:1', says: 'name: has no value'},
  'name null': {from: 'name: web1', to: 'name: ~', at: '3:7', says: 'name: has no value'},
  'name climbs up': {
    from: 'web1\n',
    to: '../web1\n',
    at: '3:7',
    says: 'name: "../web1" contains "."',
    hint: 'letters, digits, - and _',
  },
  'name with a command': {from: 'web1\n', to: 'web1; rm -rf /\n', at: '3:7', says: 'contains ";"'},
  'name with an option': {from: 'web1\n', to: '--help\n', at: '3:7', says: 'does not start with a letter or digit'},
  'name with NUL': {from: 'web1\n', to: '"web\\0"\n', at: '3:7', says: 'name: "web\\u0000" contains "\\u0000"'},
  'name with a line break': {from: 'web1\n', to: '"web\\n1"\n', at: '3:7', says: 'contains "\\n"'},
  'name too long': {
    from: 'web1\n',
    to: `${'w'.repeat(41)}\n`,
    at: '3:7',
    says: 'has 41 characters',
    hint: 'at most 40',
  },
  'name with look-alike letters': {from: 'web1\n', to: 'wеb1\n', at: '3:7', says: 'contains "е"'},
  'name is a map': {from: 'web1\n', to: '{a: b}\n', at: '3:7', says: 'name: is a map, not a single value'},
  'engine misspelt': {
    from: 'kind: Pair',
    to: 'kind: Pair\nengine: qemo',
    at: '3:9',
    says: 'is not possible here',
    hint: 'did you mean qemu?',
  },
  'mode checkpoint': {
    from: 'kind: Pair',
    to: 'kind: Pair\nmode: checkpoint',
    at: '3:7',
    says: 'not available in this version',
  },
  'arbiter etcd': {
    from: 'kind: Pair',
    to: 'kind: Pair\narbiter: {kind: etcd, url: x}',
    at: '3:17',
    says: 'arbiter.kind: "etcd" is not available',
  },
  'arbiter without kind': {
    from: 'kind: Pair',
    to: 'kind: Pair\narbiter: {}',
    at: '3:10',
    says: 'arbiter.kind: is missing',
  },
  'arbiter with a foreign key': {
    from: 'kind: Pair',
    to: 'kind: Pair\narbiter: {kind: manual, url: x}',
    at: '3:25',
    says: 'arbiter.url: unknown key',
  },
  'tls is reserved': {from: 'kind: Pair', to: 'kind: Pair\ntls: {}', at: '3:1', says: 'tls: is reserved'},
  'hosts identical': {
    from: 'secondary: beta',
    to: 'secondary: alpha',
    at: '4:36',
    says: 'hosts.secondary: is the host of the primary too',
    hint: 'different hosts',
  },
  'spare is the secondary': {
    from: 'secondary: beta',
    to: 'secondary: beta, spare: beta',
    at: '4:49',
    says: 'hosts.spare: is the host of the secondary too',
  },
  'secondary missing': {from: ', secondary: beta', to: '', at: '4:8', says: 'hosts.secondary: is missing'},
  'host name is an option': {
    from: 'primary: alpha',
    to: 'primary: -oProxyCommand',
    at: '4:18',
    says: 'does not start with',
  },
  'host name of Object.prototype': {
    from: 'primary: alpha',
    to: 'primary: constructor',
    at: '4:18',
    says: 'is reserved',
  },
  'hosts is a list': {
    from: '{primary: alpha, secondary: beta}',
    to: '[alpha, beta]',
    at: '4:8',
    says: 'hosts: is not a map',
  },
  'memory without unit': {from: '128MiB', to: '128', at: '6:11', says: 'vm.memory: "128" has no unit', hint: 'MiB'},
  'memory with wrong unit': {
    from: '128MiB',
    to: '128mib',
    at: '6:11',
    says: 'unknown unit mib',
    hint: 'did you mean 128MiB?',
  },
  'memory in G': {from: '128MiB', to: '2G', at: '6:11', says: 'unknown unit G', hint: 'did you mean 2GiB?'},
  'memory as a time': {from: '128MiB', to: '128s', at: '6:11', says: 'unknown unit s'},
  'memory with a fraction': {
    from: '128MiB',
    to: '1.5GiB',
    at: '6:11',
    says: 'not a whole number',
    hint: 'smaller unit',
  },
  'memory negative': {from: '128MiB', to: '-1GiB', at: '6:11', says: 'is not a size'},
  'memory not a multiple of 1MiB': {from: '128MiB', to: '128MB', at: '6:11', says: 'not a multiple of 1MiB'},
  'memory too small': {from: '128MiB', to: '8MiB', at: '6:11', says: 'is too small', hint: '16MiB'},
  'memory absurd': {from: '128MiB', to: '99999999999999999999TiB', at: '6:11', says: 'is too large'},
  'vcpus zero': {from: 'vcpus: 2', to: 'vcpus: 0', at: '7:10', says: 'vm.vcpus: "0" is out of range', hint: '1 to 64'},
  'vcpus too many': {from: 'vcpus: 2', to: 'vcpus: 65', at: '7:10', says: 'out of range'},
  'vcpus in hex': {from: 'vcpus: 2', to: 'vcpus: 0x2', at: '7:10', says: 'is not a whole number'},
  'machine unknown': {
    from: '  vcpus: 2',
    to: '  machine: pcc',
    at: '7:12',
    says: 'is not a machine type',
    hint: 'did you mean pc?',
  },
  'machine with options': {
    from: '  vcpus: 2',
    to: '  machine: "pc,accel=kvm"',
    at: '7:12',
    says: 'is not a machine type',
  },
  'cpu with features': {from: '  vcpus: 2', to: '  cpu: qemu64,+vmx', at: '7:8', says: 'is not a CPU model'},
  'kernel path relative': {
    from: '  vcpus: 2',
    to: kernel('initrd: boot/initrd'),
    at: '8:36',
    says: 'vm.kernel.initrd: "boot/initrd" is not an absolute path',
  },
  'kernel command line with a line break': {
    from: '  vcpus: 2',
    to: kernel('cmdline: "a\\nb"'),
    at: '8:37',
    says: 'not printable ASCII',
  },
  'no disks': {
    from: goodPair.slice(goodPair.indexOf('disks:'), goodPair.indexOf('nics:')),
    to: 'disks: []\n',
    at: '8:8',
    says: 'disks: is empty',
  },
  'disks is a map': {
    from: goodPair.slice(goodPair.indexOf('disks:'), goodPair.indexOf('nics:')),
    to: 'disks: {root: x}\n',
    at: '8:8',
    says: 'disks: is not a list',
  },
  'disk name with -': {from: 'name: data', to: 'name: da-ta', at: '12:11', says: 'disks[1].name: "da-ta" contains "-"'},
  'disk name twice': {from: 'name: data', to: 'name: root', at: '12:11', says: 'name root is already that of disks[0]'},
  'image twice on one host': {
    from: '/img/b.raw',
    to: '/img//web1.qcow2',
    at: '13:12',
    says: 'image /img/web1.qcow2 on beta is already that of disks[0]',
  },
  'image missing': {from: '    image: /img/web1.qcow2\n', to: '', at: '9:5', says: 'disks[0].image: is missing'},
  'image relative': {from: '/img/web1.qcow2', to: 'web1.qcow2', at: '10:12', says: 'not an absolute path'},
  'image climbs up': {from: '/img/web1.qcow2', to: '/img/../etc/shadow', at: '10:12', says: 'contains a part ".."'},
  'image with a comma': {from: '/img/web1.qcow2', to: '/img/a,snapshot=on', at: '10:12', says: 'contains a comma'},
  'image with a quote': {from: '/img/web1.qcow2', to: `"/img/a'b"`, at: '10:12', says: 'contains "\'"'},
  'image with a control character': {
    from: '/img/web1.qcow2',
    to: '"/img/a\\x1bb"',
    at: '10:12',
    says: 'contains "\\u001b"',
  },
  'image is a directory': {from: '/img/web1.qcow2', to: '/img/', at: '10:12', says: 'is a directory'},
  'image named as an overlay': {
    from: '/img/web1.qcow2',
    to: '/run/web2-root.active.qcow2',
    at: '10:12',
    says: 'name of an overlay',
  },
  'image map with a foreign host': {
    from: 'beta: /img/b.raw',
    to: 'beta: /img/b.raw, bta: /x',
    at: '13:50',
    says: 'host bta is not one of this pair',
    hint: 'did you mean beta?',
  },
  'image map without a host': {
    from: ', beta: /img/b.raw',
    to: '',
    at: '13:12',
    says: 'disks[1].image: says nothing for host beta',
  },
  'image map empty': {from: '{alpha: /img/a.raw, beta: /img/b.raw}', to: '{}', at: '13:12', says: 'is an empty map'},
  'image map with a bad path': {
    from: '/img/b.raw',
    to: 'b.raw',
    at: '13:38',
    says: 'disks[1].image.beta: "b.raw" is not an absolute path',
  },
  'format unknown': {from: 'format: raw', to: 'format: vmdk', at: '14:13', says: 'disks[1].format', hint: 'qcow2, raw'},
  'size without unit': {from: '64MiB', to: '67108864', at: '15:11', says: 'disks[1].size: "67108864" has no unit'},
  'size no multiple of 512': {from: '64MiB', to: '10000001B', at: '15:11', says: 'not a multiple of 512 bytes'},
  'bus unknown': {from: '    size: 64MiB', to: disk('bus: scsi'), at: '16:10', says: 'disks[1].bus'},
  'bus ide on q35': {
    from: '  vcpus: 2',
    to: '  machine: q35',
    at: '16:10',
    says: 'machine q35 has no IDE',
    hint: 'virtio',
  },
  'too many IDE disks': {
    from: 'nics:',
    to: `${disks('ide', 5)}nics:`,
    at: '20:45',
    says: 'disks[6].bus: is one ide disk too many',
    hint: 'at most 4',
  },
  'too many virtio disks': {
    from: 'nics:',
    to: `${disks('virtio', 14)}nics:`,
    at: '29:47',
    says: 'one virtio disk too many',
    hint: 'at most 15',
  },
  'scratch relative': {from: '    size: 64MiB', to: disk('scratch: run'), at: '16:14', says: 'not an absolute path'},
  'scratch is the root': {from: '    size: 64MiB', to: disk('scratch: /'), at: '16:14', says: 'root directory'},
  'no NICs': {
    from: goodPair.slice(goodPair.indexOf('nics:'), goodPair.indexOf('checkpoint:')),
    to: 'nics: []\n',
    at: '16:7',
    says: 'nics: is empty',
    hint: 'nothing to compare',
  },
  'NIC name twice': {from: 'name: net1', to: 'name: net0', at: '20:11', says: 'name net0 is already that of nics[0]'},
  'MAC twice': {
    from: '34:57',
    to: '34:56',
    at: '21:10',
    says: 'nics[1].mac: MAC address 52:54:00:12:34:56 is already that of nics[0]',
  },
  'MAC twice in other case': {
    from: '52:54:00:12:34:57',
    to: '"52:54:00:12:34:56"',
    at: '21:10',
    says: 'is already that of',
  },
  'MAC multicast': {from: '52:54:00:12:34:57', to: '53:54:00:12:34:57', at: '21:10', says: 'multicast'},
  'MAC reserved': {from: '52:54:00:12:34:57', to: 'FE:54:00:12:34:57', at: '21:10', says: 'libvirt reserves'},
  'MAC too short': {from: '52:54:00:12:34:57', to: '52:54:00:12:34', at: '21:10', says: 'not a MAC address'},
  'MAC with dashes': {
    from: '52:54:00:12:34:57',
    to: '52-54-00-12-34-57',
    at: '21:10',
    says: 'not a MAC address',
    hint: '52:54',
  },
  'bridge name too long': {
    from: 'br1',
    to: 'bridge-too-long-1',
    at: '22:13',
    says: 'has 17 characters',
    hint: 'at most 15',
  },
  'bridge name with a path': {from: 'br1', to: 'br1/../x', at: '22:13', says: 'contains "/"'},
  'bridge map without a host': {from: 'br1', to: '{beta: br1}', at: '22:13', says: 'says nothing for host alpha'},
  'NIC model unknown': {
    from: '    bridge: br1',
    to: nic('model: e100'),
    at: '23:12',
    says: 'nics[1].model',
    hint: 'did you mean e1000?',
  },
  'uncompared unknown': {
    from: '    bridge: br1',
    to: nic('uncompared: yes'),
    at: '23:17',
    says: 'nics[1].uncompared: "yes"',
  },
  'forward by tc without a NIC': {
    from: '    bridge: br1',
    to: nic('forward: {via: tc, vlan: 101}'),
    at: '23:14',
    says: 'nics[1].forward.nic: is missing',
  },
  'forward by tc for one host only': {
    from: '    bridge: br1',
    to: nic('forward: {via: tc, nic: {alpha: eth2}}'),
    at: '23:29',
    says: 'says nothing for host beta',
    hint: 'add beta',
  },
  'forward by tc with a VLAN that is none': {
    from: '    bridge: br1',
    to: nic('forward: {via: tc, nic: eth2, vlan: 4095}'),
    at: '23:41',
    says: 'nics[1].forward.vlan: "4095" is out of range',
  },
  'forward by tc over the bridge of the LAN': {
    from: '    bridge: br1',
    to: nic('forward: {via: tc, nic: br1}'),
    at: '23:14',
    says: 'is the bridge of the LAN',
  },
  'forward without via': {
    from: '    bridge: br1',
    to: nic('forward: {}'),
    at: '23:14',
    says: 'nics[1].forward.via: is missing',
  },
  'forward by socket with a NIC': {
    from: '    bridge: br1',
    to: nic('forward: {via: socket, nic: eth2}'),
    at: '23:28',
    says: 'belongs to via: tc',
  },
  'interval without unit': {
    from: 'interval: 1s',
    to: 'interval: 1000',
    at: '23:24',
    says: 'checkpoint.interval: "1000" has no unit',
    hint: 'ms',
  },
  'interval too short': {from: 'interval: 1s', to: 'interval: 10ms', at: '23:24', says: 'is too small', hint: '50ms'},
  'interval too long': {from: 'interval: 1s', to: 'interval: 2m', at: '23:24', says: 'is too large', hint: '60s'},
  'interval as a size': {from: 'interval: 1s', to: 'interval: 1MiB', at: '23:24', says: 'unknown unit MiB'},
  'compareTimeout too short': {
    from: 'interval: 1s',
    to: 'compareTimeout: 1ms',
    at: '23:30',
    says: 'checkpoint.compareTimeout',
  },
  'resync unknown': {
    from: 'checkpoint:',
    to: 'resync: never\ncheckpoint:',
    at: '23:9',
    says: 'resync: "never" is not possible',
    hint: 'auto, manual',
  },
}

for (const [title, {from, to, at, says, hint}] of Object.entries(cases)) {
  test(title, () => {
    // IDE needs a disk to be wrong, and is the one case with two edits
    const base =
      title === 'bus ide on q35' ? edit(goodPair, '    size: 64MiB', '    size: 64MiB\n    bus: ide') : goodPair
    const text = from === undefined ? to : edit(base, from, to)
    const error = problemsOf(() => parsePairFile(text, 'pair.yaml'))
    const found = error.problems.map(({place, path, message}) => `${place.line}:${place.column}: ${path}: ${message}`)
    assert.equal(`${error.place.line}:${error.place.column}`, at, found.join('\n'))
    assert.ok(error.message.startsWith(`pair.yaml:${at}: `), error.message)
    assert.ok(error.message.includes(says), error.message)
    assert.ok((error.hint ?? '').includes(hint ?? ''), error.hint)
    assert.is(error.code, 'config')
    assert.is(error.exit, 2)
    assert.is(error.place.file, 'pair.yaml')
    assert.is.not(error.hint, undefined)
  })
}

test('the table has at least 45 cases', () => {
  assert.ok(Object.keys(cases).length >= 45)
})

test.run()

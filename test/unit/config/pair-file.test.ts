import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import * as assert from 'uvu/assert'

import {parsePairFile, readPairFile} from '../../../src/config/pair-file.js'
import {NotFoundError, UsageError} from '../../../src/errors.js'
import {onHost} from '../../../src/pair/spec.js'
import {suite} from '../../support/suite.js'
import {edit, goodPair, problemsOf} from './samples.js'

const test = suite('pair file')

test('reads a spec, resolves units and fills in defaults', () => {
  assert.equal(parsePairFile(goodPair, 'f'), {
    apiVersion: 'colo/v1',
    name: 'web1',
    engine: 'qemu',
    mode: 'colo',
    hosts: {primary: 'alpha', secondary: 'beta'},
    vm: {
      memoryBytes: 128 * 1024 ** 2,
      vcpus: 2,
      machine: 'pc',
      cpu: 'qemu64',
      accel: 'auto',
      onPoweroff: 'stop',
      onReboot: 'restart',
      onCrash: 'report',
    },
    disks: [
      {name: 'root', image: {same: '/img/web1.qcow2'}, format: 'qcow2', sizeBytes: 1024 ** 3, bus: 'virtio'},
      {
        name: 'data',
        image: {byHost: {alpha: '/img/a.raw', beta: '/img/b.raw'}},
        format: 'raw',
        sizeBytes: 64 * 1024 ** 2,
        bus: 'virtio',
      },
    ],
    nics: ['br0', 'br1'].map((bridge, index) => ({
      name: `net${index}`,
      mac: `52:54:00:12:34:5${6 + index}`,
      model: 'virtio',
      bridge: {same: bridge},
      uncompared: 'drop',
      forward: {via: 'socket'},
    })),
    checkpoint: {intervalMs: 1000, compareTimeoutMs: 3000},
    arbiter: {kind: 'manual'},
    resync: 'auto',
  })
})

/** Edits of the good spec that are accepted. */
const accepted: Readonly<Record<string, readonly [from: string, to: string]>> = {
  'versioned machine': ['  vcpus: 2', '  machine: pc-i440fx-9.0'],
  'versioned q35': ['  vcpus: 2', '  machine: pc-q35-11.0'],
  'a decimal size': ['1GiB', '20GB'],
  'a size with a space': ['1GiB', '1 GiB'],
  'a quoted number': ['vcpus: 2', 'vcpus: "2"'],
  'an IDE disk on pc': ['    size: 64MiB', '    size: 64MiB\n    bus: ide'],
  'a spare, with scratch for one host only': ['secondary: beta}', 'secondary: beta, spare: gamma}\nresync: manual'],
  'direct kernel boot': ['  vcpus: 2', '  kernel: {image: /boot/vmlinuz, cmdline: "console=ttyS0 a=b,c"}'],
  'socket forwarding, said so': ['    bridge: br1', '    bridge: br1\n    forward: {via: socket}'],
  'a document marker and comments': ['apiVersion', '# colo\n---\napiVersion'],
  'a byte order mark': ['apiVersion', '\uFEFFapiVersion'],
  'the shortest interval': ['interval: 1s', 'interval: 50ms'],
  'the longest interval': ['interval: 1s', 'interval: 1m'],
}

for (const [title, [from, to]] of Object.entries(accepted)) {
  test(`accepts ${title}`, () => {
    const text = edit(goodPair, from, to)
    parsePairFile(
      title.startsWith('a spare') ? edit(text, 'beta: /img/b.raw', 'beta: /img/b.raw, gamma: /g') : text,
      'f',
    )
  })
}

test('values by host: each host gets its own, an image serves two hosts', () => {
  const text = edit(goodPair, '    size: 64MiB', '    size: 64MiB\n    scratch: {beta: /ram/}')
  const disk = parsePairFile(text, 'f').disks[1]
  assert.equal(disk?.scratch, {byHost: {beta: '/ram'}})
  assert.is(disk && onHost(disk.image, 'beta'), '/img/b.raw')
  assert.is(disk?.scratch && onHost(disk.scratch, 'alpha'), undefined)
})

test('two disks may swap paths between hosts', () => {
  parsePairFile(edit(goodPair, 'image: /img/web1.qcow2', 'image: {alpha: /img/b.raw, beta: /img/a.raw}'), 'f')
})

test('CRLF line ends keep lines and columns', () => {
  const text = edit(goodPair, '128MiB', '128').replaceAll('\n', '\r\n')
  assert.equal(problemsOf(() => parsePairFile(text, 'f')).place, {file: 'f', line: 6, column: 11})
})

test('all problems are reported at once, sorted by place', () => {
  const text = edit(edit(edit(goodPair, '128MiB', '128'), 'bridge: br0', 'brige: br0'), 'web1\n', 'web 1\n')
  const error = problemsOf(() => parsePairFile(text, 'f'))
  assert.equal(
    error.problems.map(({place, path}) => `${place.line} ${path}`),
    ['3 name', '6 vm.memory', '19 nics[0].brige'],
  )
  assert.ok(error.message.startsWith('f:3:7: name: "web 1" contains " "'))
  assert.match(error.hint ?? '', /^use letters.*\nalso wrong:\n {2}f:6:11: vm\.memory: .*\n.*did you mean bridge\?\)$/)
})

test('a hint lists twenty further problems at most', () => {
  const keys = Array.from({length: 40}, (_, index) => `zz${index}: 1\n`).join('')
  const error = problemsOf(() => parsePairFile(goodPair + keys, 'f'))
  assert.is(error.problems.length, 40)
  assert.is(error.hint?.split('\n').length, 23)
  assert.ok(error.hint?.endsWith('  and 19 more'))
})

/** Each is refused at once: what a parser could hang, overflow or fill the memory with. */
const bombs: Readonly<Record<string, string>> = {
  'a billion laughs': `a: &a [x]\n${Array.from({length: 9}, (_, i) => `b${i}: &b${i} [${`*b${i - 1},`.repeat(9)}]\n`).join('')}`,
  'open brackets': '['.repeat(1_000_000),
  'closed brackets': `a: ${'['.repeat(300_000)}${']'.repeat(300_000)}`,
  'open braces': '{a: '.repeat(250_000),
  'nested sequences in a row': '- '.repeat(500_000),
  'explicit keys in a row': '? '.repeat(500_000),
  'values in a row': ': '.repeat(500_000),
  'indented maps': Array.from({length: 1400}, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
  'indented sequences': Array.from({length: 1400}, (_, i) => `${' '.repeat(i)}-`).join('\n'),
  'many keys': Array.from({length: 80_000}, (_, i) => `k${i}: 1\n`).join(''),
  'one key many times': 'a: 1\n'.repeat(200_000),
  'many documents': '---\n'.repeat(250_000),
  'many anchors': `a: ${'&a '.repeat(300_000)}`,
  'many tags': `a: ${'!a '.repeat(300_000)}`,
  'many directives': '%YAML 1.2\n'.repeat(100_000),
  'many comments': '# a\n'.repeat(250_000),
  'a long name': `${goodPair}x: ${'y'.repeat(900_000)}`,
  'a long key': `${goodPair}${'y'.repeat(900)}: 1`,
  'more than 1 MiB': ' '.repeat(1024 * 1024 + 1),
  'more than 1 MiB in UTF-8': `# ${'ä'.repeat(600_000)}\n${goodPair}`,
}

for (const [title, text] of Object.entries(bombs)) {
  test(`refuses ${title} quickly`, () => {
    const start = performance.now()
    const error = problemsOf(() => parsePairFile(text, 'f'))
    assert.ok(performance.now() - start < 5000)
    assert.ok(error.message.length < 1000)
    assert.ok((error.hint ?? '').length < 20_000)
  })
}

test('reads from a file', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'colo-'))
  t.defer(() => rm(dir, {recursive: true}))
  const file = join(dir, 'web1.yaml')
  await writeFile(file, goodPair)
  assert.equal(await readPairFile(file), parsePairFile(goodPair, 'f'))
})

test('a file that is missing, a directory, endless or not UTF-8', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'colo-'))
  t.defer(() => rm(dir, {recursive: true}))
  const latin = join(dir, 'latin.yaml')
  await writeFile(latin, Buffer.from([0x6e, 0xe4, 0x0a]))
  const failure = (path: string): Promise<unknown> =>
    readPairFile(path).then(
      () => 'accepted',
      (error: unknown) => error,
    )
  assert.instance(await failure(join(dir, 'none.yaml')), NotFoundError)
  assert.instance(await failure(dir), UsageError)
  assert.instance(await failure(latin), UsageError)
  assert.match(String(await failure('/dev/zero')), /larger than 1 MiB/)
})

test.run()

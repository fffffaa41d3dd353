import fc from 'fast-check'
import {readFile} from 'node:fs/promises'
import * as assert from 'uvu/assert'

import {parseHostsFile} from '../../../src/config/hosts-file.js'
import {parsePairFile} from '../../../src/config/pair-file.js'
import {closest, suggestion} from '../../../src/config/suggest.js'
import {formatSize, formatTime, parseSize, parseTime} from '../../../src/config/units.js'
import {parseFilePath, parseIpAddress, parseMac, parsePairName, quote, type Checked} from '../../../src/pair/names.js'
import {suite} from '../../support/suite.js'

const test = suite('names, units, suggestions and templates')

function valueOf<V>(checked: Checked<V>): V | string {
  return checked.ok ? checked.value : `bad: ${checked.problem}`
}

test('sizes and times', () => {
  const sizes = {
    '512B': 512,
    '1kB': 1000,
    '2GiB': 2 * 1024 ** 3,
    '20GB': 20e9,
    '1TiB': 1024 ** 4,
    '64 MiB': 64 * 1024 ** 2,
  }
  for (const [text, bytes] of Object.entries(sizes)) assert.is(valueOf(parseSize(text)), bytes)
  for (const [text, ms] of Object.entries({'500ms': 500, '1s': 1000, '2m': 120_000, '1h': 3_600_000})) {
    assert.is(valueOf(parseTime(text)), ms)
  }
  for (const text of ['', '1', 'GiB', '-1s', '1e3s', '1_000ms', '0x1s', '1s ', ' 1s', '1  s', '1s\n', '١s']) {
    assert.match(String(valueOf(parseTime(text))), /^bad: /, text)
  }
})

test('what is formatted is parsed to the same', () => {
  fc.assert(fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => valueOf(parseSize(formatSize(bytes))) === bytes))
  fc.assert(fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (ms) => valueOf(parseTime(formatTime(ms))) === ms))
  assert.equal(
    [formatSize(0), formatSize(1536 * 1024), formatSize(20e9), formatTime(90_000)],
    ['0B', '1536KiB', '20GB', '90s'],
  )
})

test('a name that is accepted is safe as a file name and as an argument', () => {
  fc.assert(fc.property(fc.string(), (text) => !parsePairName(text).ok || /^[A-Za-z0-9][\w-]{0,39}$/.test(text)))
})

test('a path that is accepted is absolute, without .. and without separators of QEMU or a shell', () => {
  const part = fc.oneof(fc.string(), fc.constantFrom('/', '..', '.', ',', '\n', '\0', ';', '$(x)', 'a'))
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const path = parseFilePath(`/${parts.join('')}`)
      if (!path.ok) return
      assert.match(path.value, /^(\/[^/,;'"$`\\\0\n]+)+$/)
      assert.not.ok(path.value.split('/').some((each) => each === '..' || each === '.'))
    }),
  )
  assert.is(valueOf(parseFilePath('/srv/vm images/ä:1.qcow2')), '/srv/vm images/ä:1.qcow2')
})

test('addresses come out in one form', () => {
  assert.is(valueOf(parseMac('52:54:00:AB:cd:EF')), '52:54:00:ab:cd:ef')
  assert.is(valueOf(parseIpAddress('2001:DB8:0:0::1')), '2001:db8::1')
  assert.match(valueOf(parseIpAddress('::ffff:10.0.0.1')), /IPv4 address written as IPv6/)
  assert.match(valueOf(parseIpAddress('::1')), /loopback/)
  assert.match(valueOf(parseIpAddress('::')), /one host/)
  assert.match(valueOf(parseIpAddress('ff02::1')), /one host/)
})

test('what is shown of a value has no control characters and is short', () => {
  assert.is(quote('a\u001b[31m\u202eb'), '"a\\u001b[31m\\u202eb"')
  fc.assert(
    fc.property(fc.string({unit: 'binary', maxLength: 200}), (text) => {
      assert.match(quote(text), /^"[^\p{C}\p{Zl}\p{Zp}]*"$/u)
    }),
  )
})

test('suggestions', () => {
  const keys = ['memory', 'vcpus', 'machine', 'compareTimeout', 'image', 'size']
  const meant = {
    memroy: 'memory',
    vcpu: 'vcpus',
    Image: 'image',
    compare_timeout: 'compareTimeout',
    siez: 'size',
  }
  for (const [word, key] of Object.entries(meant)) assert.is(closest(word, keys), key)
  for (const word of ['zzz', '', 'x', 'spare', 'y'.repeat(1000)]) assert.is(closest(word, keys), undefined, word)
  assert.is(suggestion('zzz', ['a', 'b']), 'possible are: a, b')
})

async function template(name: string): Promise<string> {
  return readFile(new URL(`../../../templates/${name}`, import.meta.url), 'utf8')
}

test('the templates are good, also with their comments made into keys', async () => {
  const pair = await template('pair.yaml')
  assert.is(parsePairFile(pair, 'f').name, 'web1')
  const all = pair
    .replace(/^# (engine|mode|arbiter|resync):/gm, '$1:')
    .replace(
      /^( +)# ( *)(accel|onPoweroff|onReboot|onCrash|kernel|image|initrd|cmdline|scratch|uncompared|forward):/gm,
      '$1$2$3:',
    )
  const spec = parsePairFile(all, 'f')
  assert.equal(spec.vm.kernel?.image, '/var/lib/colo/boot/vmlinuz')
  assert.equal(spec.disks[0]?.scratch, {same: '/run/colo/scratch'})
  assert.equal(
    parseHostsFile(await template('hosts.yaml'), 'h').hosts.map((host) => host.name),
    ['alpha', 'beta'],
  )
})

test('docs/spec.md names every key of the canonical document, and its examples are good', async () => {
  const docs = await readFile(new URL('../../../docs/spec.md', import.meta.url), 'utf8')
  const examples = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
  assert.ok(examples.length >= 2)
  for (const example of examples) {
    if (example.includes('kind: Pair')) parsePairFile(example, 'docs/spec.md')
    else parseHostsFile(example, 'docs/spec.md')
  }
  const keys = ['apiVersion', 'kind', 'name', 'engine', 'mode', 'checkpoint.interval', 'checkpoint.compareTimeout']
  keys.push('arbiter.kind', 'resync', 'tls', 'vm.from', 'hosts.primary', 'hosts.secondary', 'hosts.spare')
  for (const key of ['memory', 'vcpus', 'machine', 'cpu', 'accel', 'onPoweroff', 'onReboot', 'onCrash', 'kernel'])
    keys.push(`vm.${key}`)
  for (const key of ['name', 'image', 'format', 'size', 'bus', 'scratch']) keys.push(`disks[].${key}`)
  for (const key of ['name', 'mac', 'model', 'bridge', 'uncompared', 'forward']) keys.push(`nics[].${key}`)
  for (const key of ['connection', 'replication', 'ports', 'scratch', 'images', 'bridges', 'forward', 'limits'])
    keys.push(key)
  for (const key of keys) assert.ok(docs.includes(`\`${key}\``), key)
})

test.run()

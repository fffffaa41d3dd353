import fc from 'fast-check'
import * as assert from 'uvu/assert'

import {pairDocument} from '../../../src/config/pair-document.js'
import {parsePairFile} from '../../../src/config/pair-file.js'
import {ConfigProblems} from '../../../src/config/report.js'
import type {DiskSpec, HostName, NicSpec, PairName, PairSpec, PerHost} from '../../../src/pair/spec.js'
import {suite} from '../../support/suite.js'
import {goodPair} from './samples.js'

const test = suite('pair document')

/** Names that other YAML readers take for something else are the interesting ones. */
const name = fc.oneof(
  fc.constantFrom('null', 'true', 'no', '007', '1e3', '0x10', '12', 'y'),
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_]{0,14}$/),
)
const hostName = name.filter((text) => !(text in {}))
const path = fc.stringMatching(/^(\/[A-Za-z0-9_@:=~+-][A-Za-z0-9 ._@:=~+-]{0,20}){1,4}$/)
const distinct = <V>(value: fc.Arbitrary<V>, max: number): fc.Arbitrary<V[]> =>
  fc.uniqueArray(value, {minLength: 1, maxLength: max})

function perHost<V>(value: fc.Arbitrary<V>, hosts: readonly string[]): fc.Arbitrary<PerHost<V>> {
  return fc.oneof(
    value.map((same) => ({same})),
    fc.array(value, {minLength: hosts.length, maxLength: hosts.length}).map((values) => ({
      byHost: Object.fromEntries(hosts.map((host, index) => [host, values[index]])) as Record<string, V>,
    })),
  )
}

function disk(diskName: string, index: number, hosts: readonly string[]): fc.Arbitrary<DiskSpec> {
  // images differ by their last part, and none is named as an overlay
  const image = path.map((text) => `${text}-${index}`)
  return fc.record(
    {
      name: fc.constant(diskName),
      image: perHost(image, hosts),
      format: fc.constantFrom('qcow2', 'raw'),
      sizeBytes: fc.integer({min: 2048, max: 2 ** 37}).map((sectors) => sectors * 512),
      bus: fc.constant('virtio'),
      scratch: perHost(path, hosts),
    },
    {requiredKeys: ['name', 'image', 'format', 'sizeBytes', 'bus']},
  )
}

function nic(nicName: string, index: number, hosts: readonly string[]): fc.Arbitrary<NicSpec> {
  return fc.record({
    name: fc.constant(nicName),
    mac: fc.integer({min: 0, max: 0xffff}).map(
      (n) =>
        `52:54:${(0x1000000 * (index + 1) + n)
          .toString(16)
          .padStart(8, '0')
          .replaceAll(/(..)(?=.)/g, '$1:')}`,
    ),
    model: fc.constantFrom('virtio', 'e1000', 'rtl8139'),
    bridge: perHost(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,14}$/), hosts),
    uncompared: fc.constantFrom('drop', 'pass'),
    forward: fc.constant({via: 'socket'}),
  })
}

const spec: fc.Arbitrary<PairSpec> = fc
  .tuple(fc.uniqueArray(hostName, {minLength: 2, maxLength: 3}), distinct(name, 5), distinct(name, 4))
  .chain(([hosts, disks, nics]) => {
    const [primary, secondary, spare] = hosts as HostName[]
    const members = {primary: primary as HostName, secondary: secondary as HostName, ...(spare && {spare})}
    return fc.record({
      apiVersion: fc.constant('colo/v1'),
      name: name as fc.Arbitrary<PairName>,
      engine: fc.constant('qemu'),
      mode: fc.constant('colo'),
      hosts: fc.constant(members),
      vm: fc.record(
        {
          memoryBytes: fc.integer({min: 16, max: 2 ** 20}).map((mib) => mib * 1024 ** 2),
          vcpus: fc.integer({min: 1, max: 64}),
          machine: fc.constantFrom('pc', 'q35', 'pc-i440fx-9.0', 'pc-q35-10.1'),
          cpu: fc.constantFrom('qemu64', 'max', '486', 'Skylake-Client-v4'),
          accel: fc.constantFrom('auto', 'kvm', 'tcg'),
          onPoweroff: fc.constantFrom('stop', 'restart'),
          onReboot: fc.constantFrom('stop', 'restart'),
          onCrash: fc.constantFrom('report', 'restart', 'stop'),
          kernel: fc.record(
            {image: path, initrd: path, cmdline: fc.stringMatching(/^[ -~]{0,60}$/)},
            {requiredKeys: ['image', 'cmdline']},
          ),
        },
        {requiredKeys: ['memoryBytes', 'vcpus', 'machine', 'cpu', 'accel', 'onPoweroff', 'onReboot', 'onCrash']},
      ),
      disks: fc.tuple(...disks.map((diskName, index) => disk(diskName, index, hosts))),
      nics: fc.tuple(...nics.map((nicName, index) => nic(nicName, index, hosts))),
      checkpoint: fc.record({
        intervalMs: fc.integer({min: 50, max: 60_000}),
        compareTimeoutMs: fc.integer({min: 100, max: 60_000}),
      }),
      arbiter: fc.constant({kind: 'manual'}),
      resync: fc.constantFrom('auto', 'manual'),
    })
  })

test('every spec is read back as it was', () => {
  fc.assert(
    fc.property(spec, (original) => {
      const text = pairDocument(original)
      assert.equal(plain(parsePairFile(text, 'f')), plain(original), text)
      assert.is(pairDocument(parsePairFile(text, 'f')), text)
    }),
    {numRuns: 40},
  )
})

test('a changed file is read or refused with places, never anything else', () => {
  const lines = goodPair.split('\n')
  const scrap = fc.oneof(
    fc.string({unit: 'grapheme', maxLength: 8}),
    fc.constantFrom(
      ': ',
      '- ',
      '? ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '\n',
      '  ',
      '&a ',
      '*a',
      '!a ',
      '|\n',
      '>-\n',
      '#',
      '~',
      '\t',
      '---\n',
      '%',
      '@',
    ),
  )
  const change = fc.record({line: fc.nat(lines.length - 1), column: fc.nat(40), remove: fc.nat(6), scrap})
  fc.assert(
    fc.property(fc.array(change, {minLength: 1, maxLength: 4}), (changes) => {
      const copy = [...lines]
      for (const {line, column, remove, scrap: text} of changes) {
        const old = copy[line] ?? ''
        copy[line] = old.slice(0, column) + text + old.slice(column + remove)
      }
      const text = copy.join('\n')
      try {
        parsePairFile(text, 'f')
      } catch (error) {
        if (!(error instanceof ConfigProblems)) throw error
        const count = text.split('\n').length
        for (const {place} of error.problems) assert.ok(place.line >= 1 && place.line <= count && place.column >= 1)
      }
    }),
    {numRuns: 200},
  )
})

test('the text is canonical: defaults written out, largest units, one line per field', () => {
  const text = pairDocument(parsePairFile(goodPair, 'f'))
  assert.ok(
    text.startsWith(
      'apiVersion: colo/v1\nkind: Pair\nname: web1\nengine: qemu\nmode: colo\nhosts:\n  primary: alpha\n',
    ),
  )
  assert.match(
    text,
    / {4}image:\n {6}alpha: \/img\/a\.raw\n {6}beta: \/img\/b\.raw\n {4}format: raw\n {4}size: 64MiB\n/,
  )
  assert.match(
    text,
    /checkpoint:\n {2}interval: 1s\n {2}compareTimeout: 3s\narbiter:\n {2}kind: manual\nresync: auto\n$/,
  )
})

/** fast-check makes objects without prototype, which do not compare equal. */
function plain(value: PairSpec): unknown {
  return JSON.parse(JSON.stringify(value))
}

test.run()

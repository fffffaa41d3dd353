import {copyFile, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import * as assert from 'uvu/assert'

import {parsePairFile, readPairFile} from '../../../src/config/pair-file.js'
import {NotFoundError} from '../../../src/errors.js'
import {readFixture} from '../../support/import-cases.js'
import {suite} from '../../support/suite.js'
import {problemsOf} from './samples.js'

const test = suite('pair file with vm.from')
const head = 'apiVersion: colo/v1\nkind: Pair\nname: web1\nhosts: {primary: alpha, secondary: beta}\n'
const parse = (fixture: string, rest: string) =>
  parsePairFile(`${head}${rest}`, 'f', {text: readFixture(fixture), source: `${fixture}.xml`})

test('the machine, its disks and NICs come from the definition; sizes are those of the images', () => {
  const spec = parse('pxe-first', 'vm: {from: d.xml}\n')
  assert.is(spec.name, 'web1')
  assert.is(spec.vm.memoryBytes, 256 * 1024 ** 2)
  assert.equal(
    spec.disks.map(({name, image, sizeBytes}) => ({name, image, sizeBytes})),
    [
      {name: 'vda', image: {same: '/srv/vm/thin-client.qcow2'}, sizeBytes: 0},
      {name: 'vdb', image: {same: '/srv/vm/thin-client-cache.qcow2'}, sizeBytes: 0},
    ],
  )
  assert.equal(
    spec.nics.map(({mac, bridge, uncompared}) => [mac, bridge, uncompared]),
    [
      ['52:54:00:e1:00:16', {same: 'br0'}, 'drop'],
      ['52:54:00:e1:01:16', {same: 'br1'}, 'drop'],
    ],
  )
})

test('the file says what differs by host, and what may be dropped', () => {
  const spec = parse(
    'cloud-init',
    `vm: {from: d.xml, drop: [disk]}
disks: [{name: vda, image: {alpha: /srv/vm/a.qcow2, beta: /data/b.qcow2}, scratch: /ram, size: 10GiB}]
nics: [{name: net0, bridge: {alpha: br0, beta: vmbr7}, uncompared: pass}]
checkpoint: {interval: 200ms}
`,
  )
  assert.equal(spec.disks[0]?.image, {byHost: {alpha: '/srv/vm/a.qcow2', beta: '/data/b.qcow2'}})
  assert.is(spec.disks[0]?.sizeBytes, 10 * 1024 ** 3)
  assert.equal(spec.nics[0]?.bridge, {byHost: {alpha: 'br0', beta: 'vmbr7'}})
  assert.is(spec.nics[0]?.uncompared, 'pass')
  assert.equal(spec.vm.imported?.dropped, ['devices/disk[2]'])
  assert.is(spec.checkpoint.intervalMs, 200)
})

test('SATA disks of q35 are not taken for IDE of pc', () => {
  const xml = readFixture('virtiofs')
    .replace("dev='vda' bus='virtio'", "dev='sda' bus='sata'")
    .replace(/<address type='pci' domain='0x0000' bus='0x00' slot='0x05'[^>]*>/, '')
  const spec = parsePairFile(`${head}vm: {from: d.xml, drop: [memoryBacking, filesystem, vsock]}\n`, 'f', {
    text: xml,
    source: 'x',
  })
  assert.is(spec.disks[0]?.bus, 'ide')
})

test('what is refused is a problem at vm.from, each with the way out', () => {
  const {problems} = problemsOf(() => parse('virt-install', 'vm: {from: d.xml}\n'))
  assert.is(problems.length, 1)
  const {path, place, message, hint} = problems[0]!
  assert.equal([path, place.line, place.column], ['vm.from', 5, 12])
  assert.match(message, /devices\/memballoon a balloon takes memory/)
  assert.match(hint ?? '', /drop: \['devices\/memballoon'\]/)
  assert.ok(
    problemsOf(() => parse('q35-ovmf', 'vm: {from: d.xml}\n')).problems.some((each) => /nvram/.test(each.message)),
  )
})

test('other keys of vm, devices that are not there, and hostile XML are problems', () => {
  const says = (fixture: string, rest: string): string => problemsOf(() => parse(fixture, rest)).message
  assert.match(says('pxe-first', 'vm: {from: d.xml, memory: 1GiB}\n'), /vm.memory: unknown key/)
  assert.match(says('pxe-first', 'vm: {from: d.xml}\ndisks: [{name: vdz}]\n'), /the definition has no vdz/)
  assert.match(says('pxe-first', 'vm: {from: d.xml}\nnics: [{name: net7}]\n'), /the definition has no net7/)
  assert.match(says('pxe-first', 'vm: {from: d.xml, drop: [tablet]}\n'), /nothing that may be dropped is called tablet/)
  const hostile = {text: '<!DOCTYPE domain><domain/>', source: 'x.xml'}
  assert.match(problemsOf(() => parsePairFile(`${head}vm: {from: x.xml}\n`, 'f', hostile)).message, /without a DOCTYPE/)
  assert.match(problemsOf(() => parsePairFile(`${head}vm: {from: x.xml}\n`, 'f')).message, /not at hand/)
})

test('the path is relative to the pair file; one that is not there is not found', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'colo-from-'))
  t.defer(() => rm(directory, {recursive: true, force: true}))
  const file = join(directory, 'web1.yaml')
  await writeFile(file, `${head}vm: {from: sub.xml}\n`)
  try {
    await readPairFile(file)
    assert.unreachable()
  } catch (error) {
    assert.instance(error, NotFoundError)
  }
  await copyFile(new URL('../../fixtures/domains/pxe-first.xml', import.meta.url), join(directory, 'sub.xml'))
  assert.is((await readPairFile(file)).disks.length, 2)
})

test.run()

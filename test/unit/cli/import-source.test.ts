import assert from 'node:assert/strict'

import {importRequest, type ImportFlags} from '../../../src/cli/import-source.js'
import {changeLines, importDocument, previewText} from '../../../src/cli/import-text.js'
import {UsageError} from '../../../src/errors.js'
import {importCase, importCases} from '../../support/import-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('flags of an import')

const flags = (change: Partial<ImportFlags>): ImportFlags => ({
  domain: 'web1',
  name: undefined,
  host: undefined,
  secondary: 'beta',
  spare: undefined,
  drop: undefined,
  bridge: undefined,
  image: undefined,
  uncompared: undefined,
  restart: false,
  ...change,
})

test('the pair is called as the domain unless it gets a name', async () => {
  assert.equal((await importRequest(flags({}))).name, 'web1')
  const request = await importRequest(flags({domain: 'Web Server (old)', name: 'web2'}))
  assert.deepEqual([request.domain, request.name], ['Web Server (old)', 'web2'])
})

test('bridges by number or MAC, for all hosts or one by one; images by disk', async () => {
  const {bridges, images} = await importRequest(
    flags({
      bridge: ['net0=br0', 'net1=alpha:br1', 'net1=beta:vmbr1', '52:54:00:AA:BB:06=br2'],
      image: ['vda=/data/a.qcow2'],
    }),
  )
  assert.deepEqual(bridges, {
    net0: {same: 'br0'},
    net1: {byHost: {alpha: 'br1', beta: 'vmbr1'}},
    '52:54:00:aa:bb:06': {same: 'br2'},
  })
  assert.deepEqual(images, {vda: '/data/a.qcow2'})
})

const wrong: Readonly<Record<string, readonly [Partial<ImportFlags>, RegExp]>> = {
  'no secondary': [{secondary: undefined}, /--secondary|second copy/],
  'a domain that looks like an option': [{domain: '--all'}, /not a name of a domain/],
  'a domain with a path': [{domain: '../x'}, /not a name of a domain/],
  'a domain that is no name of a pair': [{domain: 'web 1'}, /as name of the pair/],
  'a host that is no name': [{host: 'a b'}, /--host/],
  'a bridge without =': [{bridge: ['br0']}, /--bridge.*has no =/],
  'a bridge of nothing known': [{bridge: ['eth0=br0']}, /MAC/],
  'a bridge with a path': [{bridge: ['net0=../br0']}, /--bridge/],
  'an image that is relative': [{image: ['vda=a.qcow2']}, /--image/],
  'an image named as an overlay': [{image: ['vda=/x/a.active.qcow2']}, /overlay/],
}

for (const [title, [change, says]] of Object.entries(wrong)) {
  test(`${title} is refused before any host is asked`, async () => {
    await assert.rejects(
      importRequest(flags(change)),
      (error) => error instanceof UsageError && says.test(error.message),
    )
  })
}

test('what is shown holds every part once, what is in the way first, and no password', () => {
  const {findings} = importCase(
    importCases.find(({name}) => name === 'virt-manager-spice')!,
    'plain',
  )
  const preview = {domain: 'fedora', host: 'alpha', findings}
  const all = previewText(preview, true)
  assert.ok(!all.includes('kiosk'))
  assert.match(all.split('\n')[2] ?? '', /^refused/)
  assert.match(previewText(preview, false), /carried over as they are: \d{3} parts/)
  const document = importDocument(preview)
  const told = document.carried.length + document.changed.length + document.dropped.length
  assert.equal(told, findings.filter(({outcome}) => outcome !== 'refused').length)
  assert.ok(changeLines(preview).every((line) => line.startsWith('fedora: devices/')))
})

test.run()

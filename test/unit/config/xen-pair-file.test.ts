import * as assert from 'uvu/assert'

import {pairDocument} from '../../../src/config/pair-document.js'
import {parsePairFile} from '../../../src/config/pair-file.js'
import {coloPair, remusPair} from '../../support/xen/config-cases.js'
import {suite} from '../../support/suite.js'
import {problemsOf} from './samples.js'

const test = suite('pair files with engine: xen')

for (const [name, text] of Object.entries({
  colo: coloPair,
  'kernel proxy': coloPair.replace('uncompared: pass', 'uncompared: pass, forward: {via: tc, nic: eth1}'),
  remus: remusPair,
})) {
  test(`${name}: read, written and read again`, () => {
    const spec = parsePairFile(text, 'a.yaml')
    assert.is(spec.engine, 'xen')
    assert.equal(parsePairFile(pairDocument(spec), 'b.yaml'), spec)
  })
}

/** What to replace by what, and what is said of it. */
const bad: Readonly<Record<string, readonly [pair: string, from: string | RegExp, to: string, says: RegExp]>> = {
  'mode checkpoint with qemu': [remusPair, 'engine: xen', 'engine: qemu', /engine: xen has it/],
  'a machine': [coloPair, 'vm: {', 'vm: {machine: pc, ', /belongs to engine: qemu/],
  'restart on power off': [coloPair, 'vm: {', 'vm: {onPoweroff: restart, ', /cannot be chosen/],
  'pvh for COLO': [coloPair, 'vm: {', 'vm: {type: pvh, ', /hvm guests/],
  'pvh without kernel': [remusPair, /, kernel: \{.*\}\}/, '}', /has no kernel/],
  'two disks': [coloPair, 'nics:', '  - {name: b, image: /b, size: 1MiB}\nnics:', /has 2 items/],
  'no disk': [coloPair, /disks:\n.*\n/, 'disks: []\n', /has 0 items/],
  'virtio disk': [coloPair, 'format: raw', 'format: raw, bus: virtio', /IDE/],
  'image by host': [coloPair, /image: .var[^,]*/, 'image: {xa: /a, xb: /b}', /differs from host to host/],
  'a path with a blank': [coloPair, 'xweb.raw', 'x web.raw', /contains " "/],
  'two NICs': [
    coloPair,
    /$/,
    "  - {name: n1, mac: '00:16:3e:00:00:12', bridge: br0, uncompared: pass}\n",
    /has 2 items/,
  ],
  'virtio NIC': [coloPair, 'bridge: br0', 'bridge: br0, model: virtio', /e1000 or rtl8139/],
  'uncompared not said': [coloPair, ', uncompared: pass', '', /is missing/],
  'uncompared drop': [coloPair, 'uncompared: pass', 'uncompared: drop', /pass on Xen/],
  'an interval for COLO': [coloPair, /$/, 'checkpoint: {interval: 1s}\n', /cannot be set/],
  'a disk for Remus': [remusPair, /$/, 'disks: [{name: a, image: /a, size: 1MiB}]\n', /replicates no disk/],
  'a compare time for Remus': [remusPair, 'interval: 500ms', 'compareTimeout: 1s', /belongs to mode: colo/],
  'a VLAN for the kernel proxy': [
    coloPair,
    'uncompared: pass',
    'uncompared: pass, forward: {via: tc, nic: eth1, vlan: 5}',
    /VLAN/,
  ],
  'a name that is a number': [remusPair, 'name: xrem', 'name: 17', /domain id/],
  'a name of a receiving domain': [remusPair, 'name: xrem', 'name: x--incoming', /receiving/],
}

for (const [name, [pair, from, to, says]] of Object.entries(bad)) {
  test(`refused: ${name}`, () => {
    const text = pair.replace(from, to)
    assert.is.not(text, pair)
    const {problems} = problemsOf(() => parsePairFile(text, 'a.yaml'))
    assert.ok(
      problems.some(({message, hint}) => says.test(`${message} ${hint ?? ''}`)),
      JSON.stringify(problems),
    )
  })
}

test.run()

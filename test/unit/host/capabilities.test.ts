import * as assert from 'uvu/assert'
import {capabilitiesOf, ruleFor, versionRules} from '../../../src/host/capabilities.js'
import {compareVersions, isAtLeast, parseVersion} from '../../../src/host/version.js'
import {suite} from '../../support/suite.js'
import {probedQemu} from './samples.js'

const test = suite('host/capabilities')

test('versions are compared by number, not by text', () => {
  assert.equal(parseVersion('11.1.3'), [11, 1, 3])
  assert.equal(parseVersion('10.2'), [10, 2, 0])
  assert.is(parseVersion('unknown'), undefined)
  assert.ok(compareVersions([10, 0, 13], [10, 0, 7]) > 0)
  assert.ok(isAtLeast([9, 2, 0], [9, 2, 0]))
})

test('the table has no gaps and no overlaps', () => {
  versionRules.forEach((rule, index) => {
    const next = versionRules[index + 1]
    if (next !== undefined) assert.equal(rule.before, next.from)
  })
  assert.is(versionRules[0]?.from[0], 0)
  assert.is(versionRules.at(-1)?.before[0], Infinity)
})

const releases: ReadonlyArray<readonly [string, 'works' | 'untested' | 'broken']> = [
  ['6.2.0', 'broken'],
  ['7.2.22', 'works'],
  ['8.1.5', 'untested'],
  ['8.2.0', 'untested'],
  ['9.2.4', 'untested'],
  ['10.0.0', 'broken'],
  ['10.0.2', 'broken'],
  ['10.0.6', 'broken'],
  ['10.0.7', 'works'],
  ['10.0.13', 'works'],
  ['10.1.0', 'broken'],
  ['10.1.5', 'broken'],
  ['10.2.2', 'untested'],
  ['11.0.0', 'untested'],
  ['11.1.3', 'works'],
  ['12.0.0', 'untested'],
]
for (const [version, colo] of releases) {
  test(`QEMU ${version} is ${colo}`, () => {
    assert.is(ruleFor(parseVersion(version) ?? [0, 0, 0]).colo, colo)
  })
}

test('what a probed 7.2.22 can do', async () => {
  const found = capabilitiesOf(await probedQemu('7.2.22'))
  assert.equal(found, {
    version: '7.2.22',
    colo: 'works',
    reason: 'seen to work: 7.2.22',
    returnPath: false,
    reconnect: 'reconnect',
    q35: false,
    pauseBeforeSwitchover: false,
    tcg: false,
    missing: [],
  })
})

test('what a probed 11.1.3 can do', async () => {
  const found = capabilitiesOf(await probedQemu('11.1.3'))
  assert.equal(found, {
    version: '11.1.3',
    colo: 'works',
    reason: 'seen to work: 11.1.3',
    returnPath: true,
    reconnect: 'reconnect-ms',
    q35: true,
    pauseBeforeSwitchover: true,
    tcg: true,
    missing: [],
  })
})

test('a build without replication is told by the probe, whatever its version', async () => {
  const qemu = await probedQemu('11.1.3')
  const found = capabilitiesOf({
    ...qemu,
    blockDrivers: qemu.blockDrivers.filter((name) => name !== 'replication'),
    objectTypes: qemu.objectTypes.filter((name) => name !== 'filter-rewriter'),
    coloNeedsReturnPath: false,
  })
  assert.is(found.colo, 'absent')
  assert.equal(found.missing, ['filter-rewriter', 'replication', 'x-colo'])
})

test('pause-before-switchover is off in the broken releases in between', async () => {
  const qemu = await probedQemu('11.1.3')
  const pauses = (version: string): boolean => capabilitiesOf({...qemu, version}).pauseBeforeSwitchover
  assert.equal(['9.2.0', '10.0.6', '10.0.7', '10.1.3', '10.2.0'].map(pauses), [false, false, true, false, true])
})

test.run()

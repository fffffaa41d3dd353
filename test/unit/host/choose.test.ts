import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import {allotPorts, portsNeeded} from '../../../src/host/allot-ports.js'
import {chooseMachine} from '../../../src/host/choose-machine.js'
import {suite} from '../../support/suite.js'
import {entryOf, probedQemu, specOf} from './samples.js'

const test = suite('host/choose')

test('the newest machine type that both know', async () => {
  const [old, new_] = [await probedQemu('7.2.22'), await probedQemu('11.1.3')]
  assert.equal(chooseMachine('pc', new_, new_), {machine: 'pc-i440fx-11.1'})
  assert.equal(chooseMachine('pc', old, new_), {machine: 'pc-i440fx-7.2'})
  assert.equal(chooseMachine('q35', new_, old), {machine: 'pc-q35-7.2'})
})

test('10.0 is newer than 9.2', () => {
  const machines = ['pc-i440fx-9.2', 'pc-i440fx-10.0', 'pc-i440fx-jammy', 'pc', 'none']
  assert.equal(chooseMachine('pc', {machines}, {machines}), {machine: 'pc-i440fx-10.0'})
})

test('a machine type by name is taken when both know it, else refused', () => {
  const a = {machines: ['pc-i440fx-9.0', 'pc-i440fx-jammy']}
  const b = {machines: ['pc-i440fx-9.0']}
  assert.equal(chooseMachine('pc-i440fx-9.0', a, b), {machine: 'pc-i440fx-9.0'})
  assert.equal(chooseMachine('pc-i440fx-jammy', a, b), {
    problem: 'only one of the hosts knows machine type pc-i440fx-jammy',
  })
  assert.equal(chooseMachine('virt', a, b), {problem: 'neither host knows machine type virt'})
  assert.ok('problem' in chooseMachine('q35', a, b))
})

const spec = specOf()
const free = {listening: [], allotted: []}

test('the lowest block, behind the beacon', () => {
  const choice = allotPorts(
    [
      {entry: entryOf('alpha'), facts: free},
      {entry: entryOf('beta'), facts: free},
    ],
    spec,
  )
  assert.equal(choice, {ports: {migration: 9101, nbd: 9102, nics: [{mirror: 9103, compare: 9104}]}})
})

test('a port that listens or belongs to a pair on either host moves the block', () => {
  const busy = {listening: [22, 9102], allotted: []}
  const held = {listening: [], allotted: [{pair: 'db1', ports: [9103, 9104]}]}
  const choice = allotPorts(
    [
      {entry: entryOf('alpha'), facts: busy},
      {entry: entryOf('beta'), facts: held},
    ],
    spec,
  )
  assert.equal(choice, {ports: {migration: 9105, nbd: 9106, nics: [{mirror: 9107, compare: 9108}]}})
})

test('ports of the pair itself are free for it', () => {
  const own = {listening: [], allotted: [{pair: 'web1', ports: [9101, 9102, 9103, 9104]}]}
  const choice = allotPorts(
    [
      {entry: entryOf('alpha'), facts: own},
      {entry: entryOf('beta'), facts: own},
    ],
    spec,
  )
  assert.ok('ports' in choice && choice.ports.migration === 9101)
})

test('ranges that do not meet, and ranges that are full, are named', () => {
  const one = {entry: entryOf('alpha', {ports: {from: 9100, to: 9200}}), facts: free}
  const other = {entry: entryOf('beta', {ports: {from: 9300, to: 9400}}), facts: free}
  const apart = allotPorts([one, other], spec)
  assert.match('problem' in apart ? apart.problem : '', /nothing in common \(alpha 9100-9200, beta 9300-9400\)/)
  const full = {...one, entry: entryOf('alpha', {ports: {from: 9100, to: 9103}})}
  const short = allotPorts([full, full], spec)
  assert.match('problem' in short ? short.problem : '', /no 4 free ports in a row in 9101-9103/)
})

test('property: a block is free on both sides, in both ranges, and never a beacon', () => {
  const range = fc
    .tuple(fc.integer({min: 9000, max: 9030}), fc.integer({min: 9031, max: 9060}))
    .map(([from, to]) => ({from, to}))
  const taken = fc.array(fc.integer({min: 9000, max: 9060}), {maxLength: 30})
  fc.assert(
    fc.property(range, range, taken, taken, fc.integer({min: 1, max: 4}), (left, right, atLeft, atRight, nics) => {
      const wide = {...spec, nics: Array.from({length: nics}, () => spec.nics[0]!)}
      const sides = [
        {entry: entryOf('alpha', {ports: left}), facts: {listening: atLeft, allotted: []}},
        {entry: entryOf('beta', {ports: right}), facts: {listening: atRight, allotted: []}},
      ] as const
      const choice = allotPorts(sides, wide)
      const possible = (first: number): boolean =>
        Array.from({length: portsNeeded(wide)}, (_, index) => first + index).every(
          (port) =>
            [left, right].every(({from, to}) => port > from && port <= to) &&
            !atLeft.includes(port) &&
            !atRight.includes(port),
        )
      const expected = Array.from({length: 61}, (_, index) => 9000 + index).find(possible)
      assert.is('ports' in choice ? choice.ports.migration : undefined, expected)
    }),
  )
})

test.run()

import * as assert from 'uvu/assert'
import {nextGeneration} from '../../../src/pair/generation.js'
import {areMutual, currentMembers, leadingRecord} from '../../../src/pair/membership.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('which hosts belong to a pair (S4)')
const first = recordOf('primary').generation
const second = nextGeneration(first, 'gen-2')
/** beta was away while gamma took its place */
const alpha = recordOf('primary', {host: 'alpha', peer: 'gamma', generation: second})
const beta = recordOf('secondary', {host: 'beta', peer: 'alpha', generation: first})
const gamma = recordOf('secondary', {host: 'gamma', peer: 'alpha', generation: second})
const hosts = (records: readonly PairRecord[]) =>
  currentMembers(records.map((record) => ({host: record.host, record}))).map(({host}) => host)

test('two that name each other are the pair, whoever else has a record', () => {
  assert.ok(areMutual(alpha, gamma))
  assert.not(areMutual(alpha, beta))
  assert.equal(hosts([beta, alpha, gamma]), ['alpha', 'gamma'])
})

test('one that was replaced never stands for the pair, also when the primary is silent', () => {
  assert.equal(hosts([beta, gamma]), ['gamma'])
  assert.equal(hosts([beta, alpha]), ['alpha'])
  assert.is(leadingRecord([beta, gamma])?.host, 'gamma')
  assert.is(leadingRecord([gamma, beta])?.host, 'gamma')
})

test('while gamma is being made the primary and its old peer are the pair', () => {
  const before = recordOf('primary', {host: 'alpha', peer: 'beta', generation: second, alone: true})
  const stale = recordOf('secondary', {host: 'beta', peer: 'alpha', generation: first})
  assert.equal(hosts([gamma, before, stale]), ['alpha', 'beta'])
  assert.is(leadingRecord([gamma, before, stale])?.host, 'alpha')
})

test.run()

import assert from 'node:assert/strict'
import {UsageError} from '../../../src/errors.js'
import {checkpointDelay, migrationUri, pausesBeforeSwitchover, yankable} from '../../../src/net/migration.js'
import {suite} from '../../support/suite.js'

const test = suite('net/migration')

test('addresses of both families', () => {
  assert.equal(migrationUri('10.88.0.2', 9101), 'tcp:10.88.0.2:9101')
  assert.equal(migrationUri('fd00::2', 9101), 'tcp:[fd00::2]:9101')
  for (const address of ['', 'beta', '10.88.0.2,x', '[fd00::2]', 'fd00::2%eth0', '010.0.0.1', ':::']) {
    assert.throws(() => migrationUri(address, 9101), UsageError, address)
  }
})

test('releases that can halt for the switchover on the way into COLO', () => {
  const versions = ['7.2.22', '9.2.4', '10.0.6', '10.0.7', '10.0.13', '10.1.3', '10.2.0', '11.0.0', '11.1.3']
  const able = versions.filter((version) => {
    const [major = 0, minor = 0, micro = 0] = version.split('.').map(Number)
    return pausesBeforeSwitchover({major, minor, micro})
  })
  assert.deepEqual(able, ['10.0.7', '10.0.13', '10.2.0', '11.0.0', '11.1.3'])
})

test('only what is wanted and exists is yanked, by exact name', () => {
  const existing = [
    {type: 'chardev', id: 'nic0-mirror-link'},
    {type: 'chardev', id: 'charmonitor'},
    {type: 'block-node', 'node-name': 'nbd0'},
  ] as const
  const wanted = [
    {type: 'chardev', id: 'nbd0'},
    {type: 'block-node', 'node-name': 'nbd0'},
    {type: 'migration'},
  ] as const
  assert.deepEqual(yankable(wanted, existing), [{type: 'block-node', 'node-name': 'nbd0'}])
})

test('a checkpoint interval is whole milliseconds', () => {
  assert.throws(() => checkpointDelay(0), UsageError)
  assert.throws(() => checkpointDelay(0.5), UsageError)
})

test.run()

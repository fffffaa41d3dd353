import assert from 'node:assert/strict'
import {commandOrigin, withoutSecrets} from '../../../src/cli/origin.js'
import {suite} from '../../support/suite.js'

const test = suite('who gave a command')

test('user, sudo user and ssh peer where there are any', () => {
  const env = {SUDO_USER: 'ann', SSH_CONNECTION: '10.0.0.7 50000 10.0.0.1 22'}
  assert.deepEqual(commandOrigin('root', env, ['pair', 'list']), {
    user: 'root',
    sudo: 'ann',
    from: '10.0.0.7',
    argv: ['pair', 'list'],
  })
  assert.deepEqual(commandOrigin('root', {}, []), {user: 'root', argv: []})
})

test('values of flags that are secret by their names do not get out', () => {
  assert.deepEqual(
    withoutSecrets(['pair', '--token', 'abc', '--key=def', '--bmc-password', 'x', '--hosts', 'y', '--to=beta', 'key']),
    ['pair', '--token', '***', '--key=***', '--bmc-password', '***', '--hosts', 'y', '--to=beta', 'key'],
  )
})

test('a long command line is cut, not refused', () => {
  const {argv} = commandOrigin(
    'root',
    {},
    Array.from({length: 300}, () => 'x'.repeat(900)),
  )
  assert.equal(argv.length, 100)
  assert.ok(argv.every(({length}) => length === 400))
})

test.run()

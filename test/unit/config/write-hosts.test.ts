import * as assert from 'uvu/assert'

import {parseHostsFile} from '../../../src/config/hosts-file.js'
import {addHost, removeHost} from '../../../src/config/write-hosts.js'
import {ConfigError, ConflictError, NotFoundError, UsageError, type ColoError} from '../../../src/errors.js'
import {suite} from '../../support/suite.js'

const test = suite('hosts file edits')

const text = `# our racks
apiVersion: colo/v1 # the only one
kind: Hosts
hosts:
  # rack 1
  alpha: {connection: local, replication: 10.88.0.1} # by the door

  # rack 2
  beta:
    connection: ssh://beta # over the VPN
    replication: 10.88.0.2
`
const gamma = {
  name: 'gamma',
  connection: 'ssh://root@gamma',
  replication: '10.88.0.3',
  bridges: ['br0'],
  ports: '9100-9200',
}

test('adds a host and leaves the rest as it is, comments too', () => {
  const edited = addHost(text, 'h', gamma)
  assert.is(
    edited.text,
    `${text}  gamma:
    connection: ssh://root@gamma
    replication: 10.88.0.3
    bridges:
      - br0
    ports: 9100-9200
`,
  )
  assert.equal(
    edited.inventory.hosts.map((host) => host.name),
    ['alpha', 'beta', 'gamma'],
  )
  assert.equal(edited.inventory.hosts[2]?.ports, {from: 9100, to: 9200})
})

test('adds the first host of a file that does not exist', () => {
  const edited = addHost(undefined, 'h', {name: 'alpha', connection: 'local', replication: '10.88.0.1'})
  assert.is(
    edited.text,
    'apiVersion: colo/v1\nkind: Hosts\nhosts:\n  alpha:\n    connection: local\n    replication: 10.88.0.1\n',
  )
})

test('removes a host with its comments and leaves the others theirs', () => {
  const edited = removeHost(text, 'h', 'beta')
  assert.is(edited.text, text.slice(0, text.indexOf('\n  # rack 2')))
  assert.equal(
    edited.inventory.hosts.map((host) => host.name),
    ['alpha'],
  )
})

test('added and removed again, the file is the same; the last host can go', () => {
  assert.is(removeHost(addHost(text, 'h', gamma).text, 'h', 'gamma').text, text)
  const last = removeHost(removeHost(text, 'h', 'alpha').text, 'h', 'beta')
  assert.equal(parseHostsFile(last.text, 'h').hosts, [])
  assert.equal(addHost(last.text, 'h', gamma).inventory.hosts.length, 1)
})

test('works on a file in flow style', () => {
  const flow = '{apiVersion: colo/v1, kind: Hosts, hosts: {alpha: {connection: local, replication: 10.88.0.1}}}'
  assert.equal(addHost(flow, 'h', gamma).inventory.hosts.length, 2)
})

function failure(edit: () => unknown): ColoError {
  try {
    edit()
  } catch (error) {
    return error as ColoError
  }
  throw new Error('accepted')
}

test('refuses what is there, what is not, and what is wrong', () => {
  assert.instance(
    failure(() => addHost(text, 'h', {...gamma, name: 'beta'})),
    ConflictError,
  )
  const absent = failure(() => removeHost(text, 'h', 'bta'))
  assert.instance(absent, NotFoundError)
  assert.is(absent.hint, 'did you mean beta?')
  assert.instance(
    failure(() => addHost('hosts: {}', 'h', gamma)),
    ConfigError,
  )
  assert.instance(
    failure(() => removeHost('hosts: {}', 'h', 'alpha')),
    ConfigError,
  )
})

const wrong: ReadonlyArray<readonly [change: Partial<typeof gamma>, says: string]> = [
  [{name: '../gamma'}, 'cannot add host "../gamma": "../gamma" contains "/"'],
  [{name: 'a: b\nc'}, 'contains ":"'],
  [
    {connection: 'ssh://-oProxyCommand=x'},
    'cannot add host "gamma": gamma.connection: "ssh://-oProxyCommand=x" has an impossible host',
  ],
  [{connection: 'ssh://other@beta:22'}, 'gamma.connection: hosts identical: beta port 22 is that of beta too'],
  [{replication: '10.88.0.1'}, 'hosts identical: 10.88.0.1 is that of alpha too'],
  [{replication: ''}, 'gamma.replication: '],
  [{replication: '10.88.0.3\n  delta: {}'}, 'gamma.replication: '],
  [{ports: '1'}, 'gamma.ports: "1" is not a range of ports'],
]

for (const [change, says] of wrong) {
  test(`refuses ${JSON.stringify(change)}`, () => {
    const error = failure(() => addHost(text, 'h', {...gamma, ...change}))
    assert.instance(error, UsageError)
    assert.ok(error.message.includes(says), error.message)
  })
}

test.run()

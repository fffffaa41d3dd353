import * as assert from 'uvu/assert'

import {parseHostsFile} from '../../../src/config/hosts-file.js'
import {suite} from '../../support/suite.js'
import {edit, goodHosts, problemsOf} from './samples.js'

const test = suite('bad hosts files')

interface BadCase {
  readonly from: string
  readonly to: string
  readonly at: `${number}:${number}`
  readonly says: string
}

const beta = (line: string): string => `    replication: 10.88.0.2\n    ${line}`
const more = {from: '    replication: 10.88.0.2', connection: 'ssh://root@10.99.0.2:22'} as const

const cases: Readonly<Record<string, BadCase>> = {
  'no kind': {from: 'kind: Hosts\n', to: '', at: '1:1', says: 'kind: is missing'},
  'a pair': {from: 'kind: Hosts', to: 'kind: Pair', at: '2:7', says: 'kind: "Pair" is not possible'},
  'unknown key': {from: '    connection', to: '    conection', at: '6:5', says: 'hosts.beta.conection: unknown key'},
  'host twice': {from: '  beta:', to: '  alpha:', at: '5:3', says: 'hosts.alpha: this key is there twice'},
  'hosts is a list': {
    from: goodHosts.slice(goodHosts.indexOf('hosts:')),
    to: 'hosts: [alpha]\n',
    at: '3:8',
    says: 'hosts: is not a map',
  },
  'hosts missing': {from: goodHosts.slice(goodHosts.indexOf('hosts:')), to: '', at: '1:1', says: 'hosts: is missing'},
  'host without entry': {
    from: '{connection: local, replication: 10.88.0.1}',
    to: '',
    at: '4:3',
    says: 'hosts.alpha: has no value',
  },
  'host name climbs up': {from: '  beta:', to: '  ../beta:', at: '5:3', says: 'hosts: "../beta" contains "/"'},
  'host name too long': {from: '  beta:', to: `  ${'b'.repeat(64)}:`, at: '5:3', says: 'has 64 characters'},
  'connection missing': {from: 'connection: local, ', to: '', at: '4:10', says: 'hosts.alpha.connection: is missing'},
  'connection by another scheme': {from: more.connection, to: 'tcp://beta', at: '6:17', says: 'is not a connection'},
  'connection without scheme': {from: more.connection, to: 'root@beta', at: '6:17', says: 'is not a connection'},
  'connection: host is an option': {
    from: more.connection,
    to: 'ssh://-oProxyCommand=reboot',
    at: '6:17',
    says: 'impossible host',
  },
  'connection: user is an option': {from: more.connection, to: 'ssh://-l@beta', at: '6:17', says: 'impossible user'},
  'connection: empty user': {from: more.connection, to: 'ssh://@beta', at: '6:17', says: 'impossible user'},
  'connection: two users': {from: more.connection, to: 'ssh://a@b@beta', at: '6:17', says: 'is not a connection'},
  'connection with a command': {from: more.connection, to: '"ssh://beta;reboot"', at: '6:17', says: 'impossible host'},
  'connection with a line break': {from: more.connection, to: '"ssh://beta\\nx"', at: '6:17', says: 'impossible host'},
  'connection with a path': {from: more.connection, to: 'ssh://beta/etc', at: '6:17', says: 'impossible host'},
  'connection with a password': {
    from: more.connection,
    to: 'ssh://root:secret@beta',
    at: '6:17',
    says: 'contains a password',
  },
  'connection: port 0': {from: more.connection, to: 'ssh://beta:0', at: '6:17', says: 'impossible port'},
  'connection: port too high': {from: more.connection, to: 'ssh://beta:65536', at: '6:17', says: 'impossible port'},
  'connection: bad IPv6': {from: more.connection, to: 'ssh://[2001:db8::zz]', at: '6:17', says: 'impossible host'},
  'connection: IPv6 without brackets': {
    from: more.connection,
    to: 'ssh://2001:db8::1',
    at: '6:17',
    says: 'impossible port',
  },
  'both local': {from: more.connection, to: 'local', at: '6:17', says: 'hosts identical: local is that of alpha too'},
  'same connection, other user': {
    from: '{connection: local',
    to: '{connection: ssh://admin@10.99.0.2',
    at: '6:17',
    says: 'hosts identical: 10.99.0.2 port 22 is that of alpha',
  },
  'same replication address': {
    from: '10.88.0.2',
    to: '10.88.0.1',
    at: '7:18',
    says: 'hosts identical: 10.88.0.1 is that of alpha too',
  },
  'replication is a name': {from: '10.88.0.2', to: 'beta.example', at: '7:18', says: 'is not an IP address'},
  'replication with octet 256': {from: '10.88.0.2', to: '10.88.0.256', at: '7:18', says: 'is not an IP address'},
  'replication with octal octet': {from: '10.88.0.2', to: '10.88.0.02', at: '7:18', says: 'is not an IP address'},
  'replication with prefix': {from: '10.88.0.2', to: '10.88.0.2/24', at: '7:18', says: 'has a prefix length'},
  'replication everywhere': {from: '10.88.0.2', to: '0.0.0.0', at: '7:18', says: 'not the address of one host'},
  'replication loopback': {from: '10.88.0.2', to: '127.0.0.1', at: '7:18', says: 'is a loopback address'},
  'replication multicast': {from: '10.88.0.2', to: '239.1.1.1', at: '7:18', says: 'not the address of one host'},
  'replication link-local': {from: '10.88.0.2', to: 'fe80::1', at: '7:18', says: 'link-local'},
  'replication with a zone': {from: '10.88.0.2', to: 'fe80::1%eth0', at: '7:18', says: 'is not an IP address'},
  'ports as a number': {from: more.from, to: beta('ports: 9100'), at: '8:12', says: 'is not a range of ports'},
  'ports backwards': {from: more.from, to: beta('ports: 9999-9100'), at: '8:12', says: 'ends before it starts'},
  'ports privileged': {from: more.from, to: beta('ports: 80-9100'), at: '8:12', says: 'outside of 1024-65535'},
  'ports too high': {from: more.from, to: beta('ports: 9100-70000'), at: '8:12', says: 'outside of 1024-65535'},
  'ports too few': {from: more.from, to: beta('ports: 9100-9102'), at: '8:12', says: 'is too short'},
  'scratch relative': {from: more.from, to: beta('scratch: run/colo'), at: '8:14', says: 'not an absolute path'},
  'bridges is one word': {from: more.from, to: beta('bridges: br0'), at: '8:14', says: 'is not a list'},
  'bridge is an option': {
    from: more.from,
    to: beta('bridges: [-br0]'),
    at: '8:15',
    says: 'hosts.beta.bridges[0]: "-br0" does not start',
  },
  'bridge twice': {
    from: more.from,
    to: beta('bridges: [br0, br1, br0]'),
    at: '8:25',
    says: 'hosts.beta.bridges[2]: is listed twice',
  },
  'memory limit without unit': {
    from: more.from,
    to: beta('limits: {memory: 8}'),
    at: '8:22',
    says: 'hosts.beta.limits.memory: "8" has no unit',
  },
  'unknown limit': {
    from: more.from,
    to: beta('limits: {pair: 4}'),
    at: '8:14',
    says: 'hosts.beta.limits.pair: unknown key',
  },
}

for (const [title, {from, to, at, says}] of Object.entries(cases)) {
  test(title, () => {
    const error = problemsOf(() => parseHostsFile(edit(goodHosts, from, to), 'hosts.yaml'))
    assert.ok(error.message.startsWith(`hosts.yaml:${at}: `), error.message)
    assert.ok(error.message.includes(says), error.message)
    assert.is(error.exit, 2)
    assert.is.not(error.hint, undefined)
  })
}

test.run()

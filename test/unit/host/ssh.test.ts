import * as assert from 'uvu/assert'
import {checkArgv, knownHostsName, masterArgv, sshByHand, type SshTarget} from '../../../src/host/ssh/argv.js'
import {directoryCandidates, freshFiles, settledFiles} from '../../../src/host/ssh/directory.js'
import {explainSsh} from '../../../src/host/ssh/failure.js'
import {suite} from '../../support/suite.js'
import {fixture} from './samples.js'

const test = suite('host/ssh')
const target: SshTarget = {kind: 'ssh', user: 'root', address: '10.99.0.2', port: 2222}
const files = {control: '/d/x.c', socket: '/d/x.s', log: '/d/x.l'}

test('the master asks nothing, has limits, forwards the agent, and ends itself', () => {
  const argv = masterArgv(target, files, '/run/colo/agent.sock', {configFile: '/etc/colo/ssh'})
  const text = argv.join(' ')
  assert.is(argv[0], 'ssh')
  for (const part of [
    '-F /etc/colo/ssh',
    '-fNT',
    '-o BatchMode=yes',
    '-o ConnectTimeout=3',
    '-o ControlPersist=60',
    '-o ServerAliveInterval=2 -o ServerAliveCountMax=2',
    '-o ControlPath=/d/x.c',
    '-E /d/x.l',
    '-L /d/x.s:/run/colo/agent.sock',
    '-p 2222 -l root -- 10.99.0.2',
  ]) {
    assert.ok(text.includes(part), part)
  }
})

test('an address can never be taken for an option', () => {
  const hostile: SshTarget = {kind: 'ssh', address: '-oProxyCommand=reboot'}
  const patient = masterArgv(target, files, '/s', {answerTimeoutMs: 30_000}).join(' ')
  assert.match(patient, /ConnectTimeout=30 .*ServerAliveInterval=2 .*ServerAliveCountMax=15 /)
  assert.equal(masterArgv(hostile, files, '/s').slice(-2), ['--', '-oProxyCommand=reboot'])
  assert.equal(checkArgv('/d/x.c', hostile).slice(-2), ['--', '-oProxyCommand=reboot'])
})

test('what to type by hand', () => {
  assert.is(sshByHand(target), 'ssh -p 2222 root@10.99.0.2')
  assert.is(sshByHand({kind: 'ssh', address: 'alpha'}, '/c'), 'ssh -F /c alpha')
  assert.is(knownHostsName(target), '[10.99.0.2]:2222')
})

const logs: ReadonlyArray<readonly [string, RegExp, RegExp]> = [
  ['host-key-unknown', /host key is not known/, /ssh -p 2222 root@10\.99\.0\.2/],
  ['host-key-changed', /host key has changed/, /ssh-keygen -R "\[10\.99\.0\.2\]:2222"/],
  ['permission-denied', /Permission denied \(publickey/, /ssh-copy-id/],
  ['refused', /Connection refused/, /no sshd is listening/],
  ['no-name', /Could not resolve hostname nosuch\.invalid/, /hosts\.yaml/],
  ['timeout', /timed out/, /down or cut off/],
  ['bad-option', /Bad configuration option: nonsense/, /ssh configuration/],
]
for (const [name, why, remedy] of logs) {
  test(`ssh says: ${name}`, () => {
    const found = explainSsh(fixture(`ssh/openssh-9.2-${name}.txt`), target)
    assert.match(found.why, why)
    assert.match(found.remedy, remedy)
  })
}

test('an unknown message is passed on, its last line first; silence has a text, too', () => {
  assert.is(explainSsh('Warning: Permanently added x.\nnew trouble\n', target).why, 'new trouble')
  assert.match(explainSsh('', target).why, /without a word/)
})

test('directories: private ones first, and only those short enough for a socket', () => {
  assert.is(directoryCandidates({XDG_RUNTIME_DIR: '/run/user/7'}, 7)[0], '/run/user/7/colo')
  assert.is(directoryCandidates({}, 0)[0], '/run/colo/ssh')
  assert.is(directoryCandidates({}, 1000)[0], '/run/user/1000/colo')
  assert.is(directoryCandidates({XDG_RUNTIME_DIR: `/${'x'.repeat(80)}`}, 0)[0], '/run/colo/ssh')
  assert.is(directoryCandidates({XDG_RUNTIME_DIR: 'relative'}, 0)[0], '/run/colo/ssh')
})

test('names are the same for the same target, differ for others, and fit with what ssh appends', () => {
  const one = settledFiles('/d', target, '/s')
  assert.equal(one, settledFiles('/d', {...target}, '/s'))
  assert.is.not(one.socket, settledFiles('/d', {...target, port: 22}, '/s').socket)
  assert.is.not(one.socket, settledFiles('/d', target, '/s', '/other/config').socket)
  const [a, b] = [freshFiles(one), freshFiles(one)]
  assert.is.not(a.control, b.control)
  const longest = directoryCandidates({XDG_RUNTIME_DIR: `/${'x'.repeat(56)}`}, 0)[0] ?? ''
  assert.is(Buffer.byteLength(longest), 62)
  const fresh = freshFiles(settledFiles(longest, target, '/s'))
  assert.ok(Buffer.byteLength(fresh.control) + 17 <= 107, fresh.control)
})

test.run()

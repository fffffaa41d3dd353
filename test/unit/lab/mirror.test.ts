import {strict as assert} from 'node:assert'

import {findMirror, pickMirror, transportSettings} from '../../../src/lab/mirror.js'
import {versionsIn} from '../../../src/lab/rootfs.js'
import type {Run} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'

const test = suite('lab/mirror')

const targets = [
  'https://packages.example.org/apt/|stable|main|Other',
  'http://mirror.example.org/debian-security/|bookworm-security|main|Debian-Security',
  'http://mirror.example.org/debian/|bookworm-updates|main|Debian',
  'http://mirror.example.org/debian/|bookworm|main|Debian',
].join('\n')

const dump =
  'Acquire::http::Proxy "http://10.0.0.1:3128";\nAcquire::http::Proxy::local "DIRECT";\nAPT::Architecture "amd64";\nAcquire::http "";'

const fakeRun: Run = (argv) =>
  Promise.resolve({stdout: argv[0] === 'apt-config' ? dump : targets, stderr: '', durationMs: 1})

test('the archive itself is taken, not its security or update parts, nor anybody else', () => {
  assert.equal(pickMirror(targets), 'http://mirror.example.org/debian/')
  assert.equal(pickMirror(targets.split('\n').slice(0, 3).join('\n')), undefined)
})

test('proxies are carried into the root file system, empty settings are not', () => {
  assert.equal(
    transportSettings(dump),
    'Acquire::http::Proxy "http://10.0.0.1:3128";\nAcquire::http::Proxy::local "DIRECT";\n',
  )
})

test('the mirror has no slash at its end, and debootstrap gets the proxy', async () => {
  const mirror = await findMirror(fakeRun, {})
  assert.equal(mirror.uri, 'http://mirror.example.org/debian')
  assert.equal(mirror.httpProxy, 'http://10.0.0.1:3128')
})

test('COLO_LAB_MIRROR wins', async () => {
  assert.equal(
    (await findMirror(fakeRun, {COLO_LAB_MIRROR: 'http://other.example.org/d/'})).uri,
    'http://other.example.org/d',
  )
})

test('without a Debian archive the error says what to set', async () => {
  const none: Run = () => Promise.resolve({stdout: '', stderr: '', durationMs: 1})
  await assert.rejects(findMirror(none, {}), (error: Error & {hint?: string}) =>
    /COLO_LAB_MIRROR/.test(error.hint ?? ''),
  )
})

test('versions are read from dpkg, by whole package names', () => {
  const status =
    'Package: qemu-system-x86-x\nVersion: 9\n\nPackage: qemu-system-x86\nStatus: install ok installed\nVersion: 1:11.1.3+ds-1\n\nPackage: nodejs\nVersion: 20\n'
  assert.deepEqual(versionsIn(status), {qemu: '1:11.1.3+ds-1', libvirt: 'none', node: '20'})
})

test.run()

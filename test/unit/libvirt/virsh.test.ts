import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'

import {DecodeError} from '../../../src/errors.js'
import {
  createArgv,
  destroyArgv,
  domstateArgv,
  dumpxmlArgv,
  isNoDomain,
  isNotRunning,
  listArgv,
  parseDomstate,
  parseList,
  parseVersion,
  versionArgv,
} from '../../../src/libvirt/virsh.js'
import {suite} from '../../support/suite.js'

const test = suite('virsh')
const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/libvirt/libvirt-11.3.0-${name}.txt`, import.meta.url), 'utf8')

test('arguments', () => {
  const head = ['virsh', '--quiet', '--connect', 'qemu:///system']
  assert.deepEqual(createArgv('/run/x.xml'), [...head, 'create', '--file', '/run/x.xml', '--paused'])
  assert.deepEqual(destroyArgv('web1'), [...head, 'destroy', '--domain', 'web1'])
  assert.deepEqual(domstateArgv('web1'), [...head, 'domstate', '--domain', 'web1', '--reason'])
  assert.deepEqual(dumpxmlArgv('web1'), [...head, 'dumpxml', '--domain', 'web1'])
  assert.deepEqual(listArgv(), [...head, 'list', '--all', '--name'])
  assert.deepEqual(versionArgv(), [...head, 'version', '--daemon'])
})

test('domstate', () => {
  assert.deepEqual(parseDomstate(fixture('domstate-paused')), {state: 'paused', reason: 'user'})
  assert.deepEqual(parseDomstate(fixture('domstate-running')), {state: 'running', reason: 'unpaused'})
  assert.deepEqual(parseDomstate('shut off (destroyed)\n\n'), {state: 'shut off', reason: 'destroyed'})
  assert.deepEqual(parseDomstate('running\n'), {state: 'running', reason: undefined})
  for (const bad of ['', 'error: x', 'running (a', 'running (a) b'])
    assert.throws(() => parseDomstate(bad), DecodeError)
})

test('list', () => {
  assert.deepEqual(parseList(fixture('list')), ['lvx'])
  assert.deepEqual(parseList('\n'), [])
  assert.deepEqual(parseList('a\nb c\n\n'), ['a', 'b c'])
})

test('version', () => {
  assert.deepEqual(parseVersion(fixture('version')), {daemon: '11.3.0', hypervisor: '11.1.3'})
  assert.throws(() => parseVersion('Compiled against library: libvirt 11.3.0\n'), DecodeError)
})

test('errors that mean: it is not there', () => {
  assert.ok(isNoDomain(fixture('domstate-none')))
  assert.ok(isNoDomain(fixture('destroy-none')))
  assert.ok(!isNoDomain('error: failed to connect to the hypervisor'))
  assert.ok(isNotRunning('error: Requested operation is not valid: domain is not running'))
})

test.run()

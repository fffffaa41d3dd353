import {strict as assert} from 'node:assert'

import {hostsFile, inventoryYaml, knownHosts, sshConfig} from '../../../src/lab/config-files.js'
import {allNamespaces, cableOf, cablesOf, labHosts, outerInterface} from '../../../src/lab/layout.js'
import {suite} from '../../support/suite.js'

const test = suite('lab/layout')

test('everything the machine sees is named colo-', () => {
  for (const name of [...allNamespaces, outerInterface.name]) assert.match(name, /^colo-/)
  assert.equal(new Set(allNamespaces).size, allNamespaces.length)
})

test('interface names fit into 15 bytes and no two ends are the same', () => {
  const ends = labHosts
    .flatMap(cablesOf)
    .flatMap(({near, far, farBridge}) => (farBridge === undefined ? [near] : [near, far]))
  const names = ends.map(({namespace, device}) => `${namespace}/${device}`)
  assert.equal(new Set(names).size, names.length)
  for (const {device} of ends) assert.ok(device.length <= 15, device)
})

test('forward links join alpha and beta directly, gamma has none', () => {
  const cable = cableOf('alpha', 'fwd0')
  assert.deepEqual(cable?.far, cableOf('beta', 'fwd0')?.near)
  assert.equal(cable?.farBridge, undefined)
  assert.equal(cable?.address, undefined)
  assert.equal(cableOf('gamma', 'fwd0'), undefined)
})

test("a host's inventory calls itself local and the others by ssh", () => {
  const text = inventoryYaml('beta')
  assert.match(text, /beta:\n {4}connection: 'local'/)
  assert.match(text, /alpha:\n {4}connection: 'ssh:\/\/root@10\.99\.0\.1:22'/)
  assert.match(text, /gamma:[^]*forward: \[\]/)
})

test('the inventory of the machine reaches all hosts by ssh', () => {
  assert.doesNotMatch(inventoryYaml(undefined), /'local'/)
})

test('host names resolve without asking anybody', () => {
  assert.match(hostsFile('alpha'), /^10\.99\.0\.2 beta$/m)
})

test('ssh uses the key of the lab and checks host keys', () => {
  const text = sshConfig('/run/x/ssh')
  assert.match(text, /IdentityFile \/run\/x\/ssh\/id_ed25519/)
  assert.match(text, /StrictHostKeyChecking yes/)
  assert.equal(knownHosts(new Map([['gamma', 'ssh-ed25519 AAAA gamma\n']])), '10.99.0.3,gamma ssh-ed25519 AAAA\n')
})

test.run()

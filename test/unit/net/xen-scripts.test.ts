import * as assert from 'uvu/assert'
import {readFileSync} from 'node:fs'

import * as xen from '../../../src/net/forward/xen.js'
import type {Argv} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'

/** What Xen's own scripts run, captured; test/lab/xen.test.ts lets the packaged script and our rules meet in a real kernel. */
const test = suite("rules of Xen's scripts")

/** One way to write what `ip` and `tc` take in several. */
function plain(line: string): string {
  return line
    .replace(/^ip link set (?!dev )/, 'ip link set dev ')
    .replace(/^ip link delete (\S+) type bridge$/, 'ip link del dev $1')
    .replace(/ proto ip /, ' protocol ip ')
}

function captured(name: string): string[] {
  const text = readFileSync(new URL(`../../fixtures/xen/${name}.txt`, import.meta.url), 'utf8')
  return text.trim().split('\n').map(plain)
}

const lines = (argvs: readonly Argv[]): string[] => argvs.map((argv) => argv.join(' '))
const path = {vif: 'vif1.0-emu', forward: 'eth2', bridge: 'xenbr0', index: 1}
const buffer = {vif: 'vif1.0', ifb: 'ifb0'}

test('kernel proxy, primary: every rule of the script, in its order', () => {
  const netfilter = xen.xenNetfilter('present', {...path, role: 'primary'})
  assert.equal(lines([...xen.xenPrimaryUp(path), ...netfilter]), captured('colo-proxy-setup-4.17.5-primary-setup'))
})

test('kernel proxy, primary, taken away: filters go with their qdisc; of arptables only our own rule', () => {
  const script = captured('colo-proxy-setup-4.17.5-primary-teardown')
  const wanted = script
    .filter((line) => !line.startsWith('tc filter del '))
    .map((line) => line.replace(' root handle 1: prio', ' root'))
    .map((line) => (line === 'arptables -F' ? 'arptables -D INPUT -i eth2 -j MARK --set-mark 1' : line))
  assert.is(script.length - wanted.length, 3)
  assert.equal(lines([...xen.xenPrimaryDown(path), ...xen.xenNetfilter('absent', {...path, role: 'primary'})]), wanted)
})

test('kernel proxy, secondary: every rule of the script, in its order', () => {
  const netfilter = xen.xenNetfilter('present', {...path, role: 'secondary'})
  assert.equal(lines([...xen.xenSecondaryUp(path), ...netfilter]), captured('colo-proxy-setup-4.17.5-secondary-setup'))
})

test('kernel proxy, secondary, taken away', () => {
  const ours = lines([...xen.xenSecondaryDown(path), ...xen.xenNetfilter('absent', {...path, role: 'secondary'})])
  assert.equal(ours, captured('colo-proxy-setup-4.17.5-secondary-teardown'))
})

test('Remus: the buffer of a vif, made and taken away', () => {
  assert.equal(lines(xen.remusBufferUp(buffer)), captured('remus-netbuf-setup-4.22-setup'))
  assert.equal(lines(xen.remusBufferDown(buffer)), captured('remus-netbuf-setup-4.22-teardown'))
})

test.run()

import assert from 'node:assert/strict'
import {PowerOff} from '../../../src/agent/power-off.js'
import {suite} from '../../support/suite.js'

const test = suite('power-off by events')

/** The events of QEMU 11.1.3 under libvirt 11.3, as they came in the lab. */
const byGuest = {event: 'SHUTDOWN', data: {guest: true, reason: 'guest-shutdown'}}
const byHost = {event: 'SHUTDOWN', data: {guest: false, reason: 'host-signal'}}
const stop = {event: 'STOP', data: {}}
const resume = {event: 'RESUME', data: {}}
const libvirtReset = {event: 'RESET', data: {guest: false, reason: 'host-qmp-system-reset'}}

function after(...events: ReadonlyArray<{event: string; data: Record<string, unknown>}>): string {
  const power = new PowerOff()
  for (const event of events) power.event({...event, atUs: 5_000_457})
  return power.state
}

test('a guest that powers off: flushed when libvirt has ended its QEMU', () => {
  assert.equal(after(byGuest, stop), 'off')
  assert.equal(after(byGuest, stop, byHost), 'flushed')
})

test('virsh destroy is no power-off: the guest was not asked', () => {
  assert.equal(after(byHost), 'running')
})

test('virsh reboot is a power-off that libvirt takes back', () => {
  assert.equal(after(byGuest, stop, libvirtReset, resume), 'running')
  assert.equal(after(byGuest, stop, libvirtReset, resume, byHost), 'running')
})

test('a checkpoint that ends after the guest was off changes nothing', () => {
  assert.equal(after(byGuest, resume, byHost), 'flushed')
})

test('a guest that resets itself where that ends it has powered off; one that panics has not', () => {
  assert.equal(after({event: 'SHUTDOWN', data: {guest: true, reason: 'guest-reset'}}, byHost), 'flushed')
  assert.equal(after({event: 'SHUTDOWN', data: {guest: true, reason: 'guest-panic'}}, byHost), 'running')
})

test('a power cut counts only when the guest did not run again before the end', () => {
  for (const [between, state] of [
    [[], 'flushed'],
    [[resume], 'running'],
  ] as const) {
    const power = new PowerOff()
    power.cut(1000)
    for (const event of [...between, byHost]) power.event({...event, atUs: 5_000_457})
    assert.equal(power.state, state)
  }
})

test.run()

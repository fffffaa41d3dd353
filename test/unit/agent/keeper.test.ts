import assert from 'node:assert/strict'
import {Keeper, type ConnectQmp} from '../../../src/agent/keeper.js'
import type {QemuProcess} from '../../../src/agent/qemu-process.js'
import {systemClock} from '../../../src/os/clock.js'
import type {QmpSession} from '../../../src/qmp/session.js'
import {suite} from '../../support/suite.js'

const test = suite('the session of one domain')

/** A keeper whose QEMU greets when it is told to. */
function keeper() {
  let greet: (() => void) | undefined
  const session = {
    closed: new Promise(() => undefined),
    close: () => undefined,
    onEvent: () => () => undefined,
    execute: async () => ({}),
  }
  const connect: ConnectQmp = async ({oob, signal}) => {
    if (oob === true) throw new Error('not in this test')
    return new Promise((resolve, reject) => {
      greet = () => {
        resolve(session as unknown as QmpSession)
      }
      signal?.addEventListener('abort', () => {
        reject(signal.reason as Error)
      })
    })
  }
  const made = new Keeper({
    agentSocket: '/run/colo/pairs/web1/agent.qmp',
    yankSocket: '/run/colo/pairs/web1/yank.qmp',
    clock: systemClock,
    connect,
    process: {alive: async () => true} as unknown as QemuProcess,
    onEvent: () => undefined,
    onAttached: () => undefined,
    onGone: () => undefined,
    onHang: () => undefined,
    onProblem: () => undefined,
  })
  return {made, greet: () => greet?.()}
}

test('who asks second gets the session, though who asked first has given up', async () => {
  const {made, greet} = keeper()
  const first = new AbortController()
  const [one, other] = [made.qmp(first.signal), made.qmp()]
  first.abort(new Error('the command is gone'))
  await assert.rejects(one, /the command is gone/)
  greet()
  assert.ok(await other)
  assert.equal(made.status, 'connected')
  made.close()
})

test('one that is let go of while it is opened is let go of for all', async () => {
  const {made} = keeper()
  const asked = made.qmp()
  made.release()
  await assert.rejects(asked, /released/)
  assert.equal(made.status, 'absent')
})

test.run()

import {strict as assert} from 'node:assert'

import {childrenOf, identify, isAlive, signalProcess} from '../../../src/os/proc.js'
import {suite} from '../../support/suite.js'

const test = suite('os/proc')

test('this process is alive under its own identity', async () => {
  const self = await identify(process.pid)
  assert.ok(self)
  assert.equal(await isAlive(self), true)
})

test('a later process with the same number is somebody else, and is never signalled', async () => {
  const self = await identify(process.pid)
  assert.ok(self)
  const other = {...self, startTicks: self.startTicks - 1}
  assert.equal(await isAlive(other), false)
  assert.equal(await signalProcess(other, 'SIGKILL'), false)
})

test('what does not exist has no identity', async () => {
  assert.equal(await identify(4_194_999), undefined)
})

test('children are found by their parent', async () => {
  assert.ok((await childrenOf(process.ppid)).includes(process.pid))
})

test.run()

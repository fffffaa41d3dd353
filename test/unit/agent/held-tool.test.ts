import assert from 'node:assert/strict'
import {HeldTool} from '../../../src/agent/held-tool.js'
import type {Child} from '../../../src/os/child.js'
import type {Clock} from '../../../src/os/clock.js'
import {suite} from '../../support/suite.js'

const test = suite('agent/held-tool')
const question = {change: 'link set dev a master b', look: 'link show dev a'}

test('a change and a look in one go; the line is the answer', async () => {
  const {tool, children} = rig()
  assert.equal(await tool.ask(question), undefined, 'nothing is held')
  tool.hold()
  tool.hold()
  assert.equal(await tool.ask(question), 'answer 0')
  assert.deepEqual(children[0]?.written, ['link set dev a master b\nlink show dev a\n'])
  assert.equal(children.length, 1)
})

test('one that was used serves what comes together with it, and is replaced before the next time', async () => {
  const {tool, children, wait} = rig()
  tool.hold()
  await tool.ask(question)
  wait(900)
  assert.equal(await tool.ask(question), 'answer 0')
  wait(200)
  assert.equal(await tool.ask(question), undefined, 'it may know a device of before')
  tool.hold()
  assert.equal(await tool.ask(question), 'answer 1')
  assert.deepEqual(
    children.map(({ended}) => ended),
    [true, false],
  )
})

test('one that does not answer is ended: a late answer is nobody’s', async () => {
  const {tool, children} = rig()
  tool.hold()
  children.push({...(children.pop() ?? assert.fail()), silent: true})
  assert.equal(await tool.ask(question), undefined)
  assert.equal(await tool.ask(question), undefined)
  assert.equal(children[0]?.ended, true)
})

test('a program that cannot be started is no harm', async () => {
  const tool = new HeldTool('tc', {start: () => Promise.reject(new Error('missing')), clock: clockAt(() => 0)})
  tool.hold()
  assert.equal(await tool.ask(question), undefined)
  tool.drop()
})

interface Started {
  readonly written: string[]
  ended: boolean
  silent: boolean
}

function rig() {
  const children: Started[] = []
  let nowMs = 0
  const start = (): Promise<Child> => {
    const number = children.length
    children.push({written: [], ended: false, silent: false})
    const at = (): Started => children[number] ?? assert.fail()
    return Promise.resolve({
      write: (line: string) => void at().written.push(line),
      nextLine: () => (at().silent ? Promise.reject(new Error('no line')) : Promise.resolve(`answer ${number}`)),
      end: () => {
        at().ended = true
        return Promise.resolve()
      },
    })
  }
  const tool = new HeldTool('ip', {start, clock: clockAt(() => nowMs)})
  return {tool, children, wait: (ms: number) => (nowMs += ms)}
}

function clockAt(monotonic: () => number): Clock {
  return {now: monotonic, monotonic, sleep: () => Promise.resolve()}
}

test.run()

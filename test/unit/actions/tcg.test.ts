import * as assert from 'uvu/assert'
import {isSettled, parseJit} from '../../../src/agent/actions/tcg.js'
import {performAction} from '../../../src/agent/actions/index.js'
import {suite} from '../../support/suite.js'
import {world} from './context.js'

const test = suite('tcg-settle')

/** Lines of `info jit` of QEMU 11.1.3 as a lab guest boots; captured twice a second. */
const boot = [
  [1289, 2],
  [14_974, 944],
  [56_368, 3981],
  [78_936, 15_733],
  [110_053, 15_839],
  [110_408, 15_839],
  [110_668, 15_839],
] as const
const text = ([blocks, invalidated]: readonly [number, number]) =>
  `Translation buffer state:\ngen code size 1/2\nTB count            ${blocks}\nTB avg target size  18 max=1884 B\n\nStatistics:\nTB flush count      0\nTB invalidate count ${invalidated}\n`

test('reads the counters', () => {
  assert.equal(parseJit(text(boot[1])), {blocks: 14_974, invalidated: 944})
  assert.is(parseJit('JIT information is only available with accel=tcg'), undefined)
})

test('a guest that boots is not settled, one that serves is', () => {
  const samples = boot.map((line) => parseJit(text(line))!)
  const settled = samples.slice(1).map((now, index) => isSettled(samples[index]!, now))
  assert.equal(settled, [false, false, false, false, true, true])
})

test('an emptied cache tells nothing', () => {
  assert.is(isSettled({blocks: 100_000, invalidated: 1}, {blocks: 20, invalidated: 1}), false)
})

/** Lines of `info jit` of a firmware that loads a kernel for a while, and of the booted guest; one for each time it is asked. */
const fromDisk = [1569, 5872, 5873, 5873, 5873, 8397, 8400, 21_340, 110_053, 110_400]

test('firmware that reads its disk without new code is not taken for a booted guest', async () => {
  const ask = async (boots: 'firmware' | undefined): Promise<number> => {
    const {context, session} = world()
    let asked = 0
    session.on({'human-monitor-command': () => text([fromDisk[asked++] ?? 110_400, 0])})
    await performAction({kind: 'tcg-settle', timeoutMs: 30_000, ...(boots && {boots})}, context)
    return asked
  }
  assert.is(await ask('firmware'), fromDisk.length)
  assert.is(await ask(undefined), 3)
})

test.run()

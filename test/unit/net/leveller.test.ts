import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {assemble, op} from '../../../src/net/forward/bpf.js'
import {levellerObject, programSection} from '../../../src/net/forward/leveller.js'
import {suite} from '../../support/suite.js'

/* What the program does is seen in test/contract/net/leveller.test.ts. */
const test = suite('net/leveller')

test('jumps lead to their labels, before or behind them', () => {
  const code = assemble([
    'start',
    op.set(0, 1),
    op.jumpUnless(0, 0, 'end'),
    op.jumpUnless(0, 7, 'start'),
    'end',
    op.exit,
  ])
  assert.deepEqual(
    [8, 16].map((at) => code.readInt16LE(at + 2)),
    [1, -3],
  )
  assert.throws(() => assemble([op.jumpUnless(0, 0, 'nowhere')]), /no label nowhere/)
})

test('another program has another name: a rule that is there already is told from the wished-for one by it', () => {
  const sum = createHash('sha256').update(levellerObject()).digest('hex').slice(0, 16)
  assert.equal(`${programSection} ${sum}`, 'colo_level_1 2b912f0cd8697028')
})

test.run()

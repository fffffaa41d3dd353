import {strict as assert} from 'node:assert'

import {parseFault} from '../../../src/lab/fault-words.js'
import {suite} from '../../support/suite.js'

const test = suite('lab/fault-words')

test('every form is understood', () => {
  assert.deepEqual(parseFault(['power-off', 'alpha']), {kind: 'power-off', host: 'alpha'})
  assert.deepEqual(parseFault(['stop', 'qemu', 'beta', 'web1']), {
    kind: 'signal-qemu',
    signal: 'stop',
    host: 'beta',
    pair: 'web1',
  })
  assert.deepEqual(parseFault(['kill', 'agent', 'gamma']), {kind: 'signal-agent', signal: 'kill', host: 'gamma'})
  assert.deepEqual(parseFault(['start', 'agent', 'gamma']), {kind: 'start-agent', host: 'gamma'})
  assert.deepEqual(parseFault(['cut', 'lan0', 'alpha'], {direction: 'in'}), {
    kind: 'cut',
    link: 'lan0',
    host: 'alpha',
    direction: 'in',
  })
  assert.deepEqual(parseFault(['heal', 'fwd1', 'beta']), {kind: 'heal', link: 'fwd1', host: 'beta'})
  assert.deepEqual(parseFault(['drop-connection', 'beta'], {port: 9999}), {
    kind: 'drop-connection',
    host: 'beta',
    port: 9999,
  })
  assert.deepEqual(parseFault(['stop-nbd', 'beta', 'web1']), {kind: 'stop-nbd', host: 'beta', pair: 'web1'})
  assert.deepEqual(parseFault(['free-scratch', 'beta']), {kind: 'free-scratch', host: 'beta'})
})

const refused: ReadonlyArray<readonly [words: string[], message: RegExp]> = [
  [[], /which fault/],
  [['explode', 'alpha'], /no fault "explode"/],
  [['power-off'], /takes 1 word after it, not 0/],
  [['power-off', 'delta'], /no host "delta"/],
  [['kill', 'qemu', 'alpha'], /takes 3 words/],
  [['kill', 'host', 'alpha'], /qemu or agent/],
  [['start', 'qemu', 'alpha', 'web1'], /takes agent/],
  [['stop', 'qemu', 'alpha', '../../etc'], /not a name/],
  [['cut', 'lan9', 'alpha'], /no link "lan9"/],
  [['drop-connection', 'alpha'], /needs --port/],
]

for (const [words, message] of refused) {
  test(`refused: ${words.join(' ') || '(nothing)'}`, () => {
    assert.throws(() => parseFault(words), message)
  })
}

test('flags of one form are refused with another', () => {
  assert.throws(() => parseFault(['crash', 'alpha'], {keepCarrier: true}), /neither/)
  assert.throws(() => parseFault(['heal', 'lan0', 'alpha'], {direction: 'in'}), /neither/)
  assert.throws(() => parseFault(['crash', 'alpha'], {port: 1}), /no --port/)
})

test.run()

import assert from 'node:assert/strict'
import fc from 'fast-check'
import {formatCommand, parseMessage} from '../../../src/qmp/messages.js'
import {suite} from '../../support/suite.js'

const test = suite('qmp messages')

test('a greeting is read without the blanks QEMU puts round the package', () => {
  const line =
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": " Debian 1 "}, "capabilities": ["oob"]}}'
  assert.deepEqual(parseMessage(line), {
    kind: 'greeting',
    greeting: {version: {major: 7, minor: 2, micro: 22, package: 'Debian 1'}, capabilities: ['oob']},
  })
})

test('the time of an event is in microseconds, and its data may be absent', () => {
  const line = '{"timestamp": {"seconds": 1795172222, "microseconds": 54221}, "event": "STOP"}'
  assert.deepEqual(parseMessage(line), {
    kind: 'event',
    event: {event: 'STOP', data: {}, atUs: 1_795_172_222_054_221},
  })
})

test('a return may be anything, null too', () => {
  assert.deepEqual(parseMessage('{"return": null, "id": "a"}'), {kind: 'return', id: 'a', value: null})
})

test('an error keeps the words of QEMU', () => {
  assert.deepEqual(parseMessage('{"id": "a", "error": {"class": "GenericError", "desc": "no"}}'), {
    kind: 'error',
    id: 'a',
    class: 'GenericError',
    desc: 'no',
  })
})

const broken = [
  '',
  '{"return": ',
  '[]',
  'null',
  '{}',
  '{"QMP": {}}',
  '{"event": "STOP"}',
  '{"event": 1, "timestamp": {"seconds": 1, "microseconds": 1}}',
  '{"event": "STOP", "data": [], "timestamp": {"seconds": 1, "microseconds": 1}}',
  '{"error": "no", "id": "a"}',
]
for (const line of broken) {
  test(`invalid, with the reason: ${line === '' ? '(empty line)' : line}`, () => {
    const message = parseMessage(line)
    assert.equal(message.kind, 'invalid')
  })
}

test('no line makes it throw, and a long one is cut in the reason', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      const message = parseMessage(line)
      if (message.kind === 'invalid') assert.ok(message.why.length < 200)
    }),
  )
})

test('a command is one line, whatever its arguments hold', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({noUnicodeString: false})), fc.boolean(), (args, oob) => {
      const line = formatCommand({name: 'migrate', args, id: 'colo-1', oob})
      assert.equal(line.indexOf('\n'), line.length - 1)
      const expected = {[oob ? 'exec-oob' : 'execute']: 'migrate', arguments: args, id: 'colo-1'}
      assert.equal(line, `${JSON.stringify(expected)}\n`)
    }),
  )
})

test('a command without arguments has no such member', () => {
  assert.equal(formatCommand({name: 'stop', args: undefined, id: 'x', oob: false}), '{"execute":"stop","id":"x"}\n')
})

test.run()

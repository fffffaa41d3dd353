import assert from 'node:assert/strict'
import fc from 'fast-check'
import {FramingError, LineFramer} from '../../../src/qmp/line-framer.js'
import {suite} from '../../support/suite.js'

const test = suite('line framer')

/** Any text without line ends, rich in characters of two to four bytes. */
const anyLine = fc.string({unit: 'binary'}).map((line) => line.replaceAll(/[\r\n]/g, '·'))

test('any lines cut into any chunks come out as they went in', () => {
  fc.assert(
    fc.property(fc.array(anyLine), fc.array(fc.nat(64)), fc.constantFrom('\n', '\r\n'), (lines, cuts, lineEnd) => {
      const bytes = Buffer.from(lines.map((line) => line + lineEnd).join(''))
      const framer = new LineFramer()
      assert.deepEqual(
        chunksOf(bytes, cuts).flatMap((chunk) => framer.push(chunk)),
        lines,
      )
      assert.equal(framer.pendingBytes, 0)
    }),
  )
})

test('a line is complete with its line end and not before', () => {
  const framer = new LineFramer()
  assert.deepEqual(framer.push(Buffer.from('{"a"')), [])
  assert.equal(framer.pendingBytes, 4)
  assert.deepEqual(framer.push(Buffer.from(': 1}\r')), [])
  assert.deepEqual(framer.push(Buffer.from('\n\n')), ['{"a": 1}', ''])
})

test('a character split over two chunks survives', () => {
  const bytes = Buffer.from('"é€😀"\n')
  for (let at = 0; at <= bytes.length; at++) {
    const framer = new LineFramer()
    const lines = [...framer.push(bytes.subarray(0, at)), ...framer.push(bytes.subarray(at))]
    assert.deepEqual(lines, ['"é€😀"'], `cut at ${at}`)
  }
})

test('a line of exactly the limit passes, one byte more does not, with or without its end', () => {
  assert.deepEqual(new LineFramer(4).push(Buffer.from('abcd\n')), ['abcd'])
  assert.throws(() => new LineFramer(4).push(Buffer.from('abcde\n')), FramingError)
  const framer = new LineFramer(4)
  framer.push(Buffer.from('abcd'))
  assert.throws(() => framer.push(Buffer.from('e')), FramingError)
})

test('the limit is 10 MB unless told', () => {
  assert.equal(new LineFramer().limitBytes, 10 * 1024 * 1024)
})

test('bytes that are not UTF-8 are an error, not replacement characters', () => {
  assert.throws(() => new LineFramer().push(Uint8Array.of(0x22, 0xff, 0x22, 0x0a)), FramingError)
})

test('the framer keeps no reference to a chunk the caller reuses', () => {
  const framer = new LineFramer()
  const chunk = Buffer.from('ab')
  framer.push(chunk)
  chunk.fill(0x78)
  assert.deepEqual(framer.push(Buffer.from('\n')), ['ab'])
})

/** Cuts at the given distances; what is left is the last chunk. */
function chunksOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let from = 0
  for (const length of cuts) {
    chunks.push(bytes.subarray(from, from + length))
    from += length
  }
  return [...chunks, bytes.subarray(from)]
}

test.run()

import assert from 'node:assert/strict'
import fc from 'fast-check'
import {planSchema} from '../../../src/agent/decode-action.js'
import {decodeRecord} from '../../../src/agent/decode-record.js'
import {decodeRequest} from '../../../src/agent/decode-request.js'
import {decode} from '../../../src/agent/decode.js'
import {IntentStore} from '../../../src/agent/intent-store.js'
import type {Files} from '../../../src/os/files.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {Plan} from '../../../src/plan/plan.js'
import {sampleRecord} from '../../support/sample-record.js'
import {suite} from '../../support/suite.js'

const test = suite('agent: decoding')

const id = fc.uuid()
const record: fc.Arbitrary<PairRecord> = fc
  .record({
    role: fc.constantFrom('primary' as const, 'secondary' as const),
    generation: fc.record({epoch: fc.integer({min: 1, max: 1e9}), id, ancestors: fc.array(id, {maxLength: 5})}),
    alone: fc.boolean(),
    clean: fc.boolean(),
    marks: fc.record(
      {
        stale: fc.string(),
        incomplete: fc.record({why: fc.constantFrom('resync' as const, 'commit' as const), detail: fc.string()}),
        notPromotable: fc.string(),
      },
      {requiredKeys: []},
    ),
    updatedAtMs: fc.nat(),
  })
  .map(sampleRecord)

test('a record survives being written and read', () => {
  fc.assert(
    fc.property(record, (value) => {
      const text = JSON.stringify(value)
      assert.deepEqual(decodeRecord(text, 'x'), JSON.parse(text))
    }),
  )
})

test('a record that was cut off anywhere is an error', () => {
  const text = JSON.stringify(sampleRecord())
  fc.assert(
    fc.property(fc.nat(text.length - 1), (length) => {
      assert.throws(() => decodeRecord(text.slice(0, length), 'x'))
    }),
  )
})

test('a record without a field, with one too many, or with another type is an error that names it', () => {
  const optional = new Set(['hosts.spare', 'vm.kernel', 'kernel.initrd'])
  for (const place of placesOf(sampleRecord())) {
    if (optional.has(place.slice(-2).join('.')) || place.includes('byHost') || place.includes('marks')) continue
    if (place[0] === 'addresses' || place[0] === 'beaconPorts' || place.at(-1) === 'scratch') continue
    const last = place.at(-1) ?? ''
    assert.throws(
      () =>
        decodeRecord(
          changed(place, (parent) => Reflect.deleteProperty(parent, last)),
          'file',
        ),
      /^DecodeError: file: /,
      place.join('.'),
    )
    assert.throws(
      () =>
        decodeRecord(
          changed(place, (parent) => (parent[last] = {no: 1})),
          'file',
        ),
      /^DecodeError: file: /,
    )
  }
  assert.throws(
    () =>
      decodeRecord(
        changed(['spec'], (top) => (top['novelty'] = 1)),
        'file',
      ),
    /novelty/,
  )
})

test('a newer format is told apart from a broken file', () => {
  assert.throws(() => decodeRecord('{"format":2}', 'file'), /format 2 is newer than this release reads/)
  assert.throws(() => decodeRecord('{"format":0}', 'file'), /DecodeError/)
})

const plan: Plan = {
  id: 'p',
  kind: 'create',
  pair: 'web1',
  title: 't',
  finish: 'f',
  pointOfNoReturn: 'alpha/a',
  steps: [
    {
      id: 'alpha/a',
      host: 'alpha',
      label: 'l',
      optional: true,
      actions: [
        {kind: 'record-create', record: sampleRecord()},
        {kind: 'nbd-server', ensure: 'absent'},
        {kind: 'nbd-server', ensure: 'present', address: '10.0.0.1', port: 9, maxConnections: 1},
        {kind: 'object', ensure: 'present', id: 'o', type: 'filter-mirror', properties: {a: 1, b: true, c: 'x'}},
        {kind: 'chardev', ensure: 'present', id: 'c', backend: {type: 'unix-server', path: '/run/x'}},
        {kind: 'yank', instances: [{type: 'migration'}, {type: 'block-node', 'node-name': 'n'}]},
      ],
      undo: [{kind: 'tap', tap: 'co52', state: 'down'}],
    },
  ],
}

test('a plan survives the wire', () => {
  assert.deepEqual(decode(planSchema, JSON.parse(JSON.stringify(plan)), 'plan'), plan)
  const request = {id: 1, method: 'intent.write', params: {pair: 'web1', plan, owner: 'me'}}
  assert.deepEqual(decodeRequest(JSON.stringify(request)), request)
})

test('an action of another kind, or with more than it has, is refused', () => {
  for (const action of [
    {kind: 'shell', command: 'rm -rf /'},
    {kind: 'vm-continue', extra: 1},
    {kind: 'nbd-server', ensure: 'absent', port: 1},
    {kind: 'file-remove', path: 'relative'},
    {kind: 'directory', path: '/x', mode: '0700', owner: 'root'},
    {kind: 'tap', tap: 'x', state: 'sideways'},
  ]) {
    const steps = [{id: 'a', host: 'alpha', label: 'l', actions: [action]}]
    const request = decodeRequest(JSON.stringify({id: 5, method: 'steps.run', params: {pair: 'web1', steps}}))
    assert.ok('error' in request, JSON.stringify(action))
    assert.equal(request.id, 5)
  }
})

test('no line of any client makes decoding throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.anything().map((value) => JSON.stringify(value) ?? ''),
      ),
      (line) => {
        assert.ok('error' in decodeRequest(line))
      },
    ),
  )
})

test('an intent is read back as written; a broken one is an error, not absent', async () => {
  const written = new Map<string, string>()
  const files = {
    readText: (path: string) => Promise.resolve(written.get(path)),
    writeAtomic: (path: string, text: string) => Promise.resolve(void written.set(path, text)),
    makeDirectory: () => Promise.resolve(),
  } as unknown as Files
  const first = new IntentStore({files, directory: '/p'})
  await first.write(plan, 'me', 7)
  await first.finished(['alpha/a'])
  const second = await new IntentStore({files, directory: '/p'}).read()
  assert.deepEqual(second, {format: 1, plan, owner: 'me', startedAtMs: 7, done: ['alpha/a'], committed: true})
  const text = written.get('/p/intent.json') ?? ''
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 3), async (length) => {
      const broken = {...files, readText: () => Promise.resolve(text.slice(0, length))} as unknown as Files
      await assert.rejects(new IntentStore({files: broken, directory: '/p'}).read())
    }),
  )
})

/** Every field of a value, as a path of keys. */
function placesOf(value: unknown, above: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const place = [...above, key]
    return [...(Array.isArray(value) ? [] : [place]), ...placesOf(inner, place)]
  })
}

function changed(place: readonly string[], change: (parent: Record<string, unknown>) => unknown): string {
  const copy = JSON.parse(JSON.stringify(sampleRecord())) as Record<string, unknown>
  let parent = copy
  for (const key of place.slice(0, -1)) parent = parent[key] as Record<string, unknown>
  change(parent)
  return JSON.stringify(copy)
}

test.run()

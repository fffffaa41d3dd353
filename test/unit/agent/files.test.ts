import assert from 'node:assert/strict'
import {readdirSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {EventRecorder} from '../../../src/agent/event-recorder.js'
import {sweep} from '../../../src/agent/sweep.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

const test = suite('agent: files and event history')

test('an atomic write replaces the file with its mode and leaves nothing beside it', async (t) => {
  const directory = temporaryDirectory(t, 'files')
  const path = join(directory, 'a.json')
  writeFileSync(path, 'old')
  await nodeFiles.writeAtomic(path, 'new', 0o600)
  assert.equal(await nodeFiles.readText(path), 'new')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  await assert.rejects(nodeFiles.writeAtomic(join(directory, 'none/x'), 'new', 0o600))
  assert.deepEqual(readdirSync(directory), ['a.json'])
})

test('S5: what a killed agent had not written to the end goes when the next one starts; what that one writes stays', async (t) => {
  const directory = temporaryDirectory(t, 'files')
  const left = ['intent.json.0123456789ab.tmp', 'record.json.ba9876543210.tmp']
  for (const name of [...left, 'record.json', 'mine.tmp']) writeFileSync(join(directory, name), '')
  await sweep(nodeFiles, directory, 0)
  assert.equal(readdirSync(directory).length, 4)
  await sweep(nodeFiles, directory, Date.now() + 3_600_000)
  assert.deepEqual(readdirSync(directory).sort(), ['mine.tmp', 'record.json'])
  await sweep(nodeFiles, join(directory, 'none'), 0)
})

test('what is absent is absent, not an error', async (t) => {
  const directory = temporaryDirectory(t, 'files')
  assert.equal(await nodeFiles.readText(join(directory, 'x')), undefined)
  assert.equal(await nodeFiles.stat(join(directory, 'x')), undefined)
  assert.equal(await nodeFiles.availableBytes(join(directory, 'x')), undefined)
  assert.deepEqual(await nodeFiles.list(join(directory, 'x')), [])
  await nodeFiles.remove(join(directory, 'x'))
  await nodeFiles.remove(join(directory, 'none/x'))
  writeFileSync(join(directory, 'y'), '')
  await nodeFiles.remove(join(directory, 'y'))
  assert.equal(await nodeFiles.stat(join(directory, 'y')), undefined)
  await nodeFiles.removeDirectory(join(directory, 'x'))
  await assert.rejects(nodeFiles.writeText(join(directory, 'x'), 'new'), /ENOENT/)
  await assert.rejects(nodeFiles.readText(directory), /EISDIR/)
})

test('appending keeps what is there', async (t) => {
  const path = join(temporaryDirectory(t, 'files'), 'log')
  await nodeFiles.append(path, 'a\n', {mode: 0o600, sync: true})
  await nodeFiles.append(path, 'b\n', {mode: 0o600, sync: false})
  assert.equal(await nodeFiles.readText(path), 'a\nb\n')
})

function recorderIn(directory: string, limitBytes: number): EventRecorder {
  const problems: string[] = []
  const now = (): number => 1
  return new EventRecorder({
    files: nodeFiles,
    directory,
    pair: 'web1',
    now,
    limitBytes,
    onProblem: (text) => problems.push(text),
  })
}

test('the history is bounded, and what decided something outlives the rest', async (t) => {
  const directory = temporaryDirectory(t, 'files')
  const recorder = recorderIn(directory, 2000)
  await recorder.record({type: 'COLO_EXIT', data: {reason: 'error'}, decisive: true})
  for (let round = 0; round < 20; round++) {
    for (let at = 0; at < 10; at++) await recorder.record({type: at % 2 === 0 ? 'STOP' : 'RESUME'})
    await recorder.flush(false)
  }
  const events = await recorder.read()
  assert.equal(events[0]?.type, 'COLO_EXIT')
  assert.equal(events.at(-1)?.seq, 201)
  const bytes = readdirSync(directory).map((name) => statSync(join(directory, name)).size)
  assert.ok(bytes.length <= 2 && bytes.every((size) => size < 4000), bytes.join())
  assert.deepEqual(
    (await recorder.read(199)).map(({seq}) => seq),
    [200, 201],
  )
})

test('a line cut off by a crash is skipped, and numbers go on', async (t) => {
  const directory = temporaryDirectory(t, 'files')
  const first = recorderIn(directory, 10_000)
  await first.record({type: 'A', decisive: true})
  await nodeFiles.append(join(directory, 'events.jsonl'), '{"seq":2,"atMs":1,"pa', {mode: 0o600, sync: false})
  const second = recorderIn(directory, 10_000)
  await second.load()
  await second.record({type: 'B', decisive: true})
  const events = await second.read()
  assert.deepEqual(
    events.map(({type}) => type),
    ['A', 'B'],
  )
  assert.ok((events[1]?.seq ?? 0) > 2)
})

test.run()

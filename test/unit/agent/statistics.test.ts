import {writeFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as assert from 'uvu/assert'
import {EventRecorder} from '../../../src/agent/event-recorder.js'
import {Statistics} from '../../../src/agent/statistics.js'
import {Tracer} from '../../../src/agent/tracer.js'
import {systemClock} from '../../../src/os/clock.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import type {QmpSession} from '../../../src/qmp/session.js'
import {FakeClock, FakeSession} from '../actions/fake-vm.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

const test = suite('agent: statistics')

/** An agent's half of a pair, as at its start. */
async function start(directory: string, problems: string[] = []) {
  const problem = (text: string): void => void problems.push(text)
  const events = new EventRecorder({files: nodeFiles, directory, pair: 'web1', now: () => 1000, onProblem: problem})
  await events.load()
  const statistics = new Statistics({
    files: nodeFiles,
    directory,
    clock: systemClock,
    events,
    delayMs: () => 1000,
    problem,
  })
  await statistics.load()
  const tell = async (type: string, atMs: number, data: Record<string, unknown> = {}): Promise<void> => {
    await events.record({type, atMs, data})
    if (type === 'STOP') statistics.feed({kind: 'stop', atMs})
    else if (type === 'RESUME') statistics.feed({kind: 'resume', atMs})
    else if (type === 'MIGRATION') statistics.feed({kind: 'begin', atMs, side: 'primary'})
  }
  return {events, statistics, tell}
}

test('figures survive a restart of the agent', async (t) => {
  const directory = temporaryDirectory(t, 'stats')
  const first = await start(directory)
  await first.tell('MIGRATION', 0, {status: 'colo'})
  await first.tell('STOP', 100)
  await first.tell('RESUME', 145)
  await first.events.flush(true)
  await first.statistics.save()
  const {statistics} = await start(directory)
  assert.is(statistics.series.total, 1)
  assert.equal(JSON.stringify(statistics.series.recent), JSON.stringify(first.statistics.series.recent))
  assert.equal(statistics.series.durations, first.statistics.series.durations)
})

test('after a crash the events since the last saving are added again, and none twice', async (t) => {
  const directory = temporaryDirectory(t, 'stats')
  const first = await start(directory)
  await first.tell('MIGRATION', 0, {status: 'colo'})
  await first.tell('STOP', 100)
  await first.tell('RESUME', 145)
  await first.statistics.save()
  await first.tell('STOP', 1100)
  await first.tell('RESUME', 1150)
  await first.events.flush(true)
  const {statistics} = await start(directory)
  assert.is(statistics.series.total, 2)
  assert.equal(
    statistics.series.recent.map(({durationMs}) => durationMs),
    [45, 50],
  )
})

test('after a crash before the first saving the session under way is counted from its events', async (t) => {
  const directory = temporaryDirectory(t, 'stats')
  const first = await start(directory)
  for (const beginMs of [0, 10_000]) {
    await first.tell('MIGRATION', beginMs, {status: 'colo'})
    await first.tell('STOP', beginMs + 100)
    await first.tell('RESUME', beginMs + 145)
  }
  await first.events.flush(true)
  const {statistics} = await start(directory)
  assert.is(statistics.series.total, 1)
  assert.is(statistics.series.beganAtMs, 10_000)
})

test('a broken file, or one of a newer format, begins anew and harms nothing', async (t) => {
  const directory = temporaryDirectory(t, 'stats')
  for (const text of ['{', '{"format":99,"seq":1,"series":{"total":5}}', '[]', '']) {
    writeFileSync(join(directory, 'stats.json'), text)
    assert.is((await start(directory)).statistics.series.total, 0, text)
  }
})

test('what is kept does not grow', async (t) => {
  const directory = temporaryDirectory(t, 'stats')
  const {statistics} = await start(directory)
  statistics.feed({kind: 'begin', atMs: 0, side: 'primary'})
  const sizes: number[] = []
  for (let n = 1; n <= 40_000; n++) {
    statistics.feed({kind: 'stop', atMs: n * 1000})
    statistics.feed({kind: 'resume', atMs: n * 1000 + (n % 90)})
    if (n % 20_000 === 0) {
      await statistics.save()
      sizes.push((await readFile(join(directory, 'stats.json'))).length)
    }
  }
  const [first = 0, second = 0] = sizes
  assert.ok(second < 40_000 && second - first < 500, sizes.join(' '))
})

test('traces: read from two files in turn, counted, removed; off leaves nothing', async (t) => {
  const directory = temporaryDirectory(t, 'stats')
  const session = new FakeSession(new FakeClock())
  let logFile = ''
  const on: string[] = []
  session.on({
    'human-monitor-command': (args) => {
      logFile = String(args['command-line']).replace('logfile ', '')
      return ''
    },
    'trace-event-set-state': (args) => {
      if (args['enable'] === true) on.push(String(args['name']))
      return {}
    },
  })
  const qmp = session as unknown as QmpSession
  const tracer = new Tracer({files: nodeFiles, runDir: directory, problem: (text) => assert.unreachable(text)})
  await tracer.set('checkpoints', qmp)
  assert.ok(on.includes('colo_send_message') && !on.includes('colo_compare_main'))
  writeFileSync(logFile, "1@1.000000:colo_vm_state_change Change 'run' => 'stop'\n1@1.0")
  tracer.tick(qmp)
  await tracer.set('checkpoints', qmp)
  writeFileSync(logFile, "1@1.050000:colo_vm_state_change Change 'stop' => 'run'\n")
  await tracer.set('off', qmp)
  assert.is(tracer.phases?.durations.pause.count, 1)
  assert.is(tracer.phases?.durations.pause.maxMs, 50)
  assert.is(logFile, '/dev/null')
  assert.equal(await nodeFiles.list(directory), [])
})

test('traces: what QEMU cannot write is an error with its words', async (t) => {
  const session = new FakeSession(new FakeClock())
  session.on({
    'human-monitor-command': () => 'could not open: Permission denied\r\n',
    'trace-event-set-state': () => ({}),
  })
  const tracer = new Tracer({files: nodeFiles, runDir: temporaryDirectory(t, 'stats'), problem: () => undefined})
  try {
    await tracer.set('checkpoints', session)
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, 'Permission denied')
  }
  assert.is(tracer.tracing, 'off')
})

test.run()

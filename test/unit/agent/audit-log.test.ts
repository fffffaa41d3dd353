import assert from 'node:assert/strict'
import {readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {AuditLog} from '../../../src/agent/audit-log.js'
import {systemClock} from '../../../src/os/clock.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import type {Plan} from '../../../src/plan/plan.js'
import {suite, type T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

const test = suite('audit log')

const plan = (title: string): Plan => ({id: title, kind: 'failover', pair: 'web1', title, steps: [], finish: 'x'})
const generation = (epoch: number) => ({epoch, id: `g${epoch}`, ancestors: []})
const change = (title: string) => ({
  pair: 'web1',
  plan: plan(title),
  owner: 'x',
  origin: undefined,
  generation: () => undefined,
})
const origin = {user: 'root', sudo: 'ann', argv: ['pair', 'failover', 'web1']}

function logOf(t: T) {
  const directory = temporaryDirectory(t, 'audit')
  const file = join(directory, 'colo/audit.log')
  const problems: string[] = []
  const options = {files: nodeFiles, clock: systemClock, host: 'alpha', problem: (text: string) => problems.push(text)}
  const log = new AuditLog({...options, file})
  const lines = async (count: number): Promise<Array<Record<string, unknown>>> => {
    for (;;) {
      const text = (await nodeFiles.readText(file)) ?? ''
      const found = text.split('\n').filter((line) => line !== '')
      if (found.length >= count) return found.map((line) => JSON.parse(line) as Record<string, unknown>)
      await systemClock.sleep(5)
    }
  }
  return {directory, file, log, lines, problems, options}
}

test('a change is two lines: begun, and how it ended, with the generations before and after', async (t) => {
  const {file, log, lines} = logOf(t)
  let epoch = 3
  const current = () => generation(epoch)
  log.begin({pair: 'web1', plan: plan('fail over web1'), owner: 'root@admin pid 7', origin, generation: current})
  epoch = 4
  log.end('web1', 'done')
  log.end('web1', 'unfinished')
  const [begun, done, ...more] = await lines(2)
  assert.deepEqual(more, [])
  assert.equal(typeof begun?.['time'], 'string')
  assert.deepEqual(
    {...begun, time: ''},
    {
      ...{time: '', host: 'alpha', pair: 'web1', what: 'fail over web1', kind: 'failover', plan: 'fail over web1'},
      ...{result: 'begun', epoch: 3, generation: 'g3', by: 'root@admin pid 7', ...origin},
    },
  )
  assert.deepEqual([done?.['result'], done?.['epoch'], done?.['generation']], ['done', 4, 'g4'])
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.ok(readFileSync(file, 'utf8').endsWith('}\n'))
})

test('one that another follows without an end was not finished', async (t) => {
  const {log, lines} = logOf(t)
  log.begin(change('a'))
  log.begin(change('b'))
  assert.deepEqual(
    (await lines(3)).map(({plan: id, result}) => [id, result]),
    [
      ['a', 'begun'],
      ['a', 'unfinished'],
      ['b', 'begun'],
    ],
  )
})

test('what cannot be written is told, and stops nothing', async (t) => {
  const {directory, options, problems} = logOf(t)
  await nodeFiles.writeAtomic(join(directory, 'file'), '', 0o600)
  const log = new AuditLog({...options, file: join(directory, 'file/audit.log')})
  log.begin(change('a'))
  while (problems.length === 0) await systemClock.sleep(5)
  assert.match(problems[0] ?? '', /^audit: /)
  new AuditLog({...options, file: undefined}).begin(change('a'))
})

test.run()

import * as assert from 'uvu/assert'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import type {ActionContext} from '../../../src/agent/action-context.js'
import {destroyOwn} from '../../../src/agent/xen/domain.js'
import {systemClock} from '../../../src/os/clock.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import {identify} from '../../../src/os/proc.js'
import type {Run} from '../../../src/os/process.js'
import {xenLayoutAt} from '../../../src/xen/layout.js'
import {suite} from '../../support/suite.js'

const test = suite('end of a domain that xl remus holds')

test('a domain whose pages xl remus maps is gone only when xl has ended: it is ended with its domain, not before', async (t) => {
  const runDir = await mkdtemp(join(tmpdir(), 'colo-destroy-'))
  t.defer(() => rm(runDir, {recursive: true}))
  const layout = xenLayoutAt('xrem', runDir)
  await mkdir(layout.directory)
  // in the place of xl remus: a group of processes of its own, as the agent starts it
  const remus = spawn('sh', ['-c', 'sleep 600 & wait'], {detached: true, stdio: 'ignore'})
  const ended = once(remus, 'exit').then(() => true)
  t.defer(() => {
    if (remus.exitCode === null && remus.signalCode === null) remus.kill('SIGKILL')
  })
  await writeFile(layout.remusState, JSON.stringify(await identify(remus.pid ?? -1)))
  await writeFile(layout.domainState, '{"domid":7}')
  const said: string[] = []
  const run: Run = async ([, verb = '', ...words]) => {
    const isThere = !said.includes('destroy 7') || (remus.exitCode === null && remus.signalCode === null)
    if (verb !== 'list') said.push([verb, ...words].join(' '))
    if (verb === 'destroy') assert.is(remus.signalCode, null, 'xl lets nobody go on while the domain is there')
    const rows = [
      'Name ID Mem VCPUs State Time(s)',
      'Domain-0 0 9 1 r----- 1.0',
      ...(isThere ? ['xrem 7 9 1 ---ss- 1.0'] : []),
    ]
    return {stdout: rows.join('\n'), stderr: '', durationMs: 0}
  }
  const context = {
    run,
    files: nodeFiles,
    clock: systemClock,
    signal: t.signal,
    pair: 'xrem',
    layout: {runDir},
    record: {read: async () => ({role: 'primary'})},
  } as unknown as ActionContext
  assert.is(await destroyOwn(context), 'changed')
  assert.ok(await ended)
  assert.equal(said, ['destroy 7'])
}, 60_000)

test.run()

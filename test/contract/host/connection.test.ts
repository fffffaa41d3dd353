import {mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {delimiter, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import * as assert from 'uvu/assert'
import {UnreachableError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import {connectAgent} from '../../../src/host/connection.js'
import {openDirectory} from '../../../src/host/ssh/directory.js'
import {systemClock} from '../../../src/os/clock.js'
import {run, type Run} from '../../../src/os/process.js'
import type {ConnectionSpec} from '../../../src/pair/inventory.js'
import {suite, type T} from '../../support/suite.js'
import {entryOf} from '../../unit/host/samples.js'
import {fakeAgent, withHello, type FakeAgent} from './fake-agent.js'

const test = suite('contract/host/connection')
const fakes = fileURLToPath(new URL('../../fixtures/ssh/', import.meta.url))
const remote: ConnectionSpec = {kind: 'ssh', user: 'root', address: '10.99.0.2'}

interface Rig {
  readonly directory: string
  readonly agent: FakeAgent
  readonly connect: (options?: {
    ssh?: string
    limitMs?: number
    signal?: AbortSignal
    local?: true
  }) => Promise<AgentClient>
  /** command lines of ssh so far */
  readonly started: () => Promise<string[]>
}

/** A fake agent, a private runtime directory, and fake ssh programs first in PATH. */
async function rig(t: T, answer = withHello('beta')): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-ssh-'))
  t.defer(() => rm(directory, {recursive: true, force: true}))
  const agent = await fakeAgent(join(directory, 'agent.sock'), answer)
  t.defer(() => agent.close())
  const log = join(directory, 'ssh.log')
  return {
    directory,
    agent,
    async connect({ssh = 'works', limitMs = 3000, signal, local} = {}) {
      const path = ssh === 'none' ? directory : `${fakes}${ssh}${delimiter}${process.env['PATH'] ?? ''}`
      const faked: Run = (argv, options) =>
        run(argv, {...options, env: {PATH: path, FAKE_AGENT: agent.path, FAKE_LOG: log}})
      const client = await connectAgent(entryOf('beta', {connection: local === true ? {kind: 'local'} : remote}), {
        clock: systemClock,
        run: faked,
        signal,
        connectTimeoutMs: limitMs,
        env: {XDG_RUNTIME_DIR: directory, COLO_AGENT_SOCKET: agent.path},
      })
      t.defer(() => {
        client.close()
      })
      return client
    },
    async started() {
      const text = await readFile(log, 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    },
  }
}

async function failure(connecting: Promise<unknown>): Promise<UnreachableError> {
  const error = await connecting.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.instance(error, UnreachableError, `got ${String(error)}`)
  const unreachable = error as UnreachableError
  assert.is(unreachable.exit, 20)
  assert.is(unreachable.host, 'beta')
  assert.ok((unreachable.hint ?? '').length > 10, 'a remedy')
  return unreachable
}

test('a local agent', async (t) => {
  const {connect, agent} = await rig(t)
  const client = await connect({local: true})
  assert.is(client.hello.host, 'beta')
  agent.close()
  const error = await failure(connect({local: true}))
  assert.match(error.message, /agent of beta is not running/)
  assert.match(error.hint ?? '', /systemctl start colo-agent/)
})

test('a local agent that hangs', async (t) => {
  const {connect} = await rig(t, () => [])
  const error = await failure(connect({local: true, limitMs: 100}))
  assert.match(error.message, /did not say hello within \d+ ms \(.*agent\.sock\)/)
  assert.match(error.hint ?? '', /restart colo-agent/)
})

test('the first command starts one ssh, the next none', async (t) => {
  const {connect, started, agent, directory} = await rig(t)
  assert.is((await connect()).hello.version, '0.1.0')
  assert.is((await started()).length, 1)
  for (let again = 0; again < 3; again++) await connect()
  assert.is((await started()).length, 1)
  assert.is(agent.accepted(), 4)
  assert.is((await stat(join(directory, 'colo'))).mode & 0o777, 0o700)
  assert.equal((await readdir(join(directory, 'colo'))).map((name) => name.replace(/^[0-9a-f]{12}/, 'H')).sort(), [
    'H.c',
    'H.s',
  ])
})

test('a settled socket behind which nobody listens is replaced', async (t) => {
  const {connect, started, directory} = await rig(t)
  await connect()
  const sockets = join(directory, 'colo')
  const name = (await readdir(sockets)).find((file) => file.endsWith('.s')) ?? ''
  await rm(join(sockets, name))
  await writeFile(join(sockets, name), '') // what a killed master leaves refuses, as this does
  await connect()
  assert.is((await started()).length, 2)
  await connect()
  assert.is((await started()).length, 2)
})

test('two commands at once both connect, and leave one set of names', async (t) => {
  const {connect, started, directory} = await rig(t)
  await Promise.all([connect(), connect(), connect()])
  const count = (await started()).length
  await connect()
  assert.is((await started()).length, count)
  assert.is((await readdir(join(directory, 'colo'))).length, 2)
})

test('what a killed command left behind is swept away, what a living one makes is not', async (t) => {
  const {connect, directory} = await rig(t)
  const sockets = join(directory, 'colo')
  await mkdir(sockets, {mode: 0o700})
  const dead = `0123456789ab.c-${(4_000_000).toString(36)}-1`
  const living = `0123456789ab.c-${process.pid.toString(36)}-1`
  await writeFile(join(sockets, dead), '')
  await writeFile(join(sockets, living), '')
  await connect()
  const left = await readdir(sockets)
  assert.not(left.includes(dead))
  assert.ok(left.includes(living))
})

test('ssh is refused: what, where, and what to do', async (t) => {
  const {connect} = await rig(t)
  const error = await failure(connect({ssh: 'refused'}))
  assert.match(error.message, /cannot reach beta: ssh to 10\.99\.0\.2 failed after \d+ ms: .*Connection refused/)
  assert.match(error.hint ?? '', /no sshd is listening/)
})

test('no ssh installed', async (t) => {
  const {connect} = await rig(t)
  const error = await failure(connect({ssh: 'none'}))
  assert.match(error.message, /ssh is not installed here/)
})

for (const ssh of ['hangs', 'stubborn']) {
  test(`ssh that ${ssh === 'hangs' ? 'hangs' : 'does not even die'} is given up in time`, async (t) => {
    const {connect, directory} = await rig(t)
    const startedMs = performance.now()
    const error = await failure(connect({ssh, limitMs: 900}))
    assert.ok(performance.now() - startedMs < 1500, `${Math.round(performance.now() - startedMs)} ms`)
    assert.match(error.message, /no login over ssh at 10\.99\.0\.2 within \d+ ms/)
    assert.equal(await readdir(join(directory, 'colo')), [])
  })
}

test('a helper that holds the pipe of ssh open delays, but does not fail', async (t) => {
  const {connect} = await rig(t)
  const startedMs = performance.now()
  await connect({ssh: 'holds', limitMs: 1500})
  assert.ok(performance.now() - startedMs < 2000)
})

test('the master lives, the agent does not: told without starting another ssh', async (t) => {
  let running = true
  const {connect, started} = await rig(t, (request, port) => {
    if (running) return withHello('beta')(request, port)
    port.destroy() // as sshd does when it cannot reach the agent's socket
    return []
  })
  await connect()
  running = false
  const error = await failure(connect())
  assert.match(error.message, /agent of beta is not running/)
  assert.match(error.hint ?? '', /systemctl start colo-agent/)
  const lines = await started()
  assert.is(lines.filter((line) => line.includes('-fNT')).length, 1)
  assert.is(lines.filter((line) => line.includes('-O check')).length, 1)
})

test('an agent that hangs: a second way is tried, then it is named, all in time', async (t) => {
  let running = true
  const {connect} = await rig(t, (request, port) => (running ? withHello('beta')(request, port) : []))
  await connect()
  running = false
  const startedMs = performance.now()
  const error = await failure(connect({limitMs: 2000}))
  assert.ok(performance.now() - startedMs < 2300)
  assert.match(error.message, /did not say hello/)
  running = true
  await connect()
})

test('Ctrl-C ends the wait with the reason of the signal', async (t) => {
  const {connect} = await rig(t)
  const stop = new AbortController()
  const connecting = connect({ssh: 'hangs', signal: stop.signal})
  setTimeout(() => {
    stop.abort(new Error('Ctrl-C'))
  }, 50)
  const error = await connecting.then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  )
  assert.is(error?.message, 'Ctrl-C')
})

test('a directory that others may use is not used', async (t) => {
  const {directory} = await rig(t)
  await mkdir(join(directory, 'colo'), {mode: 0o755})
  assert.is.not(await openDirectory({XDG_RUNTIME_DIR: directory}), join(directory, 'colo'))
})

test.run()

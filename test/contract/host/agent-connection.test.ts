import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import * as assert from 'uvu/assert'
import {protocolVersion} from '../../../src/agent/protocol.js'
import {ColoError, TimedOutError, UnreachableError} from '../../../src/errors.js'
import {observeParams, type AgentClient} from '../../../src/host/agent-client.js'
import {HelloError, openAgent} from '../../../src/host/agent-connection.js'
import {AgentError} from '../../../src/host/agent-wire.js'
import {connectUnix} from '../../../src/os/sockets.js'
import {suite, type T} from '../../support/suite.js'
import {fakeAgent, helloOf, withHello, type FakeAgent, type FakeRequest} from './fake-agent.js'

const test = suite('contract/host/agent-connection')

type Answer = Parameters<typeof fakeAgent>[1]

async function served(t: T, answer: Answer): Promise<FakeAgent> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-agent-'))
  t.defer(() => rm(directory, {recursive: true}))
  const agent = await fakeAgent(join(directory, 'agent.sock'), answer)
  t.defer(() => agent.close())
  return agent
}

async function connected(t: T, answer: Answer, timeoutMs = 2000): Promise<{client: AgentClient; agent: FakeAgent}> {
  const agent = await served(t, answer)
  const port = await connectUnix({path: agent.path, timeoutMs: 1000})
  const client = await openAgent(port, {host: 'beta', timeoutMs})
  t.defer(() => {
    client.close()
  })
  return {client, agent}
}

async function failureOf<E extends Error>(promise: Promise<unknown>, type: new (...args: never[]) => E): Promise<E> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.instance(error, type, `got ${String(error)}`)
  return error as E
}

test('hello comes first, then calls are answered by id, in any order', async (t) => {
  const held: FakeRequest[] = []
  const {client} = await connected(
    t,
    withHello('beta', (request) => {
      held.push(request)
      if (held.length < 3) return []
      return held.reverse().map(({id, method}) => ({id, result: {pairs: [method, String(id)]}}))
    }),
  )
  assert.is(client.hello.version, '0.1.0')
  const replies = await Promise.all([1, 2, 3].map(() => client.call('pairs.list', {})))
  assert.equal(
    replies.map(({pairs}) => pairs[1]),
    ['2', '3', '4'],
  )
})

test('progress and events reach their own call, before its reply', async (t) => {
  const {client} = await connected(
    t,
    withHello('beta', ({id}) => [
      {id, progress: {step: 'mirror', state: 'running', doneBytes: 1, atMs: 0}},
      {id, event: {seq: 7, atMs: 0, pair: 'web1', type: 'STOP', data: {}}},
      {id, result: {events: []}},
    ]),
  )
  const order: string[] = []
  await client.call(
    'events.read',
    {pair: 'web1'},
    {onProgress: ({step}) => order.push(step), onEvent: ({type}) => order.push(type)},
  )
  assert.equal(order, ['mirror', 'STOP'])
})

test('an error crosses the wire with code, exit status, hint and step', async (t) => {
  const sent = {code: 'conflict', exit: 4, message: 'web1 is locked by root', hint: 'wait', step: 's1'}
  const {client} = await connected(
    t,
    withHello('beta', ({id}) => [{id, error: sent}]),
  )
  const error = await failureOf(client.call('steps.run', {pair: 'web1', steps: []}), AgentError)
  assert.equal({code: error.code, exit: error.exit, message: error.message, hint: error.hint, step: error.step}, sent)
  assert.ok(error instanceof ColoError)
  assert.equal([error.host, error.method], ['beta', 'steps.run'])
})

test('an exit status of a newer agent becomes 1', async (t) => {
  const {client} = await connected(
    t,
    withHello('beta', ({id}) => [{id, error: {code: 'new', exit: 99, message: 'new'}}]),
  )
  assert.is((await failureOf(client.call('pairs.list', {}), AgentError)).exit, 1)
})

test('a reply cut into single bytes is put together', async (t) => {
  const {client} = await connected(
    t,
    withHello('beta', ({id}, port) => {
      for (const byte of Buffer.from(`${JSON.stringify({id, result: {pairs: ['wéb']}})}\n`))
        port.write(Uint8Array.of(byte))
      return []
    }),
  )
  assert.equal(await client.call('pairs.list', {}), {pairs: ['wéb']})
})

test('no call to a slow host is given up before its answerTimeout, whatever limit it names', async (t) => {
  const agent = await served(
    t,
    withHello('beta', ({id}, port) => {
      setTimeout(() => port.write(`${JSON.stringify({id, result: {pairs: ['late']}})}\n`), 200)
      return []
    }),
  )
  const port = await connectUnix({path: agent.path, timeoutMs: 1000})
  const client = await openAgent(port, {host: 'beta', timeoutMs: 2000, answerTimeoutMs: 9000})
  t.defer(() => {
    client.close()
  })
  assert.equal(await client.call('pairs.list', {}, {timeoutMs: 1}), {pairs: ['late']})
  assert.equal(observeParams(client, 'web1'), {pair: 'web1', withinMs: 9000})
})

test('a call without reply ends in time, names what it waited for, and its late reply is dropped', async (t) => {
  const late: FakeRequest[] = []
  const {client} = await connected(
    t,
    withHello('beta', (request) => {
      late.push(request)
      return late.length === 1 ? [] : late.map(({id}) => ({id, result: {pairs: [String(id)]}}))
    }),
  )
  const error = await failureOf(client.call('pairs.list', {}, {timeoutMs: 50}), TimedOutError)
  assert.match(error.message, /agent of beta gave no answer to pairs\.list within 50 ms/)
  assert.equal(await client.call('pairs.list', {}), {pairs: ['3']})
})

test('progress does not extend the limit of a call', async (t) => {
  const {client} = await connected(
    t,
    withHello('beta', ({id}, port) => {
      const timer = setInterval(
        () => port.write(`${JSON.stringify({id, progress: {step: 's', state: 'running', atMs: 0}})}\n`),
        10,
      )
      port.onClose(() => {
        clearInterval(timer)
      })
      return []
    }),
  )
  await failureOf(client.call('pairs.list', {}, {timeoutMs: 80}), TimedOutError)
})

test('all pending calls are rejected when the socket ends, and later ones at once', async (t) => {
  const waiting: Array<() => void> = []
  const {client, agent} = await connected(
    t,
    withHello('beta', () => {
      if (waiting.length === 0) waiting.push(() => undefined)
      else agent.drop()
      return []
    }),
  )
  const [first, second] = [client.call('pairs.list', {}), client.call('pairs.list', {})]
  for (const call of [first, second]) {
    const error = await failureOf(call, UnreachableError)
    assert.is(error.exit, 20)
    assert.match(error.message, /agent of beta: connection closed/)
  }
  await failureOf(client.call('pairs.list', {}), UnreachableError)
})

test('close rejects what is pending', async (t) => {
  const {client} = await connected(t, withHello('beta'))
  const call = client.call('pairs.list', {})
  client.close()
  await failureOf(call, UnreachableError)
})

test('an abort gives the reason of the signal', async (t) => {
  const {client} = await connected(t, withHello('beta'))
  const stop = new AbortController()
  const call = client.call('pairs.list', {}, {signal: stop.signal})
  stop.abort(new Error('Ctrl-C'))
  assert.is((await failureOf(call, Error)).message, 'Ctrl-C')
})

test('a callback that throws fails its own call only', async (t) => {
  const {client} = await connected(
    t,
    withHello('beta', ({id, method}) =>
      method === 'pairs.list'
        ? [{id, result: {pairs: []}}]
        : [{id, event: {seq: 1, atMs: 0, pair: 'web1', type: 'STOP', data: {}}}],
    ),
  )
  const broken = client.call('events.read', {pair: 'web1'}, {onEvent: () => assert.unreachable('drawn')})
  assert.match((await failureOf(broken, Error)).message, /drawn/)
  assert.equal(await client.call('pairs.list', {}), {pairs: []})
})

for (const [what, line] of [
  ['text', 'Welcome to sshd\n'],
  ['no id', '{"result": {}}\n'],
  ['nothing in it', '{"id": 2}\n'],
  ['no UTF-8', Buffer.from([0xff, 0xfe, 0x0a]).toString('latin1')],
] as const) {
  test(`what is not the protocol ends the connection: ${what}`, async (t) => {
    const {client} = await connected(
      t,
      withHello('beta', (_, port) => {
        port.write(Buffer.from(line, 'latin1'))
        return []
      }),
    )
    const error = await failureOf(client.call('pairs.list', {}), UnreachableError)
    assert.match(error.message, /does not keep to the protocol/)
  })
}

test('an agent of another protocol is refused with both versions', async (t) => {
  const error = await failureOf(
    connected(t, ({id}) => [{id, result: {...helloOf('beta'), protocol: protocolVersion + 1, version: '9.0.0'}}]),
    HelloError,
  )
  assert.is(error.reason, 'protocol')
  const [older, newer] = [protocolVersion, protocolVersion + 1]
  assert.match(error.message, new RegExp(`colo 9\\.0\\.0 and speaks protocol ${newer}, this command ${older}`))
  assert.match(error.hint ?? '', /this command is the older one/)
})

test('a hello without a field, or of something else, is refused', async (t) => {
  const {bootId: _, ...short} = helloOf('beta')
  const error = await failureOf(
    connected(t, ({id}) => [{id, result: short}]),
    HelloError,
  )
  assert.match(error.message, /bootId is not a string/)
  const other = await failureOf(
    connected(t, () => ['SSH-2.0-OpenSSH_9.2\n']),
    HelloError,
  )
  assert.is(other.reason, 'protocol')
})

test('no hello in time, and an end before hello', async (t) => {
  const silent = await failureOf(
    connected(t, () => [], 60),
    HelloError,
  )
  assert.is(silent.reason, 'silent')
  assert.match(silent.message, /did not say hello within 60 ms/)
  const closed = await failureOf(
    connected(t, (_, port) => {
      port.destroy()
      return []
    }),
    HelloError,
  )
  assert.is(closed.reason, 'closed')
})

test.run()

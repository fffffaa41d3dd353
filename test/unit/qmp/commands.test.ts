import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {DecodeError} from '../../../src/errors.js'
import type {QmpExecutor} from '../../../src/qmp/commands/call.js'
import {queryNamedBlockNodes} from '../../../src/qmp/commands/block-nodes.js'
import {queryChardev, socketBackend} from '../../../src/qmp/commands/chardevs.js'
import {queryColoStatus} from '../../../src/qmp/commands/colo.js'
import {queryBlockDrivers} from '../../../src/qmp/commands/introspection.js'
import {queryJobs} from '../../../src/qmp/commands/jobs.js'
import {queryMigrate} from '../../../src/qmp/commands/migration.js'
import {queryBlockExports} from '../../../src/qmp/commands/nbd.js'
import {queryYank} from '../../../src/qmp/commands/yank.js'
import {QmpCommandError} from '../../../src/qmp/errors.js'
import {replyFixture, replyFixtures, type ReplyFixture} from '../../fixtures/qmp/fixtures.js'
import {suite} from '../../support/suite.js'
import {typedCommands} from './typed-commands.js'

const test = suite('qmp commands')

/** Answers any command with one reply and notes what was sent; to QEMU no arguments and empty ones are the same. */
function answering(reply: ReplyFixture['reply']): QmpExecutor & {sent: unknown[]} {
  const sent: unknown[] = []
  return {
    sent,
    execute(command, args) {
      sent.push({command, args: args ?? {}})
      if ('error' in reply) return Promise.reject(new QmpCommandError('a.qmp', {command, arguments: args}, reply.error))
      return Promise.resolve(reply.return)
    },
  }
}

for (const [command, title, invoke] of typedCommands) {
  test(`${command} sends what QEMU 11.1.3 was sent as ${title}`, async () => {
    const fixture = replyFixture(command, title)
    const qmp = answering(fixture.reply)
    if ('error' in fixture.reply) await assert.rejects(invoke(qmp), QmpCommandError)
    else await invoke(qmp)
    assert.deepEqual(qmp.sent, [{command, args: fixture.args ?? {}}])
  })
}

/** How each command decodes, whatever its arguments. */
const decoders = new Map([...typedCommands].reverse().map(([command, , invoke]) => [command, invoke]))

test('every capture of every version is decoded, refusals keep their class', async () => {
  for (const {name, command, reply} of replyFixtures()) {
    const invoke = decoders.get(command)
    if (invoke === undefined) {
      assert.equal(command, 'no-such-command')
      continue
    }
    if ('error' in reply) {
      await assert.rejects(invoke(answering(reply)), (error) => {
        assert.ok(error instanceof QmpCommandError, name)
        assert.equal(error.class, reply.error.class)
        return true
      })
    } else {
      await assert.doesNotReject(invoke(answering(reply)), name)
    }
  }
})

test('a member that is missing or has another type is either not ours or named in a DecodeError', async () => {
  let named = 0
  for (const {name, version, command, reply} of replyFixtures()) {
    const invoke = decoders.get(command)
    if (version !== '11.1.3' || invoke === undefined || 'error' in reply) continue
    for (const path of membersOf(reply.return)) {
      for (const damage of [undefined, {wrong: true}]) {
        const error = await invoke(answering({return: damaged(reply.return, path, damage)})).then(
          () => undefined,
          (reason: unknown) => reason as Error,
        )
        if (error === undefined) continue
        const place = ['return', ...path].join('.')
        assert.ok(error instanceof DecodeError, `${name}: ${place}: ${error.message}`)
        const near = `${error.path}.`.startsWith(`${place}.`) || command === 'query-qmp-schema'
        assert.ok(near, `${name}: ${place}, but named ${error.path}`)
        named++
      }
    }
  }
  assert.ok(named > 500, `only ${named} damages were noticed`)
})

/** Paths of all members of objects, also within lists; of long lists the first two elements. */
function membersOf(value: unknown, path: readonly string[] = []): ReadonlyArray<readonly string[]> {
  if (Array.isArray(value)) return value.slice(0, 2).flatMap((item, index) => membersOf(item, [...path, String(index)]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => [[...path, key], ...membersOf(member, [...path, key])])
}

/** A copy in which one member is replaced, or left out. */
function damaged(value: unknown, path: readonly string[], damage: unknown): unknown {
  const copy = structuredClone(value)
  const parent = path.slice(0, -1).reduce((node, key) => (node as Record<string, unknown>)[key], copy)
  const key = path.at(-1) ?? ''
  if (damage === undefined) Reflect.deleteProperty(parent as object, key)
  else (parent as Record<string, unknown>)[key] = damage
  return copy
}

test('the role of a primary, before and after a failover', async () => {
  const status = (title: string): Promise<unknown> =>
    queryColoStatus(answering(replyFixture('query-colo-status', title).reply))
  assert.deepEqual(await status('primary'), {mode: 'primary', lastMode: 'none', reason: 'none'})
  assert.deepEqual(await status('peer-died'), {mode: 'primary', lastMode: 'none', reason: 'none'})
  assert.deepEqual(await status('primary-alone'), {mode: 'none', lastMode: 'primary', reason: 'request'})
})

test('a role QEMU does not have stops us', async () => {
  const reply = {return: {mode: 'tertiary', 'last-mode': 'none', reason: 'none'}}
  await assert.rejects(queryColoStatus(answering(reply)), {
    name: 'DecodeError',
    message: 'query-colo-status: return.mode is not one of none, primary, secondary',
  })
})

test('a migration that never was, one under way, one in COLO', async () => {
  const info = (title: string): ReturnType<typeof queryMigrate> =>
    queryMigrate(answering(replyFixture('query-migrate', title).reply))
  assert.equal((await info('never')).status, 'none')
  assert.deepEqual((await info('colo-primary')).ram, undefined)
  const paused = await info('pre-switchover')
  assert.equal(paused.status, 'pre-switchover')
  assert.equal(paused.ram?.totalBytes, 34_086_912)
})

test('the children of a quorum by role; 7.2 does not tell', async () => {
  const quorum = async (title: string, version?: string): Promise<unknown> => {
    const nodes = await queryNamedBlockNodes(answering(replyFixture('query-named-block-nodes', title, version).reply))
    return nodes.find(({nodeName}) => nodeName === 'colo-disk0')?.children
  }
  assert.deepEqual(await quorum('primary'), [
    {child: 'children.1', nodeName: 'nbd0'},
    {child: 'children.0', nodeName: 'parent0'},
  ])
  assert.equal(await quorum('quorum-alone', '7.2.22'), undefined)
})

test('in COLO the export hangs on a filter above the disk', async () => {
  const node = async (title: string): Promise<string | undefined> =>
    (await queryBlockExports(answering(replyFixture('query-block-exports', title).reply)))[0]?.nodeName
  assert.equal(await node('waiting'), 'copy0')
  assert.match((await node('secondary')) ?? '', /^#block/)
})

test('a chardev that is only written to has no open front end, and does not notice that its peer is gone', async () => {
  const chardev = async (title: string, label: string): Promise<unknown> => {
    const all = await queryChardev(answering(replyFixture('query-chardev', title).reply))
    const found = all.find((one) => one.label === label)
    return found && [found.connected, found.frontendOpen]
  }
  assert.deepEqual(await chardev('listening', 'mirror0'), [false, false])
  assert.deepEqual(await chardev('primary', 'mirror0'), [true, false])
  assert.deepEqual(await chardev('peer-died', 'mirror0'), [true, false])
  assert.deepEqual(await chardev('primary', 'compare1'), [true, true])
  assert.deepEqual(await chardev('peer-died', 'compare1'), [false, true])
})

test('a mirror job from ready to concluded', async () => {
  const job = async (title: string): Promise<unknown> =>
    (await queryJobs(answering(replyFixture('query-jobs', title).reply)))[0]
  const sizes = {currentProgress: 4_194_304, totalProgress: 4_194_304}
  assert.deepEqual(await job('concluded'), {
    id: 'resync',
    type: 'mirror',
    status: 'concluded',
    ...sizes,
    error: undefined,
  })
})

test('instances of a kind we do not know are left out', async () => {
  const reply = {return: [{type: 'vhost-user', device: 'x'}, {type: 'migration'}]}
  assert.deepEqual(await queryYank(answering(reply)), [{type: 'migration'}])
})

test('the drivers of both builds', async () => {
  for (const version of ['7.2.22', '11.1.3']) {
    const drivers = await queryBlockDrivers(answering(replyFixture('query-qmp-schema', 'trimmed', version).reply))
    for (const driver of ['replication', 'quorum', 'nbd']) assert.ok(drivers.includes(driver), `${version}: ${driver}`)
  }
})

test('the reconnect option of old releases counts in seconds', () => {
  const backend = socketBackend({
    address: {path: '/run/a'},
    role: {reconnect: {option: 'reconnect', everyMs: 200}},
  })
  assert.deepEqual(backend.data, {addr: {type: 'unix', data: {path: '/run/a'}}, server: false, reconnect: 1})
})

test('every typed command was seen by a test above', () => {
  const directory = new URL('../../../src/qmp/commands/', import.meta.url)
  const written = readdirSync(directory).flatMap((file) =>
    [...readFileSync(new URL(file, directory), 'utf8').matchAll(/\{name: '([^']+)'/g)].map(([, name]) => name),
  )
  assert.deepEqual([...new Set(typedCommands.map(([command]) => command))].sort(), [...new Set(written)].sort())
})

test.run()

import * as assert from 'uvu/assert'
import {spawn, type ChildProcess} from 'node:child_process'
import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {join} from 'node:path'

import {isAlive} from '../../../src/os/proc.js'
import type {RelayOrders, RelayState} from '../../../src/os/xen-relay/orders.js'
import {relayArgv} from '../../../src/os/xen-relay/program.js'
import {suite, type T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

/** Two real sides of the relay on loopback; in the place of the receiver a program that does what xl does at the end of its input. */
const suiteOf = suite('relay between xl remus and its receiver')
/** Four processes start for each test; on a loaded machine that takes its time. */
const waitMs = 60_000
const test = (title: string, body: (t: T) => unknown): void => {
  suiteOf(title, body, 2 * waitMs)
}

const key = 'ab'.repeat(32)

test('carries the stream both ways, and counts checkpoints', async (t) => {
  const pair = await connected(t)
  pair.sender.stdin?.write('one\n')
  await until('echo', () => pair.answers().includes('got one'))
  await until('a checkpoint', () => pair.receiver().checkpoints === 1)
  assert.is(pair.receiver().phase, 'streaming')
  assert.is(pair.send().phase, 'streaming')
  assert.match(readFileSync(pair.log, 'utf8'), /^migration target: Ready/)
  assert.not.match(readFileSync(pair.log, 'utf8'), /All records/)
})

test('the stream breaks: no takeover until the grant, then at once', async (t) => {
  const pair = await connected(t)
  pair.sender.kill('SIGKILL')
  await until('the receiver to hold', () => pair.receiver().phase === 'held')
  assert.not.ok(existsSync(pair.promoted))
  process.kill(pair.receiver().pid, 'SIGUSR2')
  await until('the takeover', () => existsSync(pair.promoted))
  await until('the end', () => pair.receiver().phase === 'ended')
  assert.is(pair.receiver().reason, 'xl ended with 0')
})

test('xl of the primary dies: the receiver holds', async (t) => {
  const pair = await connected(t)
  pair.sender.stdin?.end()
  await until('the receiver to hold', () => pair.receiver().phase === 'held')
  await until('the sender to end', () => pair.send().phase === 'ended')
  assert.not.ok(existsSync(pair.promoted))
})

test('the relay itself is killed: no takeover', async (t) => {
  const pair = await connected(t)
  const {pid, receiver} = pair.receiver()
  process.kill(pid, 'SIGKILL')
  await until('the sender to hold', () => pair.send().phase === 'held')
  assert.ok(receiver !== undefined && (await isAlive(receiver)))
  assert.not.ok(existsSync(pair.promoted))
})

test('a copy that is not wanted is killed before it could take over', async (t) => {
  const pair = await connected(t)
  const {pid, receiver} = pair.receiver()
  process.kill(pid, 'SIGTERM')
  await until('the end', () => pair.receiver().phase === 'ended')
  assert.not.ok(existsSync(pair.promoted))
  assert.not.ok(receiver !== undefined && (await isAlive(receiver)))
})

test('the sender holds when its other side is gone: xl sees no end before the grant', async (t) => {
  const pair = await connected(t)
  process.kill(pair.receiver().pid, 'SIGTERM')
  await until('the sender to hold', () => pair.send().phase === 'held')
  assert.is(pair.sender.exitCode, null)
  // what xl still writes is not taken: the pipe fills, and the primary stands still
  const taken = pair.sender.stdin?.write(Buffer.alloc(4 * 1024 ** 2))
  assert.is(taken, false)
  pair.sender.kill('SIGUSR2')
  await until('the sender to end', () => pair.sender.exitCode === 0)
  assert.is(pair.send().phase, 'released')
})

for (const [what, change, argv] of [
  ['another key', {key: 'cd'.repeat(32)}, undefined],
  ['another command', {}, ['sh', '-c', 'true']],
] as const) {
  test(`refused: ${what}`, async (t) => {
    const pair = await start(t, {change, argv})
    await until('the refusal', () => pair.send().phase === 'failed')
    assert.match(pair.send().reason ?? '', /refused: no/)
    assert.is(pair.receiver().phase, 'listening')
  })
}

interface Pair {
  readonly sender: ChildProcess
  readonly promoted: string
  readonly log: string
  answers(): string
  send(): RelayState
  receiver(): RelayState
}

async function connected(t: T): Promise<Pair> {
  const pair = await start(t, {change: {}, argv: undefined})
  await until('the stream', () => pair.receiver().phase === 'streaming' && pair.answers().includes('ready'))
  return pair
}

async function start(
  t: T,
  {change, argv}: {readonly change: object; readonly argv: readonly string[] | undefined},
): Promise<Pair> {
  const directory = temporaryDirectory(t, 'relay')
  const at = (name: string): string => join(directory, name)
  const promoted = at('promoted')
  const script = `echo 'migration target: Ready to receive domain.' >&2; echo ready
    while read -r line; do echo "got $line"; echo 'xc: info: All records processed' >&2; done
    echo taken >${promoted}`
  const receiverArgv = ['sh', '-c', script] as const
  const port = await freePort()
  const link = {address: '127.0.0.1', port, key}
  const orders = (name: string, value: RelayOrders): string => {
    writeFileSync(at(name), JSON.stringify(value))
    return at(name)
  }
  const receiving = orders('receive', {
    role: 'receive',
    ...link,
    state: at('receive.json'),
    argv: receiverArgv,
    fifo: at('stream'),
    log: at('log'),
  })
  const sending = orders('send', {role: 'send', ...link, local: '127.0.0.1', state: at('send.json'), ...change})
  const relay = (file: string, more: readonly string[]): ChildProcess => {
    const [program, ...args] = relayArgv(file)
    return spawn(program, [...args, ...more], {stdio: ['pipe', 'pipe', 'inherit']})
  }
  const receiver = relay(receiving, [])
  const state = (name: string): RelayState =>
    existsSync(at(name))
      ? (JSON.parse(readFileSync(at(name), 'utf8')) as RelayState)
      : {phase: 'connecting', pid: 0, startTicks: 0, atMs: 0}
  await until('the relay to listen', () => state('receive.json').phase === 'listening')
  const sender = relay(sending, ['peer', ...(argv ?? receiverArgv)])
  sender.stdin?.on('error', () => undefined)
  let answers = ''
  sender.stdout?.on('data', (chunk: Buffer) => (answers += chunk.toString()))
  t.defer(async () => {
    await Promise.all([ended(sender, 'SIGKILL'), ended(receiver, 'SIGTERM')])
    const left = state('receive.json').receiver
    if (left !== undefined) spawn('kill', ['-9', String(left.pid)], {stdio: 'ignore'})
  })
  return {
    sender,
    promoted,
    log: at('log'),
    answers: () => answers,
    send: () => state('send.json'),
    receiver: () => state('receive.json'),
  }
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => {
      resolve()
    })
    child.kill(signal)
  })
}

async function until(what: string, done: () => boolean): Promise<void> {
  const start = performance.now()
  while (!done()) {
    if (performance.now() - start > waitMs) throw new Error(`waited ${waitMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  })
}

suiteOf.run()

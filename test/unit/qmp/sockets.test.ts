import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {ConflictError} from '../../../src/errors.js'
import {connectUnix, listenUnix, SocketError, type Port} from '../../../src/os/sockets.js'
import {run} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

const test = suite('unix sockets')
const timeoutMs = 5000

/** Reads until the connection ends. */
function everything(port: Port): Promise<string> {
  const chunks: Uint8Array[] = []
  port.onData((chunk) => chunks.push(chunk))
  return new Promise((resolve) => {
    port.onClose(() => {
      resolve(Buffer.concat(chunks).toString())
    })
  })
}

test('what is sent before anybody reads is not lost, and the end comes after it', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  const listener = await listenUnix({path, mode: 0o600}, (port) => {
    port.onClose(() => undefined)
    port.write('hello ')
    port.write(Buffer.from('wörld'))
    port.end()
  })
  t.defer(() => {
    listener.close()
  })
  const port = await connectUnix({path, timeoutMs})
  await new Promise(setImmediate)
  assert.equal(await everything(port), 'hello wörld')
  await new Promise<void>((resolve) => {
    port.onClose(() => {
      resolve()
    })
  })
  port.write('after the end: ignored')
})

test('the last words of a peer are read, although something was written to it after its end', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  for (const reads of [true, false]) {
    // a process of its own: it ends while this one is busy, as QEMU does after the SHUTDOWN event
    const script = `require('net').createServer((client) => {
      ${reads ? 'client.resume()' : 'client.pause()'}
      client.write('hello ')
      process.stdin.once('data', () => client.write('last words', () => process.exit()))
    }).listen(process.argv[1], () => process.stdout.write('listening'))`
    const peer = spawn(process.execPath, ['-e', script, path], {stdio: ['pipe', 'pipe', 'inherit']})
    await once(peer.stdout, 'data')
    const port = await connectUnix({path, timeoutMs})
    const heard = everything(port)
    port.write('first')
    await new Promise((resolve) => {
      port.onData(resolve)
    })
    const {pid} = peer
    assert.ok(pid !== undefined)
    // nothing is read before this turn of the loop ends
    peer.stdin.write('end')
    const endMs = performance.now() + timeoutMs
    while (!hasEnded(pid)) assert.ok(performance.now() < endMs, 'the peer does not end')
    port.write('too late')
    assert.equal(await heard, 'hello last words')
    rmSync(path, {force: true})
  }
})

/** A zombie that this process has had no time to reap; while it has threads its sockets are open. */
function hasEnded(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ') && readdirSync(`/proc/${pid}/task`).length === 1
}

test('the server reads what the client sent, however late it starts to', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  const got = new Promise<string>((resolve) => {
    void listenUnix({path, mode: 0o600}, (port) => {
      setImmediate(() => {
        resolve(everything(port))
      })
    }).then((listener) => {
      t.defer(() => {
        listener.close()
      })
      return connectUnix({path, timeoutMs}).then((port) => {
        port.write('ping')
        port.end()
      })
    })
  })
  assert.equal(await got, 'ping')
})

test('a peer that goes with unread input is an end, not an error', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  const listener = await listenUnix({path, mode: 0o600}, (port) => {
    setImmediate(() => {
      port.destroy()
    })
  })
  t.defer(() => {
    listener.close()
  })
  const port = await connectUnix({path, timeoutMs})
  port.write('nobody reads this')
  port.onData(() => undefined)
  const cause = await new Promise((resolve) => {
    port.onClose(resolve)
  })
  assert.equal(cause, undefined)
})

test('the file has the wanted mode and goes with the listener', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  const listener = await listenUnix({path, mode: 0o660}, () => undefined)
  assert.equal(statSync(path).mode & 0o777, 0o660)
  listener.close()
  assert.equal(existsSync(path), false)
})

test('a socket in use is a conflict, one left behind is replaced', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  const first = await listenUnix({path, mode: 0o600}, (port) => {
    port.destroy()
  })
  await assert.rejects(
    listenUnix({path, mode: 0o600}, () => undefined),
    ConflictError,
  )
  first.close()
  const leave = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await assert.rejects(run(['node', '-e', leave]))
  assert.equal(existsSync(path), true)
  const second = await listenUnix({path, mode: 0o600}, () => undefined)
  second.close()
})

test('a file that is not a socket is left alone', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'precious')
  writeFileSync(path, 'data')
  await assert.rejects(
    listenUnix({path, mode: 0o600}, () => undefined),
    ConflictError,
  )
  assert.equal(existsSync(path), true)
})

test('failures are told apart', async (t) => {
  const dir = temporaryDirectory(t, 'sockets')
  writeFileSync(join(dir, 'file'), '')
  const failureOf = async (path: string): Promise<string> => {
    const error: unknown = await connectUnix({path, timeoutMs}).catch((reason: unknown) => reason)
    assert.ok(error instanceof SocketError)
    assert.ok(error.message.startsWith(`${path}: `))
    return error.failure
  }
  assert.equal(await failureOf(join(dir, 'absent')), 'missing')
  assert.equal(await failureOf(join(dir, 'file')), 'refused')
  assert.equal(await failureOf(join(dir, 'x'.repeat(120))), 'bad-path')
})

test('an aborted signal wins over connecting', async (t) => {
  const path = join(temporaryDirectory(t, 'sockets'), 'a.sock')
  const stop = new AbortController()
  stop.abort(new RangeError('enough'))
  await assert.rejects(connectUnix({path, timeoutMs, signal: stop.signal}), RangeError)
})

test.run()

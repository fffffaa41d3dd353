import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {fileURLToPath} from 'node:url'
import {suite} from '../../support/suite.js'

const test = suite('main')
const root = fileURLToPath(new URL('../../..', import.meta.url))

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the sources as a person would, in a process of its own. */
function colo(...args: string[]): Promise<Ended> {
  return coloFed('', ...args)
}

/** The same with something in a pipe on standard input. */
function coloFed(input: string, ...args: string[]): Promise<Ended> {
  const env = {...process.env, COLO_HOSTS: '/nonexistent/hosts.yaml', NO_COLOR: '1'}
  const child = spawn(process.execPath, ['--import', 'tsx', 'bin/dev.js', ...args], {
    cwd: root,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined) // it may end without reading
  child.stdin.end(input)
  const ended = {stdout: '', stderr: ''}
  child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()))
  return new Promise((resolve) => child.on('close', (status) => resolve({status, ...ended})))
}

test('an unknown command: exit 2 and a suggestion, in words and as a document; nothing else is run', async () => {
  const [words, document] = await Promise.all([colo('pair', 'resnyc', 'web1'), colo('pari', '--json')])
  assert.deepEqual(words, {
    status: 2,
    stdout: '',
    stderr: 'colo: "pair resnyc web1" is not a command\n  hint: did you mean pair resync?\n',
  })
  assert.equal(document.status, 2)
  assert.equal(document.stderr, '')
  assert.deepEqual(JSON.parse(document.stdout), {
    error: {code: 'usage', message: '"pari" is not a command', hint: 'did you mean pair?', exit: 2},
  })
}, 20_000)

test('a command that fails is told once, and its status is the status of the process', async () => {
  const [words, document, wrong] = await Promise.all([
    colo('pair', 'status', 'web1'),
    colo('pair', 'status', 'web1', '--json'),
    colo('pair', 'status', '--json'),
  ])
  assert.equal(words.status, 3)
  assert.equal(words.stderr.match(/colo: /g)?.length, 1, words.stderr)
  assert.equal(document.status, 3)
  assert.equal((JSON.parse(document.stdout) as {error: {code: string}}).error.code, 'not-found')
  assert.equal(wrong.status, 2)
  assert.match((JSON.parse(wrong.stdout) as {error: {message: string}}).error.message, /^Missing 1 required arg/)
}, 60_000)

test('a spec from a pipe is read as the spec, not as an argument that was left out', async () => {
  const {status, stdout, stderr} = await coloFed('apiVersion: colo/v1\nkind: Pod\n', 'pair', 'create', '-f', '-')
  assert.equal(status, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /^colo: <stdin>:2:7: kind: /)
}, 60_000)

test('help and version', async () => {
  const [help, version] = await Promise.all([colo('--help'), colo('--version')])
  assert.equal(help.status, 0)
  assert.match(help.stdout, /pair +create, watch and steer protected pairs/)
  assert.match(version.stdout, /^colo\/\d+\.\d+\.\d+ /)
}, 60_000)

test.run()

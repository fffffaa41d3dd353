/**
 * `colo top` itself, on a terminal of streams, 200x60: `node --import tsx child.ts DIRECTORY SECONDS`. Only the way to the agents is
 * another one (no ssh). Prints what it measured of itself as one line of JSON.
 */
import {join} from 'node:path'
import {PassThrough} from 'node:stream'
import {openContext, silentProgress} from '../../../src/cli/context.js'
import {runTop} from '../../../src/cli/top.js'
import {openAgent} from '../../../src/host/agent-connection.js'
import {connectUnix} from '../../../src/os/sockets.js'
import type {HostEntry} from '../../../src/pair/inventory.js'
import type {HostName} from '../../../src/pair/spec.js'
import {openTerminal} from '../../../src/ui/tui/screen.js'
import type {TopChildResult} from './index.js'

const [directory = '', seconds = '20'] = process.argv.slice(2)
const input = Object.assign(new PassThrough(), {isTTY: true, setRawMode: () => undefined})
const output = Object.assign(new PassThrough(), {isTTY: true, columns: 200, rows: 60})
let written = ''
let wake = (): void => undefined
output.setEncoding('utf8').on('data', (text: string) => {
  written = (written + text).slice(-200_000)
  wake()
})

const entry = (name: string): HostEntry => ({
  name: name as HostName,
  connection: {kind: 'local'},
  replication: '',
  ports: {from: 0, to: 0},
  scratch: '',
  images: '',
  bridges: [],
  forward: [],
  limits: {},
})
const opened = await openContext({
  inventory: {file: 'bench', hosts: ['alpha', 'beta'].map(entry)},
  connect: async ({name}) =>
    openAgent(await connectUnix({path: join(directory, `${name}.sock`), timeoutMs: 5000}), {
      host: name,
      timeoutMs: 5000,
    }),
  signal: new AbortController().signal,
  progress: silentProgress.sink,
  confirm: () => Promise.reject(new Error('nobody to ask')),
})
const running = runTop({
  context: opened.context,
  settings: {only: [], place: {kind: 'list'}, readOnly: true, ascii: false, intervalMs: 500},
  open: (callbacks) => openTerminal({input, output, env: {TERM: 'xterm-256color'}, ...callbacks}),
})

await waitFor(() => /200 protected/.test(written), 15_000)
const slices: number[] = []
for (let n = 0; n < Number(seconds) / 4; n++) slices.push(await cpuShare(4000))
const keys: number[] = []
for (let n = 0; n < 40; n++) keys.push(await keyToScreen(n % 2 === 0 ? '\u001b[B' : '\u001b[A'))
const residentMiB = process.memoryUsage().rss / 1024 ** 2
input.write('q')
await running
opened.close()
const result: TopChildResult = {cpuPercent: slices, keyMs: keys, residentMiB}
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit()

/** Percent of a core over `ms`. */
async function cpuShare(ms: number): Promise<number> {
  const before = process.cpuUsage()
  const start = performance.now()
  await new Promise((resolve) => setTimeout(resolve, ms))
  const {user, system} = process.cpuUsage(before)
  return (user + system) / 10 / (performance.now() - start)
}

/** Until the terminal got the first changed cell. */
async function keyToScreen(key: string): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 100))
  const start = performance.now()
  const drawn = new Promise<void>((resolve) => {
    wake = resolve
  })
  input.write(key)
  await drawn
  return performance.now() - start
}

async function waitFor(done: () => boolean, limitMs: number): Promise<void> {
  const until = performance.now() + limitMs
  while (!done()) {
    if (performance.now() > until)
      throw new Error(`no complete screen after ${limitMs} ms: ${JSON.stringify(written.slice(-300))}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

import {spawn, type ChildProcessByStdio} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Readable} from 'node:stream'
import {fileURLToPath} from 'node:url'
import type {Report} from '../harness.js'

export interface TopChildResult {
  readonly cpuPercent: readonly number[]
  readonly keyMs: readonly number[]
  readonly residentMiB: number
}

const pairs = 200
const seconds = 20

/** `colo top` with 200 pairs, two checkpoints a second each on both hosts, two screens a second of 200x60. */
export async function measure(): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'colo-bench-top-'))
  await compile(directory)
  const start = starter(directory)
  const agents = start('agents', [directory, String(pairs)])
  try {
    await once(agents.stdout, 'data')
    const result = JSON.parse(await outputOf(start('child', [directory, String(seconds)]))) as TopChildResult
    const heap = JSON.parse(await outputOf(start('hour', [], ['--expose-gc']))) as number[]
    const [first = 1] = heap.slice(3)
    return {
      title: `colo top, ${pairs} pairs at 2 Hz, 200x60`,
      rows: [
        {what: 'CPU of a core', unit: '%', values: result.cpuPercent, target: {atMost: 10}},
        {what: 'resident memory', unit: 'MiB', values: [result.residentMiB], target: {atMost: 150}},
        {what: 'key to screen', unit: 'ms', values: result.keyMs, target: {atMost: 50}},
        {
          what: 'heap after 4 h of stream, to that after 2 h',
          unit: '×',
          values: [(heap.at(-1) ?? 0) / first],
          target: {atMost: 1.05},
        },
      ],
      notes: [
        'Scripted agents in another process, over UNIX sockets. Compiled as in the package. Four seconds a slice.',
        `The stream of 4 hours goes through model and view with 10 pairs; heap each half hour: ${heap.map((mib) => mib.toFixed(1)).join(' ')} MiB.`,
        'What is kept fills in the first two hours (120 minutes per pair and host).',
      ],
    }
  } finally {
    agents.kill('SIGKILL')
    rmSync(directory, {recursive: true, force: true})
  }
}

/** As the package is built, tests included: a loader for TypeScript would be measured, too. */
async function compile(directory: string): Promise<void> {
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const child = spawn(process.execPath, [tsc, '-p', root, '--outDir', join(directory, 'js'), '--noCheck'], {
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`tsc ended with ${code ?? 'a signal'}`)
  writeFileSync(join(directory, 'js/package.json'), '{"type": "module"}')
  symlinkSync(join(root, 'node_modules'), join(directory, 'js/node_modules'))
}

type Start = (
  program: string,
  args: readonly string[],
  flags?: readonly string[],
) => ChildProcessByStdio<null, Readable, null>

function starter(directory: string): Start {
  return (program, args, flags = []) =>
    spawn(process.execPath, [...flags, join(directory, 'js/test/bench/top', `${program}.js`), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
}

async function outputOf(child: ChildProcessByStdio<null, Readable, null>): Promise<string> {
  const chunks: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`a program of the benchmark ended with ${code ?? 'a signal'}`)
  return chunks.join('')
}

import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'
import {alternate} from './harness.js'

/**
 * Runs inside a host of the lab, so that only the programs themselves are measured: in turns `node -e 0`, `virsh domstate`,
 * `colo pair status --json` and `colo --version`. Prints the milliseconds as JSON, and the processor time of each in all.
 *
 *     node --import tsx status-loop.ts PAIR ROUNDS
 */
const [pair = '', rounds = '20'] = process.argv.slice(2)

const cpuMs: Record<string, number> = {}

async function program(...argv: readonly [string, ...string[]]): Promise<void> {
  const before = childrenCpuMs()
  const child = spawn(argv[0], argv.slice(1), {stdio: 'ignore'})
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status}`)
  const name = argv.join(' ')
  cpuMs[name] = (cpuMs[name] ?? 0) + childrenCpuMs() - before
}

/** User and system time of the children that have ended; the kernel counts in hundredths of a second. */
function childrenCpuMs(): number {
  const text = readFileSync('/proc/self/stat', 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

const node = ['node', '-e', '0'] as const
const status = ['colo', 'pair', 'status', pair, '--json'] as const
const taken = await alternate(
  {
    node: () => program(...node),
    virsh: () => program('virsh', '-q', 'domstate', pair),
    status: () => program(...status),
    version: () => program('colo', '--version'),
  },
  {rounds: Number(rounds), budgetMs: 30_000},
)
const cpuRatio = (cpuMs[status.join(' ')] ?? 0) / (cpuMs[node.join(' ')] ?? 0)
process.stdout.write(JSON.stringify({...taken, cpuRatio: [cpuRatio]}))

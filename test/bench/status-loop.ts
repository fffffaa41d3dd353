import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {alternate} from './harness.js'

/**
 * Runs inside a host of the lab, so that only the programs themselves are measured: in turns `node -e 0`, `virsh domstate`,
 * `colo pair status --json` and `colo --version`. Prints the milliseconds as JSON.
 *
 *     node --import tsx status-loop.ts PAIR ROUNDS
 */
const [pair = '', rounds = '20'] = process.argv.slice(2)

async function program(...argv: readonly [string, ...string[]]): Promise<void> {
  const child = spawn(argv[0], argv.slice(1), {stdio: 'ignore'})
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status}`)
}

const taken = await alternate(
  {
    node: () => program('node', '-e', '0'),
    virsh: () => program('virsh', '-q', 'domstate', pair),
    status: () => program('colo', 'pair', 'status', pair, '--json'),
    version: () => program('colo', '--version'),
  },
  {rounds: Number(rounds), budgetMs: 40_000},
)
process.stdout.write(JSON.stringify(taken))

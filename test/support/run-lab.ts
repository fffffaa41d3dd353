import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs'
import {availableParallelism, tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {labHosts, type LabHost} from '../../src/lab/index.js'

/**
 * `npm run test:lab [NAME...]`: runs the files of test/lab, each with a lab of its own in namespaces of its own, several at a time.
 *
 * A test of the lab mostly waits: for a guest that boots, a limit that passes, a link that comes back. `COLO_LAB_JOBS` says how many run at
 * once, as many as there are processors (at most 4) unless set. What a file prints appears when it has ended, after a failure with what the agents had to tell; nothing of it outlives it.
 *
 * The last line is `ledger: P passed, F failed, S skipped`; a file that counted nothing has failed.
 */

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = join(project, 'test/lab')
const fileLimitMs = 900_000
/** of each host's agent, after a failure */
const KEPT_LINES = 8

interface Count {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const wanted = process.argv.slice(2)
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => wanted.length === 0 || wanted.includes(name.slice(0, -'.test.ts'.length)))
  // the longest first, so that no processor is idle at the end
  .sort((a, b) => statSync(join(folder, b)).size - statSync(join(folder, a)).size)
if (names.length === 0) {
  console.error(`no file in test/lab is called ${wanted.join(' or ')}`)
  process.exit(2)
}

const running = new Set<ChildProcess>()
const data = mkdtempSync(join(tmpdir(), 'colo-lab-tests-'))
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL') // everything in its namespaces goes with it
  rmSync(data, {recursive: true, force: true})
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

/** The first process only reaps what its descendants leave behind, so that a dead host is seen to be dead. */
const inside = [
  'mount -t tmpfs tmpfs /run && mkdir -p /run/lock && ip link set lo up',
  'node --import tsx --import ./test/support/suite.ts node_modules/uvu/bin.js test "$1"',
  'exit $?',
].join('\n')

async function runFile(name: string): Promise<Count> {
  const start = performance.now()
  const pattern = `^lab/${name.replaceAll('.', '\\.')}$`
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('unshare', [...namespaces, 'bash', '-c', inside, 'lab', pattern], {
    cwd: project,
    env: {...process.env, COLO_LAB_DATA: join(data, name)},
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  const keep = (text: string): void => {
    output += text
  }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  const limit = setTimeout(() => {
    keep(`\n${name} was ended after ${fileLimitMs / 1000} s\n`)
    child.kill('SIGKILL')
  }, fileLimitMs)
  child.once('error', (error) => {
    keep(`${String(error)}\n`)
  })
  const [status] = (await once(child, 'close').catch(() => [-1])) as [number | null]
  clearTimeout(limit)
  running.delete(child)
  const count = countOf(output, status)
  if (count.failed > 0) output += labHosts.map((host) => complaintsOf(host, join(data, name))).join('')
  rmSync(join(data, name), {recursive: true, force: true})
  const seconds = Math.round((performance.now() - start) / 1000)
  console.log(`\n${output.replace(/^ledger: .*\n?/gm, '').trim()}\n-- ${name}: ${seconds} s`)
  return count
}

/** The last that the agent of a host had to tell, besides that it is ready. */
function complaintsOf(host: LabHost, labData: string): string {
  const file = join(labData, host, 'up/var/log/colo-agent.log')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [`${file} is missing`]
  const told = lines.filter((line) => line !== '' && !/^colo agent \S+ ready: /.test(line))
  return told
    .slice(-KEPT_LINES)
    .map((line) => `\n${host}: ${line}`)
    .join('')
}

function countOf(output: string, status: number | null): Count {
  const found = /^ledger: (\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output)
  const [passed = 0, failed = 0, skipped = 0] = (found ?? []).slice(1).map(Number)
  const silent = found === null || (status !== 0 && failed === 0)
  return {passed, failed: silent ? failed + 1 : failed, skipped}
}

const waiting = [...names]
const counts: Count[] = []
async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) counts.push(await runFile(name))
}
const jobs = Number(process.env['COLO_LAB_JOBS'] ?? Math.min(4, availableParallelism()))
await Promise.all(Array.from({length: Math.max(1, jobs)}, work))

const sum = (pick: (count: Count) => number): number => counts.reduce((total, count) => total + pick(count), 0)
const failed = sum((count) => count.failed)
console.log(
  `\nledger: ${sum((count) => count.passed)} passed, ${failed} failed, ${sum((count) => count.skipped)} skipped`,
)
process.exitCode = failed === 0 ? 0 : 1

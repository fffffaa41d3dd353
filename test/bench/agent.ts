import {spawn, type ChildProcess} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {openAgent} from '../../src/host/agent-connection.js'
import type {AgentClient} from '../../src/host/agent-client.js'
import {connectUnix} from '../../src/os/sockets.js'
import {openFleet, type Fleet, type FleetHost} from './fleet.js'
import type {Report} from './harness.js'

const pairs = 100
const slices = 5
const sliceMs = 4000
/** USER_HZ, which Linux has at 100 everywhere */
const ticksPerSecond = 100

/** What a resident agent costs with 100 protected pairs: scripted VMs, a real process, a real peer agent that talks back. */
export async function measure(): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'colo-bench-'))
  const fleet = await openFleet(directory, pairs)
  const agents: ChildProcess[] = []
  try {
    for (const host of fleet.hosts) agents.push(startAgent(directory, host))
    for (const host of fleet.hosts) await protect(directory, host, fleet.pairs)
    const watched = agents[0]?.pid ?? 0
    await pause(3000)
    const idle = await observe(watched)
    const memory = residentMiB(watched)
    const beating = await withBeat(fleet, () => observe(watched))
    return {
      title: `agent with ${pairs} protected pairs, scripted VMs`,
      rows: [
        {what: 'CPU of a core, VMs silent', unit: '%', values: idle, target: {atMost: 3}},
        {what: 'CPU of a core, a checkpoint per VM and second', unit: '%', values: beating},
        {what: 'resident memory, VMs silent', unit: 'MiB', values: [memory], target: {atMost: 120}},
        {what: 'resident memory, after the checkpoints', unit: 'MiB', values: [residentMiB(watched)]},
      ],
      notes: [
        `${slices} slices of ${sliceMs / 1000} s each. Two real agents (this is alpha's), beacons between them twice a second, NBD and`,
        'migration connections on the loopback interface, watched as in a protection. 200 checkpoint events a second in all.',
      ],
    }
  } finally {
    for (const agent of agents) agent.kill('SIGKILL')
    fleet.close()
    rmSync(directory, {recursive: true, force: true})
  }
}

function startAgent(directory: string, {host, roots}: FleetHost): ChildProcess {
  const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
  const at = ['--state-dir', roots.stateRoot, '--run-dir', roots.runRoot, '--host', host]
  return spawn(process.execPath, [program, 'agent', '--socket', socketOf(directory, host), ...at], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function socketOf(directory: string, host: string): string {
  return join(directory, `${host}.sock`)
}

/** Notes the connections of every pair as those of its protection, as create does at its end. */
async function protect(directory: string, {host}: FleetHost, names: readonly string[]): Promise<void> {
  const client = await connectSoon(socketOf(directory, host), host)
  try {
    for (const pair of names) {
      await client.call('lock.acquire', {pair, owner: 'bench', purpose: 'bench'})
      const step = {id: `${host}/watch`, host, label: 'watch', actions: [{kind: 'protection-begin'}]} as const
      await client.call('steps.run', {pair, steps: [step]}, {timeoutMs: 10_000})
      await client.call('lock.release', {pair})
    }
  } finally {
    client.close()
  }
}

async function connectSoon(path: string, host: string): Promise<AgentClient> {
  const until = performance.now() + 20_000
  for (;;) {
    try {
      return await openAgent(await connectUnix({path, timeoutMs: 1000}), {host, timeoutMs: 5000})
    } catch (error) {
      if (performance.now() > until) throw error
      await pause(100)
    }
  }
}

async function withBeat<R>(fleet: Fleet, body: () => Promise<R>): Promise<R> {
  const timer = setInterval(() => {
    fleet.beat()
  }, 1000)
  try {
    return await body()
  } finally {
    clearInterval(timer)
  }
}

/** Percent of a core in each slice. */
async function observe(pid: number): Promise<number[]> {
  const shares: number[] = []
  for (let slice = 0; slice < slices; slice++) {
    const before = cpuSeconds(pid)
    const start = performance.now()
    await pause(sliceMs)
    shares.push(((cpuSeconds(pid) - before) * 100_000) / (performance.now() - start))
  }
  return shares
}

function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readdir, readFile, readlink} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'
import {execIn, faults, type LabHost} from '../../src/lab/index.js'
import {systemClock} from '../../src/os/clock.js'
import {identify} from '../../src/os/proc.js'
import {struckLine, type Trap} from './struck.js'

/** A place in a plan, and what is killed there. */
export interface Strike {
  readonly step: string
  readonly state: 'started' | 'done'
  /** `interrupt`: Ctrl-C; a host: its agent, which is started again at once, as systemd does */
  readonly victim: 'command' | 'interrupt' | LabHost
  /** the command is killed with that agent */
  readonly both?: boolean
}

export interface Struck {
  /** false: the operation ended without coming there */
  readonly reached: boolean
  readonly exit: number | null
  readonly stderr: string
}

/** Runs `colo pair LINE` and strikes. */
export async function strike(line: readonly string[], {step, state, victim, both}: Strike): Promise<Struck> {
  const isAgent = victim !== 'command' && victim !== 'interrupt'
  const trap: Trap = {step, state, victim: isAgent ? await agentOf(victim) : victim, ...(both === true && {both})}
  const child = startTrapped(line, trap)
  let reached = false
  let back: Promise<unknown> = Promise.resolve()
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (reached || !text.includes(struckLine)) return
    reached = true
    if (isAgent) back = startAgain(victim, Number(trap.victim))
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [exit] = (await once(child, 'close')) as [number | null]
  await back
  return {reached, exit, stderr}
}

/** Runs `colo pair LINE` and stops it (SIGSTOP) at a step: it lives, holds its locks, and says nothing any more. */
export async function hold(
  line: readonly string[],
  at: Pick<Strike, 'step' | 'state'>,
): Promise<{kill(): Promise<void>}> {
  const child = startTrapped(line, {...at, victim: 'hold'})
  const ended = once(child, 'close')
  const [text] = (await Promise.race([
    once(child.stdout.setEncoding('utf8'), 'data'),
    ended.then(() => ['ended']),
  ])) as [string]
  if (!text.includes(struckLine)) throw new Error(`${line.join(' ')} never came to ${at.step}`)
  return {
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function startTrapped(line: readonly string[], trap: Trap) {
  const program = fileURLToPath(new URL('struck.ts', import.meta.url))
  return spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(trap), ...line], {
    env: {
      ...process.env,
      COLO_HOSTS: '/run/colo-lab/hosts.yaml',
      COLO_SSH_CONFIG: '/run/colo-lab/ssh/config',
      NO_COLOR: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** As systemd does: as soon as the dead one is gone. */
async function startAgain(host: LabHost, pid: number): Promise<void> {
  const until = performance.now() + 5000
  while ((await identify(pid)) !== undefined && performance.now() < until) await systemClock.sleep(5)
  await faults.startAgent(host)
}

/** Number of a host's agent as this process sees it; the host counts its own processes. */
async function agentOf(host: LabHost): Promise<number> {
  const inside = (await execIn(host, ['cat', '/run/colo-lab/agent.pid'])).stdout.trim()
  const space = (await execIn(host, ['readlink', '/proc/1/ns/pid'])).stdout.trim()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const ids = /^NSpid:\s+(.+)$/m.exec(await readFile(`/proc/${name}/status`, 'utf8').catch(() => ''))?.[1]
    if (ids?.split(/\s+/).at(-1) !== inside) continue
    if ((await readlink(`/proc/${name}/ns/pid`).catch(() => '')) === space) return Number(name)
  }
  throw new Error(`the agent of ${host} (process ${inside} there) is not found`)
}

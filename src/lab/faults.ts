import {readdir, readFile} from 'node:fs/promises'

import {NotFoundError} from '../errors.js'
import {agentPidFile, agentState, type AgentState} from './agent.js'
import {systemLab, type LabContext} from './context.js'
import {execIn} from './exec.js'
import {poll} from './host.js'
import type {LabHost} from './layout.js'
import {runningHost} from './power.js'

export {cut, heal, type CutOptions} from './links.js'
export {crash, powerOff, powerOn} from './power.js'

/** What can be killed, stopped and continued. */
export type FaultSignal = 'kill' | 'stop' | 'continue'

/** Signals the QEMU of a domain (a pair's is named like the pair); a killed one is gone afterwards. @throws {NotFoundError} when it is not running */
export async function signalQemu(
  how: FaultSignal,
  at: {host: LabHost; pair: string},
  context: LabContext = systemLab(),
): Promise<void> {
  await signalByPidFile(
    how,
    {host: at.host, file: `/run/libvirt/qemu/${at.pair}.pid`, what: `QEMU of ${at.pair}`},
    context,
  )
}

/** Signals the colo agent of a host; a killed one is gone afterwards. @throws {NotFoundError} when it is not running */
export async function signalAgent(how: FaultSignal, host: LabHost, context: LabContext = systemLab()): Promise<void> {
  await signalByPidFile(how, {host, file: agentPidFile, what: 'colo agent'}, context)
}

/**
 * Starts the agent of a host and waits until it listens (10 s). One that runs already is left alone.
 *
 * @returns `not built` when the hosts' `colo` has no agent
 * @throws {TimedOutError} when it does not listen
 */
export async function startAgent(
  host: LabHost,
  context: LabContext = systemLab(),
): Promise<'started' | 'running' | 'not built'> {
  const {init} = await runningHost(host, context)
  const state = (): Promise<AgentState> => agentState(init?.pid ?? 0)
  const before = await state()
  if (before === 'listening' || before === 'stopped') return 'running'
  await execIn(host, ['colo-lab-agent'], {}, context)
  if ((await state()) === 'not built') return 'not built'
  const listening = async (): Promise<boolean> => (await state()) === 'listening'
  const hint = `see /var/log/colo-agent.log in ${host}`
  await poll({what: `the agent of ${host} to listen`, limitMs: 10_000, everyMs: 50, done: listening, hint})
  return 'started'
}

/** Destroys the TCP connections of a host with this port on either side; their peers get a RST. @see ss(8) -K */
export async function dropConnection(host: LabHost, port: number, context: LabContext = systemLab()): Promise<void> {
  await execIn(host, ['ss', '-K', '-t', `( sport = :${port} or dport = :${port} )`], {}, context)
}

/** Stops the NBD server inside a domain's QEMU: writes of its peer fail from then on, and nothing else happens. */
export async function stopNbd(host: LabHost, pair: string, context: LabContext = systemLab()): Promise<void> {
  await execIn(host, ['virsh', '-q', 'qemu-monitor-command', pair, '{"execute":"nbd-server-stop"}'], {}, context)
}

const fillFile = '/run/colo/scratch/.lab-fill'

/** Fills the scratch file system of a host to the last byte. */
export async function fillScratch(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  await execIn(
    host,
    [
      'sh',
      '-c',
      `dd if=/dev/zero of=${fillFile} bs=1M 2>/dev/null; dd if=/dev/zero of=${fillFile}.rest bs=4k 2>/dev/null; true`,
    ],
    {},
    context,
  )
}

/** Takes back {@link fillScratch}. */
export async function freeScratch(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  await execIn(host, ['rm', '-f', fillFile, `${fillFile}.rest`], {}, context)
}

async function signalByPidFile(
  how: FaultSignal,
  at: {host: LabHost; file: string; what: string},
  context: LabContext,
): Promise<void> {
  const {init} = await runningHost(at.host, context)
  const pid = await pidInHost(init?.pid ?? 0, at.file)
  if (pid === undefined) throw new NotFoundError(`no ${at.what} runs on ${at.host}: ${at.file} is missing there`)
  const signal = {kill: 'KILL', stop: 'STOP', continue: 'CONT'}[how]
  await execIn(at.host, ['kill', '-s', signal, pid], {}, context)
  if (how !== 'kill') return
  // it dies when it is scheduled next: until then it passes for one that runs, and its sockets still accept
  const gone = async (): Promise<boolean> => hasEnded(`/proc/${init?.pid}/root/proc/${pid}`)
  await poll({what: `${at.what} on ${at.host} to die`, limitMs: 20_000, everyMs: 5, done: gone})
}

/** Reaped, or a zombie whose threads have all ended: only then are its sockets closed. @param directory of the process in a `/proc` */
async function hasEnded(directory: string): Promise<boolean> {
  try {
    const stat = await readFile(`${directory}/stat`, 'utf8')
    const [state] = stat.slice(stat.lastIndexOf(')') + 2)
    return (state === 'Z' || state === 'X') && (await readdir(`${directory}/task`)).length <= 1
  } catch {
    return true
  }
}

async function pidInHost(init: number, file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(`/proc/${init}/root${file}`, 'utf8')).trim()
    return /^[1-9]\d*$/.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

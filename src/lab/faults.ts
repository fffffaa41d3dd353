import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'

import {NotFoundError, StateError} from '../errors.js'
import {isAlive} from '../os/proc.js'
import type {LabContext} from './context.js'
import {systemLab} from './context.js'
import {execIn} from './exec.js'
import {hostArgv, killHost, poll, startHost} from './host.js'
import {cablesOf, namespaces, type LabHost} from './layout.js'
import {healHost} from './links.js'
import {hostLines, runBatch} from './network.js'
import {readState, recordHost, type HostProcess, type LabState} from './state.js'

export {cut, heal, type CutOptions} from './links.js'

/** What can be killed, stopped and continued. */
export type FaultSignal = 'kill' | 'stop' | 'continue'

/**
 * Cuts the power of a host: first all its cables fall silent at once, then everything in it dies. Nobody gets a FIN or a RST: the
 * sockets that the kernel would go on serving without their process are removed before a cable is plugged in again.
 *
 * @throws {StateError} when it is off already
 */
export async function powerOff(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  const process = await running(host, context)
  const lines = cablesOf(host).map(({near}) => `link set ${near.device} down`)
  await runBatch(context.run, {namespace: namespaces.host(host), lines})
  await killHost(process)
  await recordHost(context.paths, host, undefined)
  await forgetSockets(host, context)
}

/** Ends a host so that its peers see it: the kernel closes its connections. Cables stay as they are. */
export async function crash(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  await killHost(await running(host, context))
  await recordHost(context.paths, host, undefined)
}

/**
 * Starts a host that is off on the disk it had; its cables are plugged in and its network is as after a boot.
 *
 * @throws {StateError} when it is on
 */
export async function powerOn(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  const state = await requireLab(context)
  const old = state.hosts[host]
  if (old !== undefined && (await isAlive(old.outer)))
    throw new StateError(`lab host ${host} is on`, {actual: 'on', required: ['off']})
  await forgetSockets(host, context)
  await resetNetwork(host, context)
  await healHost(host, context)
  await runBatch(context.run, {namespace: namespaces.host(host), lines: hostLines(host)})
  const {rootfs, guest, accelerator} = state
  await startHost({
    paths: context.paths,
    host,
    argv: hostArgv({host, paths: context.paths, rootfs, guest, accelerator}),
  })
}

/** Signals the QEMU of a domain (a pair's is named like the pair). @throws {NotFoundError} when it is not running */
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

/** Signals the colo agent of a host. @throws {NotFoundError} when it is not running */
export async function signalAgent(how: FaultSignal, host: LabHost, context: LabContext = systemLab()): Promise<void> {
  await signalByPidFile(how, {host, file: '/run/colo-lab/agent.pid', what: 'colo agent'}, context)
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
  const {init} = await running(host, context)
  const root = `/proc/${init?.pid ?? 0}/root`
  const pid = await pidInHost(init?.pid ?? 0, '/run/colo-lab/agent.pid')
  const alive = pid !== undefined && (await succeeds(execIn(host, ['kill', '-0', pid], {}, context)))
  if (!alive) {
    await execIn(host, ['rm', '-f', '/run/colo/agent.sock'], {}, context)
    await execIn(host, ['colo-lab-agent'], {}, context)
    if (existsSync(`${root}/run/colo-lab/agent.missing`)) return 'not built'
  }
  const listening = (): Promise<boolean> => Promise.resolve(existsSync(`${root}/run/colo/agent.sock`))
  const hint = `see /var/log/colo-agent.log in ${host}`
  await poll({what: `the agent of ${host} to listen`, limitMs: 10_000, everyMs: 50, done: listening, hint})
  return alive ? 'running' : 'started'
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

async function running(host: LabHost, context: LabContext): Promise<HostProcess> {
  const process = (await requireLab(context)).hosts[host]
  if (process !== undefined && (await isAlive(process.outer))) return process
  throw new StateError(
    `lab host ${host} is not running`,
    {actual: 'off', required: ['running']},
    {hint: `colo lab fault power-on ${host}`},
  )
}

async function requireLab(context: LabContext): Promise<LabState> {
  const state = await readState(context.paths)
  if (state !== undefined) return state
  throw new StateError('the lab is not up', {actual: 'down', required: ['up']}, {hint: 'colo lab up'})
}

/** What the kernel keeps of dead processes: half-closed connections that it would go on serving. */
async function forgetSockets(host: LabHost, {run}: LabContext): Promise<void> {
  await run(['ip', 'netns', 'exec', namespaces.host(host), 'ss', '-K', '-a', '-t'])
}

/** What a boot would not have: firewall rules, traffic control, leftover links. */
async function resetNetwork(host: LabHost, {run}: LabContext): Promise<void> {
  const namespace = namespaces.host(host)
  await run(['ip', 'netns', 'exec', namespace, 'nft', 'flush', 'ruleset'])
  const {stdout} = await run(['ip', '-n', namespace, '-json', 'link', 'show'])
  const own = new Set(['lo', 'br0', 'br1', ...cablesOf(host).map(({near}) => near.device)])
  for (const {ifname = ''} of JSON.parse(stdout) as ReadonlyArray<{ifname?: string}>) {
    if (!own.has(ifname)) await run(['ip', '-n', namespace, 'link', 'del', ifname])
    else await succeeds(run(['tc', '-n', namespace, 'qdisc', 'del', 'dev', ifname, 'clsact']))
  }
}

async function signalByPidFile(
  how: FaultSignal,
  at: {host: LabHost; file: string; what: string},
  context: LabContext,
): Promise<void> {
  const {init} = await running(at.host, context)
  const pid = await pidInHost(init?.pid ?? 0, at.file)
  if (pid === undefined) throw new NotFoundError(`no ${at.what} runs on ${at.host}: ${at.file} is missing there`)
  const signal = {kill: 'KILL', stop: 'STOP', continue: 'CONT'}[how]
  await execIn(at.host, ['kill', '-s', signal, pid], {}, context)
}

async function pidInHost(init: number, file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(`/proc/${init}/root${file}`, 'utf8')).trim()
    return /^[1-9]\d*$/.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  )
}

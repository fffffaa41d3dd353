import {StateError} from '../errors.js'
import {isAlive} from '../os/proc.js'
import {systemLab, type LabContext} from './context.js'
import {hostArgv, killHost, startHost, succeeds} from './host.js'
import {cablesOf, namespaces, type LabHost} from './layout.js'
import {healHost} from './links.js'
import {hostLines, runBatch} from './network.js'
import {readState, recordHost, type HostProcess, type LabState} from './state.js'

/**
 * Cuts the power of a host: first all its cables fall silent at once, then everything in it dies. Nobody gets a FIN or a RST: the
 * sockets that the kernel would go on serving without their process are removed before a cable is plugged in again.
 *
 * @throws {StateError} when it is off already
 */
export async function powerOff(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  const process = await runningHost(host, context)
  const lines = cablesOf(host).map(({near}) => `link set ${near.device} down`)
  await runBatch(context.run, {namespace: namespaces.host(host), lines})
  await killHost(process)
  await recordHost(context.paths, host, undefined)
  await forgetSockets(host, context)
}

/** Ends a host so that its peers see it: the kernel closes its connections. Cables stay as they are. */
export async function crash(host: LabHost, context: LabContext = systemLab()): Promise<void> {
  await killHost(await runningHost(host, context))
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
  await clearNetwork(host, context)
  await healHost(host, context)
  await runBatch(context.run, {namespace: namespaces.host(host), lines: hostLines(host)})
  const {rootfs, guest, accelerator} = state
  await startHost({
    paths: context.paths,
    host,
    argv: hostArgv({host, paths: context.paths, rootfs, guest, accelerator}),
  })
}

/** @throws {StateError} when the host is off */
export async function runningHost(host: LabHost, context: LabContext): Promise<HostProcess> {
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

/** Makes the network of a host that is off as after a boot, while its cables are still down. */
export async function clearNetwork(host: LabHost, context: LabContext): Promise<void> {
  await forgetSockets(host, context)
  await resetNetwork(host, context)
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

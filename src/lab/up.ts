import {existsSync} from 'node:fs'
import {mkdir, readFile, readlink, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {ConflictError, PreflightError, TimedOutError} from '../errors.js'
import {isAlive} from '../os/proc.js'
import {bootId, probeAccelerator, type Accelerator} from './accel.js'
import {inventoryYaml, knownHosts, sshConfig} from './config-files.js'
import {systemLab, type LabContext} from './context.js'
import {tearDown} from './down.js'
import {startAgent} from './faults.js'
import {ensureGuest, type Guest} from './guest.js'
import {hostArgv, poll, prepareHost, startHost, succeeds, trustHosts} from './host.js'
import {allNamespaces, labHosts, namespaces, type LabHost} from './layout.js'
import {healDirections} from './links.js'
import {withLabLock} from './lock.js'
import {findMirror} from './mirror.js'
import {bringUpNetwork, listNamespaces} from './network.js'
import {hostUpper, inventoryFile, sshConfigFile, sshDir, type LabPaths} from './paths.js'
import {clearNetwork} from './power.js'
import {silentProgress, type Progress} from './progress.js'
import {ensureRootfs, type Rootfs, type RootfsVersions} from './rootfs.js'
import {readState, writeState, type LabState} from './state.js'

export interface UpOptions {
  readonly progress?: Progress
  readonly context?: LabContext
}

/** What `lab up` made, and how to use it. */
export interface LabUp {
  readonly accelerator: Accelerator
  readonly versions: RootfsVersions & {readonly guestKernel: string}
  /** variables to export so that `colo` on this machine reaches the hosts */
  readonly env: {readonly COLO_HOSTS: string; readonly COLO_SSH_CONFIG: string}
  readonly startedHosts: readonly LabHost[]
  readonly warnings: readonly string[]
}

/**
 * Brings the lab up, or puts right what is missing or cut: a second call takes seconds and changes nothing that works.
 *
 * @throws {PreflightError} when this machine cannot hold a lab
 * @throws {ConflictError} when another `lab up` or `down` runs, or namespaces of the same names exist that are not ours
 */
export async function labUp(options: UpOptions = {}): Promise<LabUp> {
  const context = options.context ?? systemLab()
  const progress = options.progress ?? silentProgress
  requireRoot()
  return withLabLock('lab up', () => bringUp(context, progress))
}

async function bringUp({run, paths}: LabContext, progress: Progress): Promise<LabUp> {
  const mirror = once(() => findMirror(run))
  const rootfs = await ensureRootfs({run, paths, progress, mirror})
  const guest = await ensureGuest({run, paths, progress, rootfs, mirror})
  const accelerator = await progress.step('accelerator', async (note) => {
    const answer = await probeAccelerator({run, paths, rootfs: rootfs.directory, guest: guest.directory})
    note(answer)
    return answer
  })
  await claim({run, paths}, {rootfs, guest, accelerator})
  const missing = await missingHosts(paths)
  await progress.step('networks', async () => {
    await clearNetworks({run, paths}, missing)
    await bringUpNetwork(run)
    await healDirections({run, paths})
  })
  await writeKeys({run, paths})
  if (missing.length > 0) {
    await progress.step(`hosts: ${missing.join(', ')}`, () =>
      startHosts({run, paths}, {rootfs, guest, accelerator}, missing),
    )
  }
  const warnings = await progress.step('hosts answer: ssh, libvirt, agent', () => checkHosts({run, paths}))
  for (const warning of warnings) progress.warn(warning)
  return {
    accelerator,
    versions: {...rootfs.versions, guestKernel: guest.kernel},
    env: {COLO_HOSTS: inventoryFile(paths), COLO_SSH_CONFIG: sshConfigFile(paths)},
    startedHosts: missing,
    warnings,
  }
}

interface Parts {
  readonly rootfs: Rootfs
  readonly guest: Guest
  readonly accelerator: Accelerator
}

/** Writes down what is going to be made. A lab made from other parts is taken down first. */
async function claim(context: LabContext, {rootfs, guest, accelerator}: Parts): Promise<void> {
  const {run, paths} = context
  const state: LabState = {
    version: 1,
    bootId: await bootId(),
    createdAt: new Date().toISOString(),
    rootfs: rootfs.directory,
    guest: guest.directory,
    accelerator,
    tree: paths.tree,
    data: paths.data,
    namespaces: allNamespaces,
    hosts: {},
  }
  const old = await readState(paths)
  if (old !== undefined) {
    if (sameParts(old, state)) return
    await tearDown(context, old)
  }
  const foreign = (await listNamespaces(run)).filter((name) => allNamespaces.includes(name))
  if (foreign.length > 0) {
    throw new ConflictError(
      `network namespaces with the lab's names exist that it did not make: ${foreign.join(', ')}`,
      {
        hint: `if nothing uses them: ${foreign.map((name) => `ip netns del ${name}`).join('; ')}`,
      },
    )
  }
  await ownData(paths, state.bootId)
  await writeState(paths, state)
}

/** Empties the hosts' directory, unless a lab in another network namespace of this machine lives from it. */
async function ownData(paths: LabPaths, boot: string): Promise<void> {
  const mark = join(paths.data, 'owner')
  const own = `${boot} ${await readlink('/proc/self/ns/net')}\n`
  const found = existsSync(mark) ? await readFile(mark, 'utf8') : ''
  if (found.startsWith(boot) && found !== own) {
    throw new ConflictError(`${paths.data} belongs to a lab in another network namespace`, {
      hint: 'set COLO_LAB_DATA to a directory of its own; or remove that one when its lab is gone',
    })
  }
  await rm(paths.data, {recursive: true, force: true})
  await mkdir(paths.data, {recursive: true})
  await writeFile(mark, own)
}

function sameParts(a: LabState, b: LabState): boolean {
  const parts = ['bootId', 'rootfs', 'guest', 'accelerator', 'tree', 'data'] as const
  return parts.every((part) => a[part] === b[part])
}

async function missingHosts(paths: LabPaths): Promise<LabHost[]> {
  const state = await readState(paths)
  const missing: LabHost[] = []
  for (const host of labHosts) {
    const process = state?.hosts[host]
    if (process?.init === undefined || !(await isAlive(process.init))) missing.push(host)
  }
  return missing
}

/** Hosts that were powered off or died start with a network as after a boot. */
async function clearNetworks(context: LabContext, hosts: readonly LabHost[]): Promise<void> {
  const present = await listNamespaces(context.run)
  for (const host of hosts) if (present.includes(namespaces.host(host))) await clearNetwork(host, context)
}

async function startHosts({run, paths}: LabContext, parts: Parts, hosts: readonly LabHost[]): Promise<void> {
  for (const host of hosts) await prepareHost(run, paths, host)
  const trusted = await writeTrust(paths)
  for (const host of hosts) await trustHosts(paths, host, trusted)
  const place = {
    paths,
    rootfs: parts.rootfs.directory,
    guest: parts.guest.directory,
    accelerator: parts.accelerator,
  }
  await Promise.all(hosts.map((host) => startHost({paths, host, argv: hostArgv({...place, host})})))
}

/** The lab's key pair and ssh settings, and the inventory for commands on this machine. */
async function writeKeys({run, paths}: LabContext): Promise<void> {
  const dir = sshDir(paths)
  await mkdir(dir, {recursive: true, mode: 0o700})
  const key = join(dir, 'id_ed25519')
  if (!existsSync(key)) await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'colo-lab', '-f', key])
  await writeFile(sshConfigFile(paths), sshConfig(dir), {mode: 0o600})
  await writeFile(inventoryFile(paths), inventoryYaml(undefined))
}

async function writeTrust(paths: LabPaths): Promise<string> {
  const keys = new Map<LabHost, string>()
  for (const host of labHosts)
    keys.set(host, await readFile(join(hostUpper(paths, host), 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8'))
  const text = knownHosts(keys)
  await writeFile(join(sshDir(paths), 'known_hosts'), text)
  return text
}

/** Waits for ssh and libvirt on every host; a missing agent is only reported. The first libvirt call of a host probes QEMU for 8 s and more. */
async function checkHosts(context: LabContext): Promise<string[]> {
  const {run, paths} = context
  const answers = await Promise.all(
    labHosts.map(async (host): Promise<string[]> => {
      const ssh = ['ssh', '-F', sshConfigFile(paths), host] as const
      const reachable = async (): Promise<boolean> => succeeds(run([...ssh, '-o', 'ConnectTimeout=5', 'true']))
      await poll({what: `ssh to ${host}`, limitMs: 30_000, everyMs: 100, done: reachable})
      await run([...ssh, 'virsh', '-q', 'domcapabilities', '--virttype', 'qemu'], {timeoutMs: 120_000})
      return convergeAgent(host, context)
    }),
  )
  return answers.flat()
}

/** Starts the agent where it does not run. */
async function convergeAgent(host: LabHost, context: LabContext): Promise<string[]> {
  try {
    const started = await startAgent(host, context)
    return started === 'not built' ? [`${host}: this build has no agent (dist/commands/agent/index.js)`] : []
  } catch (error) {
    if (!(error instanceof TimedOutError)) throw error
    return [`${host}: ${error.message}; ${error.hint ?? ''}`]
  }
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return
  throw new PreflightError('lab-root', 'the lab needs root: it makes namespaces, mounts and interfaces', {
    hint: 'run it with sudo',
  })
}

function once<R>(make: () => Promise<R>): () => Promise<R> {
  let made: Promise<R> | undefined
  return () => (made ??= make())
}

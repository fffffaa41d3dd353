import {existsSync} from 'node:fs'
import {chmod, copyFile, cp, mkdir, readFile, rm, symlink, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {TimedOutError} from '../errors.js'
import {systemClock} from '../os/clock.js'
import {childrenOf, identify, isAlive, signalProcess, type ProcessId} from '../os/proc.js'
import type {Argv, Run} from '../os/process.js'
import {spawnDetached} from '../os/spawn.js'
import {readTemplate} from '../os/templates.js'
import type {Accelerator} from './accel.js'
import {hostsFile, inventoryYaml, libvirtdConf, sshConfig} from './config-files.js'
import {hostEnv, namespaces, type LabHost} from './layout.js'
import {hostDir, hostLog, hostUpper, labAsset, sshDir, type LabPaths} from './paths.js'
import {recordHost, type HostProcess} from './state.js'

/** Makes the files a host boots from, in its writable layer; what the host changed elsewhere stays. */
export async function prepareHost(run: Run, paths: LabPaths, host: LabHost): Promise<void> {
  const upper = hostUpper(paths, host)
  const put = async (file: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(dirname(join(upper, file)), {recursive: true})
    await writeFile(join(upper, file), text)
    await chmod(join(upper, file), mode)
  }
  const putAsset = async (file: string, asset: string, mode = 0o644): Promise<void> =>
    put(file, await readFile(labAsset(asset), 'utf8'), mode)
  await mkdir(join(hostDir(paths, host), 'wd'), {recursive: true})
  await mkdir(join(hostDir(paths, host), 'root'), {recursive: true})
  await put('etc/hostname', `${host}\n`)
  await put('etc/hosts', hostsFile(host))
  await put('etc/resolv.conf', '')
  await put('etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n')
  await put('etc/colo/hosts.yaml', inventoryYaml(host))
  await put('etc/libvirt/libvirtd.conf', libvirtdConf(host))
  await putAsset('etc/libvirt/qemu.conf', 'qemu.conf', 0o600)
  await putAsset('etc/ssh/sshd_config.d/colo-lab.conf', 'sshd.conf')
  await putAsset('usr/local/sbin/colo-lab-init', 'host-init.sh', 0o755)
  await putAsset('usr/local/sbin/colo-lab-agent', 'host-agent.sh', 0o755)
  await put('etc/libvirt/hooks/qemu.d/colo', (await readTemplate('libvirt/qemu-hook.sh')).text, 0o755)
  await putSshIdentity(run, paths, host)
  await mkdir(join(upper, 'usr/local/bin'), {recursive: true})
  await rm(join(upper, 'usr/local/bin/colo'), {force: true})
  await symlink('/usr/lib/colo/bin/run.js', join(upper, 'usr/local/bin/colo'))
}

/** The command that makes the namespaces of a host and starts its init in them. */
export function hostArgv(at: {
  host: LabHost
  paths: LabPaths
  rootfs: string
  guest: string
  accelerator: Accelerator
}): Argv {
  const {host, paths} = at
  const enter = [
    'sh',
    labAsset('host-enter.sh'),
    host,
    at.rootfs,
    hostDir(paths, host),
    paths.tree,
    at.guest,
    at.accelerator,
  ]
  const unshare = ['unshare', '--pid', '--fork', '--mount', '--uts', '--ipc', '--kill-child']
  return ['ip', 'netns', 'exec', namespaces.host(host), ...unshare, ...hostEnv, ...enter]
}

/**
 * Starts a host and waits until its init has started the daemons (10 s at most).
 *
 * @throws {TimedOutError} when it does not get there; its log file says why
 */
export async function startHost(at: {paths: LabPaths; host: LabHost; argv: Argv}): Promise<HostProcess> {
  const {paths, host} = at
  const pid = await spawnDetached(at.argv, hostLog(paths, host))
  const outer = (await identify(pid)) ?? {pid, startTicks: -1}
  await recordHost(paths, host, {outer, init: undefined})
  const init = await waitForInit(outer, hostLog(paths, host))
  const process = {outer, init}
  await recordHost(paths, host, process)
  return process
}

/** Kills a host's processes all at once, as by SIGKILL of its PID 1, and waits until they are gone. */
export async function killHost(process: HostProcess): Promise<void> {
  await signalProcess(process.outer, 'SIGKILL')
  if (process.init !== undefined) await signalProcess(process.init, 'SIGKILL')
  const gone = async (): Promise<boolean> =>
    !(await isAlive(process.outer)) && !(process.init !== undefined && (await isAlive(process.init)))
  await poll({what: 'the processes of a lab host to end', limitMs: 20_000, everyMs: 20, done: gone})
}

/** Whether it settles well; for questions that are answered by an exit status. */
export async function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  )
}

/** Waits for a condition that has no event to wait for. */
export async function poll(wait: {
  what: string
  limitMs: number
  everyMs: number
  done: () => Promise<boolean>
  hint?: string
}): Promise<void> {
  const start = systemClock.monotonic()
  while (!(await wait.done())) {
    const waitedMs = systemClock.monotonic() - start
    if (waitedMs > wait.limitMs) {
      throw new TimedOutError(`waited ${Math.round(waitedMs / 1000)} s for ${wait.what}`, waitedMs, {hint: wait.hint})
    }
    await systemClock.sleep(wait.everyMs)
  }
}

async function waitForInit(outer: ProcessId, log: string): Promise<ProcessId> {
  let init: ProcessId | undefined
  const ready = async (): Promise<boolean> => {
    const [child] = await childrenOf(outer.pid)
    init = child === undefined ? undefined : await identify(child)
    return init !== undefined && existsSync(`/proc/${init.pid}/root/run/colo-lab/ready`)
  }
  await poll({what: 'a lab host to start its daemons', limitMs: 30_000, everyMs: 50, done: ready, hint: `see ${log}`})
  if (init === undefined) throw new Error('a ready host has an init')
  return init
}

/** Host key, authorised key of the lab, and the lab's own key so that hosts reach each other. */
async function putSshIdentity(run: Run, paths: LabPaths, host: LabHost): Promise<void> {
  const upper = hostUpper(paths, host)
  const hostKey = join(upper, 'etc/ssh/ssh_host_ed25519_key')
  if (!existsSync(hostKey)) await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', host, '-f', hostKey])
  const home = join(upper, 'root/.ssh')
  await mkdir(home, {recursive: true, mode: 0o700})
  await cp(join(sshDir(paths), 'id_ed25519.pub'), join(home, 'authorized_keys'))
  await copyFile(join(sshDir(paths), 'id_ed25519'), join(home, 'id_ed25519'))
  await chmod(join(home, 'id_ed25519'), 0o600)
  await writeFile(join(home, 'config'), sshConfig('/root/.ssh'))
}

/** Lets a prepared host know the host keys of all. */
export async function trustHosts(paths: LabPaths, host: LabHost, knownHostsText: string): Promise<void> {
  await writeFile(join(hostUpper(paths, host), 'root/.ssh/known_hosts'), knownHostsText)
}
